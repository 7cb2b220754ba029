"""The table of docs/small-effects.md, from `python run.py -m +experiment=small_effects
output_dir=outputs/small_effects`.

    python docs/figures/small_effects.py outputs/small_effects       # prints the Markdown table

The comparisons were written down before the first of these searches was run.
"""

from __future__ import annotations

import sys

from analysis.overview import configuration
from analysis.published import Claim
from analysis.runs import scan
from analysis.selection import Found
from analysis.table import number
from analysis.verdicts import judge

CLAIMS = (
    Claim("remaade", "better", "random", "ReMAADE outperforms random search (table 4)"),
    Claim("reinforce", "better", "random", "plain REINFORCE outperforms random search (table 4)"),
    Claim(
        "remaade",
        "better",
        "reinforce",
        "the masked-attention policy improves on independent actions (section 8.1)",
    ),
    Claim("remaade", "better", "reinforce_made", "MAADE improves on MADE (section 8.1)"),
    Claim(
        "reinforce_made",
        "no better",
        "reinforce",
        "'MADE failed to improve upon plain vanilla REINFORCE' (section 8.1)",
    ),
    Claim(
        "remaade", "better", "remaade_ppo", "'performance was marginally better without PPO' (section 8.1)"
    ),
    Claim(
        "remaade",
        "better",
        "remaade attention=dot_product",
        "additive attention is marginally better (section 5)",
    ),
    Claim("remaade blocks=2", "no better", "remaade", "more than one block does not help (section 8: M = 1)"),
    Claim("remaade", "better", "remaade blocks=3", "M > 2 hurts (section 8)"),
    Claim(
        "remaade entropy=0.01", "no better", "remaade", "entropy 'did not improve performance' (section 8)"
    ),
    Claim("remaade orderings=4", "no better", "remaade", "S = 1 in the short term (section 8)"),
    Claim("remaade orderings=all", "no better", "remaade", "S = 1 in the short term (section 8)"),
)


def main(folder: str) -> None:
    samples = {}
    for info in scan(folder):
        samples[configuration(info)] = Found(info, int(info.trial_ids.max()) + 1).errors
    print(
        "| claim of the paper | comparison | difference, points (95 % interval) | p (Holm) | effect | "
        "verdict |\n|---|---|---|---|---|---|"
    )
    for verdict in judge(CLAIMS, samples):
        c, claim = verdict.comparison, verdict.claim
        if c is None:
            print(f"| {claim.text} | `{claim.row}` - `{claim.other}` | {verdict.detail} | | | missing |")
            continue
        difference = (
            f"{number(c.difference, '+.4f')} [{number(c.interval.low, '+.4f')}, "
            f"{number(c.interval.high, '+.4f')}]"
        )
        word = verdict.word.lower() + (f" ({verdict.detail})" if verdict.detail else "")
        print(
            f"| {claim.text} | `{claim.row}` - `{claim.other}` | {difference} | {verdict.p:.2g} | "
            f"{number(c.effect, '+.3f')} | {word} |"
        )
    print("\n| configuration | trials | test error, % |\n|---|---|---|")
    for name, errors in sorted(samples.items(), key=lambda item: item[1].mean()):
        print(f"| `{name}` | {len(errors):,} | {errors.mean():.4f} +- {errors.std():.4f} |")


if __name__ == "__main__":
    main(sys.argv[1])
