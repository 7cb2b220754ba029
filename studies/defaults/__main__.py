"""The tables and the figure of docs/defaults.md, from `python run.py -m +experiment=defaults
output_dir=outputs/defaults`.

    # prints the Markdown tables, writes docs/images/defaults.png
    python docs/figures/defaults.py outputs/defaults
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from analysis.overview import differing
from analysis.runs import RunInfo, scan
from analysis.selection import Found
from analysis.statistics import compare, describe
from analysis.style import style

ROOT = Path(__file__).parents[2]


def study_of(info: RunInfo) -> tuple[str, int, str]:
    """What a table is about: the method, the budget, and rules that are not the default's."""
    return info.label, info.budget, " ".join(differing(info, "protocol"))


def errors(info: RunInfo) -> np.ndarray:
    return Found(info, int(info.trial_ids.max()) + 1).errors.to_numpy()


def place(info: RunInfo) -> list[tuple[str, float, str]]:
    """Rows: the label's own configuration first, then by key, numbers by size, words after them."""
    out = []
    for word in differing(info, "optimizer"):
        key, _, value = word.partition("=")
        try:
            out.append((key, float(value), ""))
        except ValueError:
            out.append((key, float("inf"), value))
    return out


def main(folder: str) -> None:
    infos = sorted(scan(folder), key=lambda info: (study_of(info), place(info)))
    for (label, budget, rules), group in groupby(infos, study_of):
        rows = list(group)
        base = errors(rows[0]) if not differing(rows[0], "optimizer") else None
        print(f"\n**`{label}`**, {budget:,} queries{f', `{rules}`' if rules else ''}\n")
        print(
            "| setting | test error, % | 95 % interval | against the default (95 % interval) "
            "|\n|---|---|---|---|"
        )
        for info in rows:
            settings = differing(info, "optimizer")
            d, against = describe(errors(info)), "-"
            if base is not None and settings:
                c = compare(errors(info), base)
                against = f"{c.difference:+.3f} [{c.interval.low:+.3f}, {c.interval.high:+.3f}]"
            what = ", ".join(f"`{word}`" for word in settings) or "as configured"
            stalled = int((info.ledger["ended"] == "stalled").sum())
            what += f" ({stalled} of {d.n} trials stalled)" if stalled else ""
            print(
                f"| {what} | {d.mean:.3f} +- {d.sd:.3f} | [{d.interval.low:.3f}, {d.interval.high:.3f}] | "
                f"{against} |"
            )
    figure([info for info in infos if study_of(info)[1:] == (150, "")])


def figure(infos: list[RunInfo]) -> None:
    """Every policy at its step sizes, all else as configured."""
    fig, axis = plt.subplots(figsize=(6.4, 4))
    counts = set()
    for label, group in groupby(infos, lambda info: info.label):
        sweep = [
            info
            for info in group
            if all(word.startswith("learning_rate=") for word in differing(info, "optimizer"))
        ]
        if len(sweep) < 3:
            continue
        sweep.sort(key=lambda info: float(info.config["optimizer"]["learning_rate"]))
        counts.add(len(sweep))
        found = [describe(errors(info)) for info in sweep]
        half = [[d.mean - d.interval.low for d in found], [d.interval.high - d.mean for d in found]]
        rates = [float(info.config["optimizer"]["learning_rate"]) for info in sweep]
        s = style(label)
        axis.errorbar(
            rates,
            [d.mean for d in found],
            yerr=half,
            label=s.name,
            color=s.color,
            marker="o",
            markersize=4,
            capsize=2,
        )
    axis.set_xscale("log")
    axis.set_xlabel("learning rate")
    axis.set_ylabel("test error after 150 queries, %")
    sizes = " or ".join(map(str, sorted(counts)))
    axis.set_title(f"Every policy at {sizes} step sizes (500 trials, 95 % intervals of the mean)", fontsize=9)
    axis.legend(fontsize=8)
    fig.tight_layout()
    fig.savefig(ROOT / "docs" / "images" / "defaults.png", dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "outputs/defaults")
