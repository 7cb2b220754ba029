"""Each study says truly where its searches stand, what its command is and which page it makes; tables of
small results."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from analysis.__main__ import main as analyse
from analysis.result import scan
from analysis.selection import Study
from analysis.tables import build_all, write_all
from analysis.verdicts import RULE
from nas_bench_suite import experiments
from nas_bench_suite.job import run_job
from studies import defaults, markdown, results_page, small_effects
from studies.__main__ import main as list_studies
from studies.__main__ import studies
from studies.defaults.__main__ import build as build_defaults
from studies.defaults.table import step_sizes, table
from studies.results import read_results
from studies.results_page.__main__ import main as make_results_page
from studies.small_effects.__main__ import build as build_small_effects
from tests.laws.collect import composed
from tests.unit.analysis_samples import own_settings, write_run

ROOT = Path(__file__).parents[2]
TRIALS = 12


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ReMAADE at three step sizes, and with other attention."""
    folder = tmp_path_factory.mktemp("defaults")
    settings = [f"optimizer.learning_rate={rate}" for rate in (0.003, 0.01, 0.03)]
    for setting in [*settings, "optimizer.attention=dot_product"]:
        words = ("optimizer=remaade", setting, "budget=150", f"trials={TRIALS}", f"output_dir={folder}")
        run_job(composed(*words), "remaade", "nasbench101_surrogate")
    return folder


@pytest.mark.parametrize("name", studies())
def test_a_study_names_what_exists(name: str) -> None:
    study = studies()[name]
    target = re.fullmatch(r"make (\w+)", study.experiment)
    if target:
        assert f"\n{target[1]}:" in (ROOT / "Makefile").read_text()
    elif study.experiment != "its own searches":
        assert experiments.products(study.experiment)
    module = study.command.split()[2]
    assert study.command.startswith("python -m studies.") and importlib.util.find_spec(module)
    pages = list(ROOT.glob(study.page))
    assert pages
    text = importlib.import_module(f"studies.{name}").__doc__
    assert text is not None and study.command in text
    if name != "results_page":  # which is written whole by `make tables` and this command
        command = f"python -m studies.{name}" if name != "scaling" else "make scaling"
        assert any(command in page.read_text() for page in pages), command


def test_the_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    list_studies()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(studies()) == 10
    for study, line in zip(studies().values(), lines[1:]):
        assert re.split(r" {2,}", line) == list(study)


def test_defaults(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (group,) = table(read_results(outputs, defaults.STUDY.experiment))
    assert (group.label, group.budget, group.rules) == ("remaade", 150, ())
    own, *others = group.settings
    assert not own.differs and own.against is None
    assert [setting.differs for setting in others] == [
        ("attention=dot_product",),
        ("learning_rate=0.003",),
        ("learning_rate=0.03",),
    ]
    for setting in others:
        assert setting.described.n == TRIALS and setting.against is not None
        difference = setting.described.mean - own.described.mean
        assert setting.against.difference == pytest.approx(difference)
    assert [rate for rate, _ in step_sizes([group])["remaade"]] == [0.003, 0.01, 0.03]
    build_defaults(outputs, tmp_path)
    said = capsys.readouterr().out
    assert "**`remaade`**, 150 queries" in said and "| `attention=dot_product` | " in said
    assert (tmp_path / "defaults.png").read_bytes().startswith(b"\x89PNG")


def test_small_effects(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert small_effects.STUDY.experiment in experiments.names("experiment")
    build_small_effects(outputs, tmp_path)
    claims, levels = capsys.readouterr().out.split("\n\n")
    assert len(claims.splitlines()) == 2 + 12
    (found,) = [line for line in claims.splitlines() if "additive attention" in line]
    assert "missing" not in found and claims.count("| missing |") == 11
    assert len(levels.splitlines()) == 2 + 4 and "`remaade learning_rate=0.03` | 12 |" in levels


def test_the_results_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(tmp_path), "--pages", str(tmp_path)]
    assert make_results_page(words) == 2
    assert "table2.md is missing; to make it: make tables" in capsys.readouterr().err
    assert results_page.__doc__ and not list(tmp_path.glob("*.md"))
    outputs = tmp_path / "outputs"
    for label, shift in (("random", 0.0), ("remaade", 0.005)):
        for draw in range(2):
            options = {"edge_limit": "pruned"} | ({"draw": draw} if draw else {})
            write_run(outputs, label, shift=shift, options=options, settings=own_settings(label))
    built = build_all(Study(scan(outputs), trials=20), outputs)
    write_all(built, tmp_path / "tables")
    analyse(["verdicts", "--output-dir", str(outputs), "--trials", "20"])
    for path in (outputs / "tables").iterdir():
        path.rename(tmp_path / "tables" / path.name)
    assert make_results_page(words) == 0
    whole, short = ((tmp_path / name).read_text() for name in ("tables.md", "results.md"))
    headings = ["Table"] * 5 + ["Protocol", "Claims", "Notes"]
    assert re.findall(r"^## (\w+)", whole, re.M) == headings
    assert whole.count(RULE) == 0 and " ".join(whole.split()).count(RULE) == 1
    assert re.findall(r"^## (\w+)", short, re.M) == ["Table"] * 4 + ["The"]
    (line,) = re.findall(r"^\| ReMAADE \| 6.15 \|.*reference.*$", short.split("## Table 4")[0], re.M)
    level = built[1].records()
    mean = next(row["mean"] for row in level if row["name"] == "ReMAADE")
    assert f"| {mean:.3f} ± " in line
    assert "20 trials of each row; 10 rows missing." in short
    assert short.count("No row has results of its present configuration yet.") == 2  # at 3,200 queries
    assert re.search(r"^\| 3: ReMAADE better than Random Search \| holds, .* 2 of 2 \| holds, ", short, re.M)
    assert max(len(row) for row in short.splitlines() if not row.startswith("|")) <= 110


def test_no_results_get_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from studies import command

    words = [str(tmp_path)]
    assert command.run("defaults", build_defaults, arguments=words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "to make them: python run.py -m +experiment=defaults output_dir=" in said


def test_markdown() -> None:
    assert markdown.table(("", "b"), [("1", ""), ("3", "4")], right=True) == (
        "| | b |\n|---|---:|\n| 1 | |\n| 3 | 4 |"
    )
