"""`outputs/report/index.html`: one self-contained page. Tables with verdicts, interactive curves, protocol,
provenance, cells, checklist.

Styles, scripts and data are inside the file; nothing is fetched when it is opened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from analysis import captions, claims_over_draws, readings, tables, verdicts
from analysis.material import ABLATION, BY_BUDGET, Material, query_words
from analysis.paper_table import evidence, statement
from analysis.report.cells import best_cells
from analysis.report.checklist import checklist
from analysis.report.matrix import matrices
from analysis.result import Result
from analysis.selection import FULL_TRIALS, Study
from analysis.style import DASHES, style
from analysis.table import Column, Heading, Table
from nas_bench_suite.results import write_whole

HERE = Path(__file__).parent
WORDS = {  # verdict word -> class of its chip
    verdicts.HOLDS: "good",
    verdicts.BETTER: "good",
    "agrees": "good",
    "close": "fair",
    verdicts.FAILS: "bad",
    verdicts.WORSE: "bad",
    "differs": "bad",
    verdicts.UNRESOLVED: "open",
    verdicts.EVEN: "open",
    verdicts.MISSING: "none",
    "missing": "none",
    "not judged": "none",
}


def write_report(study: Study, output_dir: Path) -> list[str]:
    """Build the page from results alone and write it.

    Returns:
        Sentences for the user: what is missing.
    """
    material = Material(study)
    built = tables.build_all(study, output_dir)
    charts = {
        f"{budget:,} queries": _chart(material, material.results(labels, budget))
        for budget, labels in BY_BUDGET.items()
    }
    charts["ablation, 150 queries"] = _chart(material, material.results(ABLATION, 150))
    used = tables.results_of(tables.TABLES, study)
    over_draws = [
        table for budget in claims_over_draws.EXPERIMENTS if (table := claims_over_draws.build(study, budget))
    ]
    by_reading = readings.build_if_any(study)
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            study=study,
            full_trials=FULL_TRIALS,
            surrogate=captions.on_surrogate(study.benchmark, used),
            benchmark=captions.benchmark_words(study.benchmark, used),
            protocol=captions.protocol_words(study, used),
            trials=captions.trials_words(study, used),
            code=captions.code_words(used),
            claims=_claims(built),
            draws=[(table.full_caption, table.notes, matrices(table)) for table in over_draws],
            verdict_css=WORDS,
            readings=by_reading and _html_table(by_reading),
            tables=[_html_table(table) for table in built],
            cells=best_cells(material),
            checklist=checklist(study, used, built),
            records=captions.records(used),
            missing=[
                f"{_title(table)}: {note}"
                for table in built
                for note in table.notes
                if note.startswith("Missing")
            ],
            data=_script_safe(
                json.dumps(
                    {name: chart for name, chart in charts.items() if chart["methods"]}, separators=(",", ":")
                )
            ),
        )
    )
    write_whole(output_dir / "report" / "index.html", page.encode())
    return [f"{name}: {reason}" for name, reason in material.missing.items()]


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _script_safe(text: str) -> str:
    """JSON that may stand inside a script element."""
    return text.replace("<", "\\u003c")


class Series(TypedDict):
    """A band for the page's script: places, means, low and high ends."""

    x: list[float | None]
    m: list[float | None]
    l: list[float | None]  # noqa: E741
    h: list[float | None]


class Line(TypedDict):
    """A method in a chart."""

    label: str
    name: str
    color: str
    dash: str
    series: dict[str, Series]


class Chart(TypedDict):
    """Curves that are shown together."""

    methods: list[Line]
    queries: str


def _chart(material: Material, results: Sequence[Result]) -> Chart:
    """Curves for the page's script: by query and by simulated hour, mean and interval, four decimals."""
    lines: list[Line] = []
    for result in results:
        s = style(result.label)
        series: dict[str, Series] = {
            kind: {
                "x": _rounded(b.x, 3),
                "m": _rounded(b.mean, 4),
                "l": _rounded(b.low, 4),
                "h": _rounded(b.high, 4),
            }
            for kind, b in material.bands(result).items()
            if kind in ("test", "validation", "time_test")
        }
        lines.append(
            {
                "label": result.label,
                "name": s.name,
                "color": s.color,
                "dash": DASHES[s.dash],
                "series": series,
            }
        )
    return {"methods": lines, "queries": query_words(results)}


def _rounded(values: np.ndarray, digits: int) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), digits) for value in values]


@dataclass(frozen=True)
class ClaimLine:
    """A claim of the paper in the page's first table; `heading`: its text opens a group."""

    table: str
    claim: str
    text: str
    heading: bool
    word: str
    css: str
    numbers: str


def _claims(built: Sequence[Table[Any]]) -> list[ClaimLine]:
    """One line for each claim of the paper: the claim, the verdict and its numbers."""
    lines: list[ClaimLine] = []
    for table in built:
        for verdict in table.verdicts:
            text = verdict.claim.text
            lines.append(
                ClaimLine(
                    table=table.name.removeprefix("table"),
                    claim=statement(verdict.claim),
                    text=text,
                    heading=not lines or lines[-1].text != text,
                    word=verdict.word,
                    css=WORDS.get(verdict.word, "none"),
                    numbers=evidence(verdict),
                )
            )
    return lines


@dataclass(frozen=True)
class Part:
    """A piece of a cell's text, and the class of its chip."""

    text: str
    css: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `title` is shown when the pointer rests on it."""

    parts: list[Part]
    align: str
    title: str | None


@dataclass(frozen=True)
class TableRow:
    """A row of a table, or the heading of a panel."""

    panel: str | None
    cells: list[Cell] = field(default_factory=list)
    missing: bool = False


@dataclass(frozen=True)
class ShownTable:
    """A table as the template shows it: what is about this table stands under it (`shown`); the rules, the
    same for all, fold away."""

    name: str
    caption: str
    columns: Sequence[Column[Any]]
    rows: list[TableRow]
    shown: list[str]
    folded: list[str]


def _html_table(table: Table[Any]) -> ShownTable:
    """A table with the class of the verdict in each cell."""
    rows = []
    for row in table.rows:
        if isinstance(row, Heading):
            rows.append(TableRow(row.text))
            continue
        doubt = row.record().get("doubt")
        cells = []
        for column in table.columns:
            text = column.show(row)
            parts = [Part(part, _chip(part)) for part in text.split("; ")]
            cells.append(Cell(parts, column.align, doubt if "†" in text else None))
        rows.append(TableRow(None, cells, row.status == "missing"))
    rules = (verdicts.RULE, verdicts.LEVEL_RULE, verdicts.INTERVAL_NOTE)
    return ShownTable(
        name=table.name,
        caption=table.full_caption,
        columns=table.columns,
        rows=rows,
        shown=[note for note in table.notes if note not in rules],
        folded=[note for note in table.notes if note in rules],
    )


def _title(table: Table[Any]) -> str:
    return table.title.partition(".")[0]


def _chip(text: str) -> str:
    """Class of the chip of a verdict word (`holds`, `holds (a)`), empty for any other text."""
    return next((name for word, name in WORDS.items() if text == word or text.startswith(f"{word} (")), "")
