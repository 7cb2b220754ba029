"""`outputs/report/index.html`: one self-contained page. Who leads and what speaks against it, a forest plot
and a leaderboard; then curves, ranks, trials, claims, tables, protocol, cells, checklist and provenance.

Styles, scripts and data are inside the file; nothing is fetched when it is opened.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from analysis import captions, claims_over_draws, curves, published, readings, tables, verdicts
from analysis.material import ABLATION, Material, query_words
from analysis.paper_table import evidence, statement
from analysis.report.cells import best_cells
from analysis.report.checklist import checklist
from analysis.report.forest import forest
from analysis.report.headline import doubts, headline
from analysis.report.matrix import matrices
from analysis.report.spread import DOTS, quantile_dots, sparklines
from analysis.result import Result
from analysis.row import bounds
from analysis.selection import FULL_TRIALS, Study
from analysis.standing import SPREADS, Place, Standing, standings
from analysis.style import DASHES, on_dark, style
from analysis.table import Column, Heading, Table, number
from nas_bench_suite.results import write_whole

HERE = Path(__file__).parent
ABLATION_BUDGET = 150
STANDING_COLUMNS = (
    "budget", "name", "label", "trials", "mean", "sd", "median", "difference", "difference_low",
    "difference_high", "p_holm", "probability_better", "paper_difference", "paper_doubt", "draws_low",
    "draws_high", "draws",
)  # fmt: skip
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
    leading = standings(material)
    charts = {
        str(standing.budget): _chart(
            f"{standing.budget:,} queries", material, [place.result for place in standing.places]
        )
        for standing in leading
    }
    ablation = material.results(ABLATION, ABLATION_BUDGET)
    charts["ablation"] = _chart(f"ablation, {ABLATION_BUDGET} queries", material, ablation)
    used = tables.results_of(tables.TABLES, study)
    surrogate = captions.on_surrogate(study.benchmark, used)
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
            surrogate=surrogate,
            headline=headline(leading),
            doubts=doubts(study, leading, surrogate),
            boards=[_board(material, standing) for standing in leading if standing.places],
            paper=published.PAPER,
            spreads=SPREADS,
            dots=DOTS,
            benchmark=captions.benchmark_words(study.benchmark, used),
            protocol=captions.protocol_words(study, used),
            trials=captions.trials_words(study, used),
            code=captions.code_words(used),
            claims=_claims(built),
            draws=[(table.name, table.full_caption, table.notes, matrices(table)) for table in over_draws],
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
                    {
                        "charts": {name: chart for name, chart in charts.items() if chart["methods"]},
                        "csv": {
                            **{table.name: table.to_csv() for table in [*built, *over_draws] if table.data},
                            **{f"standing{standing.budget}": _csv(standing) for standing in leading},
                        },
                    },
                    separators=(",", ":"),
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
    """A method in a chart; `dark` is its colour on dark ground."""

    label: str
    name: str
    color: str
    dark: str
    dash: str
    series: dict[str, Series]


class Chart(TypedDict):
    """Curves that are shown together."""

    title: str
    methods: list[Line]
    queries: str


def _chart(title: str, material: Material, results: Sequence[Result]) -> Chart:
    """Curves for the page's script: by query and by simulated hour, mean and interval, four decimals; and the
    expected rank by query."""
    lines: list[Line] = []
    ranks: Iterable[np.ndarray] = []
    if results:
        ranks = curves.expected_ranks([material.tests(result) for result in results])
    for result, rank in zip(results, ranks):
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
        at, known = curves.few_points(result.budget).astype(float), _rounded(rank, 3)
        series["rank"] = {"x": _rounded(at, 0), "m": known, "l": known, "h": known}
        lines.append(
            {
                "label": result.label,
                "name": s.name,
                "color": s.color,
                "dark": on_dark(s.color),
                "dash": DASHES[s.dash],
                "series": series,
            }
        )
    return {"title": title, "methods": lines, "queries": query_words(results)}


@dataclass(frozen=True)
class BoardLine:
    """A row of the leaderboard: what is shown, and the numbers by which it is sorted."""

    name: str
    level_with_first: bool
    spark: str
    mean: float
    median: float
    difference: float
    shown: str
    probability: float


@dataclass(frozen=True)
class Board:
    """A budget's pictures and leaderboard."""

    budget: int
    forests: list[str]
    dots: list[str]
    lines: list[BoardLine]
    draws: bool
    paper: bool


def _board(material: Material, standing: Standing) -> Board:
    places = standing.places
    sparks = sparklines(places, [material.bands(place.result)["test"] for place in places])
    return Board(
        budget=standing.budget,
        forests=[forest(standing, wide) for wide in (True, False)],
        dots=[quantile_dots(standing, wide) for wide in (True, False)],
        lines=[_board_line(place, spark) for place, spark in zip(places, sparks)],
        draws=any(place.draws is not None for place in places),
        paper=any(place.printed is not None for place in places),
    )


def _board_line(place: Place, spark: str) -> BoardLine:
    c = place.comparison
    return BoardLine(
        name=place.name,
        level_with_first=place.level_with_first,
        spark=spark,
        mean=place.sample.mean,
        median=place.sample.median,
        difference=c.difference if c else 0.0,
        shown=f"{number(c.difference, '+.3f')} {bounds(c.interval, '+.3f')}" if c else "reference",
        probability=c.probability if c else 0.5,
    )


def _csv(standing: Standing) -> str:
    """The forest plot's numbers, one line for each place."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(STANDING_COLUMNS)
    for place in standing.places:
        c, printed, band = place.comparison, place.printed, place.band
        row: list[object] = [standing.budget, place.name, place.label, place.sample.n, place.sample.mean]
        row += [place.sample.sd, place.sample.median]
        row += [c.difference, *c.interval, place.p, c.probability] if c else [""] * 5
        row += [printed.difference, printed.doubt or ""] if printed else ["", ""]
        row += [*band, len(place.draws.differences)] if band and place.draws else ["", "", ""]
        writer.writerow([format(value, ".6g") if isinstance(value, float) else value for value in row])
    return buffer.getvalue()


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
