"""The tables of a paper: narrow, with short captions, and nothing said twice."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from analysis import latex, tables
from analysis.paper import CAPTION_LINES, MOST_COLUMNS, column_tables, notes, write_paper
from analysis.result import scan
from analysis.selection import Study
from analysis.table import Table
from tests.unit.analysis_samples import own_settings, write_run

SHIFTS = {
    "random": 0.0, "remaade": 0.004, "tpe": 0.0005, "regularized_evolution": 0.002, "reinforce_made": 0.001,
    "nasbot_as_run": 0.0041, "reinforce": 0.0, "remaade_ppo": 0.002, "remaade_tuned": 0.004,
    "reinforce_made_tuned": 0.003, "regularized_evolution_small": 0.002,
}  # fmt: skip
# Says in the log how many lines each caption has.
COUNT = r"""\makeatletter
\long\def\@makecaption#1#2{\setbox0\vbox{\hsize\columnwidth\noindent#1: #2\par\xdef\lines{\the\prevgraf}}%
\typeout{CAPTION \lines}\box0}
\makeatother
\begin{document}"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("outputs")
    for label, shift in SHIFTS.items():
        for draw in (0, 1, 2) if label in ("random", "remaade", "tpe") else (0,):
            options = {"edge_limit": "pruned"} | ({"draw": draw} if draw else {})
            write_run(folder, label, shift=shift, settings=own_settings(label), options=options)
    write_run(
        folder, "tpe", shift=0.001, settings=own_settings("tpe"), protocol={"run": "single_independent"}
    )
    return Study(scan(folder), trials=20)


def test_a_table_has_at_most_five_columns(study: Study, tmp_path: Path) -> None:
    table = next(table for table in tables.build_all(study, tmp_path) if table.name == "table3")
    (narrow,) = column_tables(table, study, True)
    assert len(narrow.header) == len(narrow.align) <= MOST_COLUMNS
    rows = {row[0]: row for row in narrow.rows if isinstance(row, tuple)}
    assert set(rows) == {
        "TPE", "Random Search", "Reg Evolution", "ReMAADE", "Reg Evolution (population 30)",
        "NASBOT, distance as commonly run",
    }  # fmt: skip
    assert rows["ReMAADE"][3] == "reference" and "±" in rows["TPE"][3]
    assert rows["Random Search"][1] == "6.36†" and rows["Random Search"][4] in ("holds", "open")
    bold = {narrow.rows[i][0] for i, j in narrow.bold}  # type: ignore[index]
    assert {"ReMAADE", "NASBOT, distance as commonly run"} <= bold  # the best, and one not resolved from it
    assert not {"Random Search", "TPE"} & bold
    text = narrow.to_tex()
    assert "surrogate" in narrow.caption and narrow.caption.startswith("DRAFT. ")
    assert text.count(r"\textbf{") == len(bold) and "_" not in text.replace("tab:table3", "")


def test_nothing_is_said_twice(study: Study, tmp_path: Path) -> None:
    text = notes(tables.build_all(study, tmp_path))
    paragraphs = [line for line in re.split(r"\\par\s", text) if len(line) > 80]
    assert len(paragraphs) == len(set(paragraphs)) > 8
    assert text.count("Holm-corrected over all") == 1 and "Missing" not in text


def test_a_table_without_results_is_left_out() -> None:
    empty: Table[object] = Table("table9", "Table 9.", "", [], [])  # type: ignore[type-var]
    assert column_tables(empty, Study([]), False) == []


def test_boxes_that_are_too_wide_are_named() -> None:
    log = "(./table3.tex\nOverfull \\hbox (12.5pt too wide) in paragraph at lines 5--18\n"
    assert latex.too_wide(log) == ["table3.tex 12.5 pt in paragraph at lines 5--18"]
    assert latex.too_wide(log.replace("12.5", "0.4")) == []


def test_a_column_holds_every_table(study: Study, tmp_path: Path) -> None:
    if latex.pdflatex() is None:
        pytest.skip("pdflatex is not installed; to run this: apt-get install texlive-latex-recommended")
    (tmp_path / "complexity").mkdir()
    counts = [
        f"{p},{n},{d},{n * d * d}"
        for p in ("maade", "nade", "made", "lstm")
        for n in (26, 52, 104)
        for d in (36, 72)
    ]
    (tmp_path / "complexity" / "table2.csv").write_text(
        "\n".join(["policy,N,d,context_parameters", *counts]) + "\n"
    )
    said = write_paper(study, tmp_path)  # no complaint, as no box is too wide, but what is missing
    assert said and all(": Missing, " in line or "is not drawn" in line for line in said), said
    folder = tmp_path / "paper"
    assert (folder / "paper.pdf").stat().st_size > 10_000
    names = {path.stem for path in folder.glob("*.tex")}
    assert {"table2", "table3", "table4", "protocol-runs", "verdicts150", "notes", "paper"} <= names
    counted = (folder / "paper.tex").read_text().replace(r"\begin{document}", COUNT)
    (folder / "counted.tex").write_text(counted)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "counted.tex"], cwd=folder, capture_output=True, text=True
    )
    lines = [int(n) for n in re.findall(r"CAPTION (\d+)", done.stdout)]
    figures = len(list(folder.glob("*.png")))
    assert figures == 3 and len(lines) == len(names) - 2 + figures
    assert 1 <= min(lines) <= max(lines) <= CAPTION_LINES
