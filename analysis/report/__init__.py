"""`outputs/report/index.html`: one self-contained page. Tables with verdicts, interactive curves, protocol,
provenance, cells, checklist.

Styles, scripts and data are inside the file; nothing is fetched when it is opened.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from analysis import comparison, provenance, published, tables, verdicts
from analysis.material import ABLATION, BY_BUDGET, Material, Method, query_words
from analysis.report.cells import best_cells
from analysis.report.checklist import checklist
from analysis.runs import RunInfo
from analysis.selection import FULL_TRIALS, Study
from analysis.style import DASHES, style
from analysis.table import Table, is_panel
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
        f"{budget:,} queries": _chart(material, material.methods(labels, budget))
        for budget, labels in BY_BUDGET.items()
    }
    charts["ablation, 150 queries"] = _chart(material, material.methods(ABLATION, 150))
    used = _used(study)
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            study=study,
            full_trials=FULL_TRIALS,
            surrogate=any(info.surrogate for info in used) or study.benchmark.endswith("_surrogate"),
            benchmark=provenance.benchmark_words(study.benchmark, used),
            protocol=provenance.protocol_words(study, used),
            trials=provenance.trials_words(study),
            code=provenance.code_words(used),
            overview=_overview(built),
            tables=[_html_table(table) for table in built],
            cells=best_cells(material),
            checklist=checklist(study, used, built),
            facts=provenance.facts(used),
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


def _used(study: Study) -> list[RunInfo]:
    """The runs behind the tables, each once."""
    found: dict[str, RunInfo] = {}
    for number in (3, 4, 5, 6):
        for row in comparison.rows_of(number):
            entry = study.find(row.label, published.TABLES[number][0], row.settings)
            if entry.info is not None:
                found.setdefault(str(entry.info.run.folder), entry.info)
    for label in tables.PROTOCOL_METHODS:
        for rules, options in tables.VARIANTS.values():
            entry = study.find(label, 150, protocol=rules, options=options)
            if entry.info is not None:
                found.setdefault(str(entry.info.run.folder), entry.info)
    return list(found.values())


def _chart(material: Material, methods: list[Method]) -> dict[str, Any]:
    """Curves for the page's script: by query and by simulated hour, mean and interval, four decimals."""
    out = []
    for method in methods:
        s, found = style(method.label), material.bands(method.found)
        series = {
            kind: {
                "x": _rounded(b.x, 3),
                "m": _rounded(b.mean, 4),
                "l": _rounded(b.low, 4),
                "h": _rounded(b.high, 4),
            }
            for kind, b in found.items()
            if kind in ("test", "validation", "time_test")
        }
        out.append(
            {
                "label": method.label,
                "name": s.name,
                "color": s.color,
                "dash": DASHES[s.dash],
                "series": series,
            }
        )
    return {"methods": out, "queries": query_words(methods)}


def _rounded(values: np.ndarray, digits: int) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), digits) for value in values]


def _overview(built: list[Table]) -> list[dict[str, Any]]:
    """One line a claim of the paper: the claim, the verdict and its numbers."""
    lines: list[dict[str, Any]] = []
    for table in built:
        for verdict in table.verdicts:
            text = verdict.claim.text
            lines.append(
                {
                    "table": table.name.removeprefix("table"),
                    "claim": comparison.statement(verdict.claim),
                    "text": text,
                    "heading": not lines or lines[-1]["text"] != text,
                    "word": verdict.word,
                    "css": WORDS.get(verdict.word, "none"),
                    "numbers": comparison.evidence(verdict),
                }
            )
    return lines


def _html_table(table: Table) -> dict[str, Any]:
    """A table as the template shows it: cells with the class of their verdict."""
    rows = []
    for row in table.rows:
        if is_panel(row):
            rows.append({"panel": row["panel"], "cells": []})
            continue
        cells = []
        for column in table.columns:
            text = column.show(row)
            parts = [{"text": part, "css": _chip(part)} for part in text.split("; ")]
            cells.append(
                {"parts": parts, "align": column.align, "title": row.get("doubt") if "†" in text else None}
            )
        rows.append({"panel": None, "cells": cells, "missing": row.get("status") == "missing"})
    # What is about this table stands under it; the rules, the same for all, fold away.
    rules = (verdicts.RULE, verdicts.LEVEL_RULE, verdicts.INTERVAL_NOTE)
    return {
        "name": table.name,
        "caption": table.full_caption,
        "columns": table.columns,
        "rows": rows,
        "shown": [note for note in table.notes if note not in rules],
        "folded": [note for note in table.notes if note in rules],
    }


def _title(table: Table) -> str:
    return table.title.partition(".")[0]


def _chip(text: str) -> str:
    """Class of the chip of a verdict word (`holds`, `holds (a)`), empty for any other text."""
    return next((name for word, name in WORDS.items() if text == word or text.startswith(f"{word} (")), "")
