"""The table and the figure of docs/nasbench201.md, from `python run.py -m +experiment=nasbench201
benchmark.path=FILE`.

    # prints the Markdown table, writes docs/images/nasbench201.png
    python docs/figures/nasbench201.py outputs
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from analysis.overview import overview
from analysis.runs import scan
from analysis.selection import Study
from analysis.style import style

ROOT = Path(__file__).parents[2]
DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16": "ImageNet16-120"}


def main(folder: str) -> None:
    study = Study(scan(folder), "nasbench201")
    tables = {
        dataset: {row["label"]: row for row in overview(study, 150, options={"dataset": dataset}).data}
        for dataset in DATASETS
    }
    labels = list(tables["cifar10"])
    print(
        "| | "
        + " | ".join(f"{name}, % | published, %" for name in DATASETS.values())
        + " |\n|---"
        + "|---:" * 6
        + "|"
    )
    for label in labels:
        cells = [cell for rows in tables.values() for cell in (ours(rows.get(label)), paper(rows.get(label)))]
        print(f"| {style(label).name} | " + " | ".join(cells) + " |")
    figure(tables, labels)


def ours(row: dict[str, Any] | None) -> str:
    """Mean and SD, and the verdict against random search: + better, - worse, nothing where no difference is
    resolved."""
    if row is None or row["status"] != "ok":
        return "missing"
    mark = {"better": " **+**", "worse": " **-**"}.get(str(row["verdict"]), "")
    return f"{row['mean']:.2f} ± {row['sd']:.2f}{mark}"


def paper(row: dict[str, Any] | None) -> str:
    return (
        "" if row is None or row["paper_mean"] is None else f"{row['paper_mean']:.2f} ± {row['paper_sd']:.2f}"
    )


def figure(tables: dict[str, dict[str, dict[str, Any]]], labels: list[str]) -> None:
    """Means with 95 % intervals, published means beside."""
    fig, axes = plt.subplots(1, 3, figsize=(11, 4.6), sharey=True)
    for axis, (dataset, name) in zip(axes, DATASETS.items()):
        rows = tables[dataset]
        for place, label in enumerate(reversed(labels)):
            row, look = rows[label], style(label)
            axis.plot(
                [row["interval_low"], row["interval_high"]],
                [place, place],
                color=look.color,
                linewidth=2.5,
                solid_capstyle="butt",
            )
            axis.plot(row["mean"], place, "o", color=look.color, markersize=6)
            if row["paper_mean"] is not None:
                axis.plot(
                    row["paper_mean"],
                    place,
                    "D",
                    markerfacecolor="white",
                    markeredgecolor="black",
                    markersize=6,
                )
        axis.set_title(name)
        axis.set_xlabel("test error after 150 queries (%)")
        axis.grid(axis="x", color="0.9")
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[0].set_yticks(range(len(labels)), [style(label).name for label in reversed(labels)])
    axes[0].plot(
        [], [], "D", markerfacecolor="white", markeredgecolor="black", label="NATS-Bench (another protocol)"
    )
    axes[0].plot([], [], "o-", color="0.3", label="here: mean and 95 % interval")
    fig.legend(loc="lower center", ncols=2, frameon=False)
    fig.tight_layout(rect=(0, 0.06, 1, 1))
    fig.savefig(ROOT / "docs" / "images" / "nasbench201.png", dpi=120)


if __name__ == "__main__":
    main(sys.argv[1])
