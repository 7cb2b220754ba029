"""The page that a reader sees first: of each table the levels and the verdicts, with one sentence."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import claims_over_draws, readings
from analysis.table import MINUS, number
from analysis.tables import TABLE3, TABLE4, TABLE5, TABLE6
from nas_bench_suite.checks import ConfigError
from studies import markdown

if TYPE_CHECKING:
    import pandas as pd

HEAD = """# Results

Test errors in percent on the [surrogate of NASBench-101](surrogate.md); the lowest first. Difference: row
minus reference, with its simultaneous 95 % interval. [All columns, captions and rules](tables.md). [What
became of each claim](claims.md)."""
TABLES = {table.name: table for table in (TABLE3, TABLE4, TABLE5, TABLE6)}
NEAREST = 3  # readings shown beside the default


def short(folder: Path) -> str:
    """The page's text.

    Raises:
        ConfigError: if a table is missing.
    """
    parts = [HEAD]
    for name, table in TABLES.items():
        path = folder / f"{name}.csv"
        if not path.is_file():
            raise ConfigError(f"{path} is missing; to make it: make tables OUTPUT={folder.parent}.")
        frame = _read(path)
        parts += [f"## {name.replace('table', 'Table ')}: {table.budget:,} queries", _levels(frame)]
    paths = [folder / f"verdicts{budget}.csv" for budget in claims_over_draws.EXPERIMENTS]
    verdicts = [_read(path) for path in paths if path.is_file()]
    if verdicts:
        parts += [
            "## The claims over draws of the table",
            "Verdict, difference with its interval, and on how many draws the difference has the claimed\n"
            "sign. A draw is another table of the [same calibrated model](draws.md); the intervals include\n"
            "how far tables differ.",
            *map(_claims, verdicts),
        ]
    if (folder / "readings.csv").is_file():
        parts += [
            "## Which reading of section 8 comes nearest to the paper?",
            _readings(_read(folder / "readings.csv")),
        ]
    return "\n\n".join(parts) + "\n"


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(path, dtype={"table": str, "draft": str})


def _levels(frame: pd.DataFrame) -> str:
    """The rows that have the table's own reference, by their level, and how many trials stand behind each."""
    reference = frame["reference"].iloc[0]
    frame = frame[frame["reference"] == reference]
    there = frame[frame["status"] == "ok"].sort_values("mean")
    if not len(there):
        return "No row has results of its present configuration yet."
    rows = []
    for row in there.to_dict("records"):
        published = "" if _absent(row["paper_mean"]) else f"{row['paper_mean']:.2f}"
        interval = f"[{number(row['difference_low'], '+.3f')}, {number(row['difference_high'], '+.3f')}]"
        rows.append(
            (
                row["name"],
                published,
                f"{row['mean']:.3f} ± {row['sd']:.2f}",
                "reference"
                if _absent(row["difference"])
                else f"{number(row['difference'], '+.3f')} {interval}",
                re.sub(r" \(\w\)", "", row["verdict"]).replace("reference", ""),
                f"{row['mean_of_runs']:.3f}",
            )
        )
    header = ("row", "paper", "ours, mean ± SD", f"{MINUS} {reference}", "verdict", "mean of runs")
    trials = sorted({int(n) for n in there["trials"]})
    missing = len(frame) - len(there)
    words = f"{' or '.join(map(str, trials))} trials of each row"
    return markdown.table(header, rows) + "\n\n" + words + (f"; {missing} rows missing." if missing else ".")


def _claims(frame: pd.DataFrame) -> str:
    """A row for each claim, a column for each reading."""
    columns = list(dict.fromkeys(frame["reading"]))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in frame.to_dict("records"):
        cells.setdefault((row["table"], row["claim"]), {})[row["reading"]] = (
            f"{row['verdict']}, {number(row['difference'], '+.3f')} [{number(row['low'], '+.3f')}, "
            f"{number(row['high'], '+.3f')}], {row['agree'] * row['draws']:.0f} of {row['draws']}"
        )
    rows = [
        (f"{table}: {claim}", *(found.get(reading, "") for reading in columns))
        for (table, claim), found in cells.items()
    ]
    counts = Counter(frame.loc[frame["reading"] == columns[0], "verdict"])
    words = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    trials = " or ".join(str(n) for n in sorted(set(frame["trials_per_draw"])))
    return (
        markdown.table(("table: claim", *columns), rows)
        + f"\n\nBy the {columns[0]}: {words}. {trials} trials of each row on each draw."
    )


def _readings(frame: pd.DataFrame) -> str:
    default, others = frame.iloc[:1], frame.iloc[1:]
    chosen: dict[str, dict[str, Any]] = {"default": default.to_dict("records")[0]}
    for budget in readings.EXPERIMENTS:
        column = f"gap, {budget}"
        if frame[column].notna().any():
            for row in others.sort_values(column).head(NEAREST).to_dict("records"):
                chosen.setdefault(
                    ", ".join(str(row[key]) for key in ("test", "repeats", "invalid", "edges")), row
                )
    rows = []
    for name, row in chosen.items():
        cells = []
        for budget in readings.EXPERIMENTS:
            tau, gap = row[f"tau, {budget}"], row[f"gap, {budget}"]
            cells += ["" if _absent(tau) else number(tau), "" if _absent(gap) else f"{gap:.2f}"]
        rows.append((name, *cells))
    header = ("test error, repeats, invalid, edges", "τ, 150", "gap, 150", "τ, 3,200", "gap, 3,200")
    return (
        markdown.table(header, rows)
        + f"\n\nThe default, and the {NEAREST} readings of {len(frame)} that come nearest to the paper's "
        "levels at each\nbudget. τ: Kendall's, our order with the paper's; gap: root mean square, in\n"
        "points. [All readings](tables.md#readings)."
    )


def _absent(value: object) -> bool:
    return value is None or value != value
