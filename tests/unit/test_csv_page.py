"""docs/csv.md names every column of every CSV that the analysis writes."""

from __future__ import annotations

import re
from pathlib import Path

from analysis import readings, tables
from analysis.claims_over_draws import MatrixRow
from analysis.published import CLAIMS3
from analysis.report import STANDING_COLUMNS
from analysis.result import scan
from analysis.selection import Study
from analysis.verdicts import Verdict
from nas_bench_suite.experiments import CONF
from tests.unit.analysis_samples import own_settings, write_run

PAGE = (CONF.parent / "docs" / "csv.md").read_text()
NAMED = set(re.findall(r"`([^`]+)`", PAGE))


def named(column: str) -> bool:
    """Whether the page has the column, or the pattern that it follows."""
    before, comma, _ = column.partition(", ")
    if comma:
        return f"{before}, ..." in NAMED or before in {row.name for row in readings.ROWS[150]}
    if re.fullmatch(r"draw \d+", column):
        return "draw 0" in NAMED
    if column.startswith("parameters_N"):
        return "parameters_N26_d36" in NAMED
    return column in NAMED


def test_every_column_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, "random", settings=own_settings("random"))
    found: set[str] = set(STANDING_COLUMNS)
    for table in tables.build_all(Study(scan(tmp_path), trials=20), tmp_path):
        found |= set(table.records()[0])
    claim = MatrixRow("3", "same run", Verdict(CLAIMS3[0], "holds"), None, [], 5, [0, 1])
    found |= set(claim.record()) | set(readings.ReadingRow(readings.DEFAULT, {}).record())
    missing = sorted(column for column in found if not named(column))
    assert len(found) > 80 and not missing
