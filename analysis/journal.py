"""What a journal holds, as a table and a figure: the best so far by evaluation. A journal may be read while a
search writes it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_bench_suite.journal import read_journal
from nas_bench_suite.results import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

DPI = 150


def frame_of(path: str | Path) -> tuple[dict[str, Any], DataFrame]:
    """What identifies the search, and a row for each evaluation in the order in which they finished: `trial,
    query, validation, test, seconds, reason, number` (of the evaluation within its trial) and `best` (so
    far). Values are those that the function returned.

    Raises:
        ConfigError: for a file that is no journal.
    """
    import pandas as pd

    identity, entries = read_journal(path)
    names = ("trial", "query", "validation", "test", "seconds", "reason")
    frame = pd.DataFrame([[entry.get(name) for name in names] for entry in entries], columns=list(names))
    frame = frame.astype({name: float for name in ("validation", "test", "seconds")})
    frame["reason"] = frame["reason"].fillna("")
    frame["number"] = frame.groupby("trial").cumcount() + 1
    frame["best"] = frame.groupby("trial")["validation"].cummax()
    frame["best"] = frame.groupby("trial")["best"].ffill()
    if scale := identity.get("scale"):
        best, worst = scale
        for name in ("validation", "test", "best"):
            frame[name] = worst - (worst - best) * frame[name]
    return identity, frame


def draw(identity: dict[str, Any], frame: DataFrame, title: str) -> Figure:
    """The best so far of each trial by evaluation, the evaluations as dots and the failures as crosses."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    good = frame[frame["validation"].notna()]
    failed = frame[frame["validation"].isna()]
    axis.plot(good["number"], good["validation"], ".", color="#9DB4C8", label="one evaluation")
    for i, (_, one) in enumerate(frame.groupby("trial")):
        label = "best so far" if i == 0 else None
        axis.plot(one["number"], one["best"], drawstyle="steps-post", color="#0B4F8A", label=label)
    if len(failed):
        bottom = np.full(len(failed), 0.02)
        axis.plot(
            failed["number"],
            bottom,
            "x",
            color="#B22222",
            transform=axis.get_xaxis_transform(),
            label="failed",
        )
    lower = (identity.get("scale") or [1, 0])[0] < (identity.get("scale") or [1, 0])[1]
    axis.set_xlabel("evaluations, in the order in which they finished")
    axis.set_ylabel("validation value (lower is better)" if lower else "validation value")
    axis.set_title(title, fontsize="medium")
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def show(path: Path, output_dir: Path) -> None:
    """Print where a search is, and write its figure and its table."""
    import matplotlib.pyplot as plt

    identity, frame = frame_of(path)
    failed = int(frame["validation"].isna().sum())
    budget = int(identity.get("budget", 0)) * int(identity.get("trials", 1))
    title = f"{identity.get('optimizer')} on {identity.get('benchmark')}"
    seconds = frame["seconds"].sum()
    print(f"{title}: {len(frame)} of {budget} evaluations, {failed} failed, {seconds:.1f} s of evaluations")
    if len(frame) > failed:
        scale = identity.get("scale") or [1, 0]
        at = int(frame["validation"].argmin() if scale[0] < scale[1] else frame["validation"].argmax())
        best = frame.iloc[at]
        print(f"best: {best['validation']:.6g} (trial {best['trial']}, query {best['query']})")
    for reason, count in frame.loc[frame["reason"] != "", "reason"].value_counts().items():
        print(f"failed {count} times: {reason}")
    figure = draw(identity, frame, f"{title} ({path.name})")
    target = output_dir / "journals" / path.stem
    for ending in ("png", "pdf"):
        buffer = io.BytesIO()
        undated = {"CreationDate": None} if ending == "pdf" else {"Software": None}
        figure.savefig(buffer, format=ending, dpi=DPI, metadata=undated)
        write_whole(target.with_name(f"{path.stem}.{ending}"), buffer.getvalue())
    plt.close(figure)
    write_whole(target.with_name(f"{path.stem}.csv"), frame.to_csv(index=False).encode())
    print(f"{target}.{{png,pdf,csv}}")
