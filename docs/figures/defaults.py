"""The table and the figure of docs/defaults.md, from `python run.py -m +experiment=defaults output_dir=outputs/defaults`.

    python docs/figures/defaults.py outputs/defaults       # prints the Markdown tables, writes docs/images/defaults.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from analysis import load_results
from analysis.statistics import compare, describe
from analysis.style import style

ROOT = Path(__file__).parents[2]
PREFIX = "optimizer."


def changed(row: pd.Series, base: pd.Series) -> str:
    """What distinguishes a configuration from its method's default."""
    keys = [key for key in row.index if key.startswith(PREFIX) and key != "optimizer._target_"]
    different = [key for key in keys if str(row[key]) != str(base[key])]
    return ", ".join(f"`{key.removeprefix(PREFIX)}={row[key]}`" for key in different) or "as configured"


def _sortable(what: str) -> tuple[str, float, str]:
    """The default first, then by key, numbers by size, words after them."""
    key, _, value = what.strip("`").partition("=")
    try:
        return key if value else "", float(value), ""
    except ValueError:
        return key if value else "", float("inf"), value


def errors(frame: pd.DataFrame, key: str) -> np.ndarray:
    return frame[frame["config_hash"] == key].sort_values("trial")["test_error"].to_numpy()


def main(folder: str) -> None:
    frame = load_results(folder)
    runs = frame.drop_duplicates("config_hash")
    for (label, budget), group in runs.groupby(["optimizer", "budget"], sort=False):
        config = {f"{PREFIX}{key}": value for key, value in options(label).items()}
        base = next((row for _, row in group.iterrows() if all(str(row.get(k)) == str(v) for k, v in config.items() if k in row)), None)
        print(f"\n**`{label}`**, {budget} queries\n")
        print("| setting | test error, % | 95 % interval | against the default (95 % interval) |\n|---|---|---|---|")
        rows = [(changed(row, base) if base is not None else "as configured", row) for _, row in group.iterrows()]
        for what, row in sorted(rows, key=lambda entry: _sortable(entry[0])):
            x = errors(frame, row["config_hash"])
            d = describe(x)
            against = "-"
            if base is not None and row["config_hash"] != base["config_hash"]:
                c = compare(x, errors(frame, base["config_hash"]))
                against = f"{c.difference:+.3f} [{c.interval.low:+.3f}, {c.interval.high:+.3f}]"
            stalled = int((frame[frame["config_hash"] == row["config_hash"]]["ended"] == "stalled").sum())
            what += f" ({stalled} of {d.n} trials stalled)" if stalled else ""
            print(f"| {what} | {d.mean:.3f} +- {d.sd:.3f} | [{d.interval.low:.3f}, {d.interval.high:.3f}] | {against} |")
    figure(frame, runs)


def options(label: str) -> dict[str, object]:
    from omegaconf import OmegaConf

    return {str(k): v for k, v in OmegaConf.load(ROOT / "conf" / "optimizer" / f"{label}.yaml").items()}


def figure(frame: pd.DataFrame, runs: pd.DataFrame) -> None:
    fig, axis = plt.subplots(figsize=(6.4, 4))
    for label, group in runs[runs["budget"] == 150].groupby("optimizer", sort=False):
        own = {k: v for k, v in options(str(label)).items() if k != "learning_rate"}
        if "learning_rate" not in options(str(label)):
            continue
        same = [all(str(row.get(PREFIX + k)) == str(v) for k, v in own.items() if PREFIX + k in row) for _, row in group.iterrows()]
        sweep = group[np.array(same)].sort_values("optimizer.learning_rate", key=lambda s: s.astype(float))
        if len(sweep) < 3:
            continue
        found = [describe(errors(frame, key)) for key in sweep["config_hash"]]
        rates = sweep["optimizer.learning_rate"].astype(float)
        s = style(str(label))
        half = [[d.mean - d.interval.low for d in found], [d.interval.high - d.mean for d in found]]
        axis.errorbar(rates, [d.mean for d in found], yerr=half, label=s.name, color=s.color, marker="o", markersize=4, capsize=2)
    axis.set_xscale("log")
    axis.set_xlabel("learning rate")
    axis.set_ylabel("test error after 150 queries, %")
    axis.set_title("Every policy at seven step sizes (500 trials, 95 % intervals of the mean)", fontsize=9)
    axis.legend(fontsize=8)
    fig.tight_layout()
    (ROOT / "docs" / "images").mkdir(exist_ok=True)
    fig.savefig(ROOT / "docs" / "images" / "defaults.png", dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "outputs/defaults")
