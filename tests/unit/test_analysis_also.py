"""Methods of somebody's own in tables and figures (`--also`): they move no verdict on the paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import missing, tables
from analysis.__main__ import main
from analysis.material import BY_BUDGET, Material
from analysis.result import scan
from analysis.selection import Study
from tests.unit.analysis_samples import own_settings, write_run


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for label, shift in (("random", 0.0), ("remaade", 0.001), ("tpe", 0.0005)):
        write_run(tmp_path, label, shift=shift, settings=own_settings(label))
    write_run(tmp_path, "mine", shift=0.004)
    write_run(tmp_path, "yours", shift=0.0012)
    return tmp_path


def test_they_stand_below_the_rule_and_move_no_verdict(outputs: Path) -> None:
    results = scan(outputs)
    alone = tables.TABLE3.build(Study(results, trials=20), outputs)
    both = tables.TABLE3.build(Study(results, trials=20, also=("mine", "yours")), outputs)
    names = [row.row.name for row in both.data]
    assert names[-2:] == ["mine", "yours"] and len(both.data) == len(alone.data) + 2
    assert both.verdicts == alone.verdicts
    markdown = [table.to_markdown() for table in (alone, both)]
    assert "Others (--also), against ReMAADE; Holm-corrected among themselves alone" in markdown[1]
    rows = [[line for line in text.splitlines() if line.startswith("| ReMAADE |")] for text in markdown]
    assert rows[0] == rows[1]
    (line,) = [line for line in markdown[1].splitlines() if line.startswith("| mine |")]
    assert "better" in line
    # a table of single variants has no place for them
    assert (
        tables.TABLE4.build(Study(results, trials=20, also=("mine",)), outputs).to_markdown().count("mine")
        == 0
    )


def test_they_are_in_the_curves_and_the_report(outputs: Path) -> None:
    material = Material(Study(scan(outputs), trials=20, also=("mine",)))
    assert "mine" in [result.label for result in material.results(BY_BUDGET[150], 150)]
    assert "mine" not in [result.label for result in material.results(("random", "tpe"), 150)]


def test_what_is_missing_is_run_at_the_budget_of_table_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(missing, "_python", lambda *words: commands.append(words))
    missing.run(tmp_path, "nasbench101_surrogate", 6, 0, ("mine", "yours"))
    assert {"optimizer=mine,yours", "budget=150", "trials=6"} <= set(commands[-1])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tables", "--also", "remaade"], "--also remaade is a row of the tables already"),
        (["tables", "--also", "remade"], "--also remade is not known"),
        (["compare", "--also", "mine"], "--also has no use with compare"),
        (["tables", "--config-dir", "nowhere"], "--config-dir=nowhere holds no configs"),
    ],
)
def test_wrong_labels_get_one_sentence(
    words: list[str], sentence: str, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--no-run", "--output-dir", str(outputs)]) == 2
    error = capsys.readouterr().err
    assert sentence in error and "accepted" in error and error.count("\n") == 1
