"""The paper's claims of small effects at 150 queries, as they were written down before the searches were run,
and what became of them.

Notation: errors are test errors of the incumbent in percent; a difference is that of the paired trials, row
less other.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.published import Claim
from analysis.table import number
from analysis.verdicts import Verdict, judge
from studies import markdown
from studies.results import Searches

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
        "remaade",
        "better",
        "remaade_ppo_steps",
        "'performance was marginally better without PPO' (section 8.1)",
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


def verdicts(results: Sequence[Searches]) -> list[Verdict]:
    """What became of each claim."""
    return judge(CLAIMS, {result.name: result.errors for result in results})


def to_markdown(judged: Sequence[Verdict], results: Sequence[Searches]) -> str:
    """The page's tables: the claims, and the level of every configuration, best first."""
    claims = markdown.table(
        (
            "claim of the paper",
            "comparison",
            "difference, points (95 % interval)",
            "p (Holm)",
            "effect",
            "verdict",
        ),
        [_row(verdict) for verdict in judged],
    )
    levels = markdown.table(
        ("configuration", "trials", "test error, %"),
        [
            (
                f"`{result.name}`",
                f"{len(result.errors):,}",
                f"{result.errors.mean():.4f} +- {result.errors.std():.4f}",
            )
            for result in sorted(results, key=lambda result: float(result.errors.mean()))
        ],
    )
    return f"{claims}\n\n{levels}"


def _row(verdict: Verdict) -> tuple[str, ...]:
    claim, c = verdict.claim, verdict.comparison
    pair = f"`{claim.row}` - `{claim.other}`"
    if c is None:
        return claim.text, pair, verdict.detail, "", "", "missing"
    low, high = number(c.interval.low, "+.4f"), number(c.interval.high, "+.4f")
    return (
        claim.text,
        pair,
        f"{number(c.difference, '+.4f')} [{low}, {high}]",
        f"{verdict.p:.2g}",
        number(c.effect, "+.3f"),
        verdict.word.lower() + (f" ({verdict.detail})" if verdict.detail else ""),
    )
