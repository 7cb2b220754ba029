"""`python -m analysis` as its users run it: tables, figures and the report of a small real study, damaged
files, the page in a browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.__main__ import main
from tests.unit.analysis_samples import edit_manifest

ROOT = Path(__file__).parents[2]
METHODS = ("random", "regularized_evolution", "tpe")
TRIALS = "6"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three methods at 150 queries, six trials in blocks of three."""
    folder = tmp_path_factory.mktemp("study") / "outputs"
    words = (
        "-m",
        f"optimizer={','.join(METHODS)}",
        f"trials={TRIALS}",
        "trials_per_block=3",
        f"output_dir={folder}",
    )
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", *words], capture_output=True, text=True, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(study: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(study, tmp_path / "outputs"))


def build(what: str, folder: Path, *more: str) -> int:
    return main([what, "--output-dir", str(folder), "--trials", TRIALS, "--no-run", *more])


def test_tables_say_what_they_rest_on_and_what_is_missing(study: Path) -> None:
    words = ("-m", "analysis", "tables", "--output-dir", str(study), "--trials", TRIALS, "--no-run")
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "table3: 3 of 12 rows" in done.stdout and "(draft, 6 of 500 trials)" in done.stdout
    assert "table3: Missing, no result: BOHB; Alpha X; NASBOT; ReMAADE; BANANAS; Local search;" in done.stderr
    files = {path.name for path in (study / "tables").iterdir()}
    assert {
        f"{name}.{end}"
        for name in ("table2", "table3", "table4", "table5", "table6", "protocol")
        for end in ("tex", "md", "csv")
    } <= files
    commit = (
        subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()[
            :8
        ]
        or "unknown"
    )
    for name in ("table3.tex", "table3.md", "table3.csv"):
        text = (study / "tables" / name).read_text()
        for words_of_caption in ("DRAFT", "surrogate", "invalid strings are not", "6 trials", commit):
            assert words_of_caption in text, (name, words_of_caption)
        assert "nan" not in re.sub(r"[Bb]anana\w*", "", text.lower())
    markdown = (study / "tables" / "table3.md").read_text()
    assert (
        "Claims are tested over independent trials" in markdown
        and "† BANANAS: below every other report" in markdown
    )


def test_the_level_of_a_row_is_the_mean_of_the_result_files(study: Path) -> None:
    import csv

    import pyarrow.parquet as pq

    assert build("tables", study) == 0
    with open(study / "tables" / "table3.csv", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["label"] == "tpe")
    final = []
    for path in sorted((study / "nasbench101_surrogate" / "tpe").glob("*/trials-*.parquet")):
        queries = pq.read_table(path).to_pandas()
        for _, trial in queries.groupby("trial"):
            final.append(100 * (1 - trial["test"].to_numpy()[np.argmax(trial["validation"].to_numpy())]))
    assert len(final) == int(row["trials"]) == 6
    assert float(row["mean"]) == pytest.approx(np.mean(final), rel=1e-5) and float(
        row["sd"]
    ) == pytest.approx(np.std(final, ddof=1), rel=1e-4)


def test_figures_are_drawn_or_named(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from matplotlib.image import imread

    stale = study / "figures" / "orderings.png"
    stale.parent.mkdir()
    stale.write_bytes(b"of another study")
    assert build("figures", study) == 0
    printed = capsys.readouterr()
    assert "9 figures, each as PNG and PDF" in printed.out
    assert "figure orderings is not drawn: no results for it yet." in printed.err and not stale.exists()
    for path in (study / "figures").glob("*.png"):
        assert path.with_suffix(".pdf").stat().st_size > 5_000
        pixels = imread(path)[..., :3]
        assert pixels.std() > 0.03
        # Nothing is cut off: the border of every figure is blank, but for axes that end there.
        assert (pixels[-1] == 1).all() and (pixels[:, 0] == 1).all(), path.name


def test_each_wrong_file_is_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def blocks(label: str) -> list[Path]:
        return sorted(copy.glob(f"nasbench101_surrogate/{label}/*/trials-*.parquet"))

    removed, cut, foreign = blocks("random")[1], blocks("tpe")[0], blocks("regularized_evolution")[1]
    removed.unlink()
    cut.write_bytes(cut.read_bytes()[:1000])
    edit_manifest(foreign.with_suffix(".json"), {"options": {"name": "planted"}})
    moved = copy / "planted" / "random" / blocks("random")[0].parent.name
    shutil.copytree(blocks("random")[0].parent, moved)
    assert build("tables", copy) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    expected = {
        removed: "is missing (its manifest is there, so it was removed or never finished); run the job "
        "again.",
        cut: "is damaged: its 1000 bytes do not match its manifest (cut short, or from elsewhere); remove it "
        "and run the job again.",
        foreign: "was made on benchmark=planted; accepted there: nasbench101_surrogate. Remove it and its "
        "manifest, and run the job again.",
        moved: "holds results of optimizer=random on benchmark=nasbench101_surrogate; accepted there: "
        "optimizer=random on benchmark=planted.",
    }
    for path, sentence in expected.items():
        assert sum(str(path) in line and sentence in line for line in errors) == 1, "\n".join(
            [str(path), *errors]
        )
    table = (copy / "tables" / "table3.md").read_text()
    assert (
        "Missing, incomplete, 3 of 6 trials (without trials 3 to 5): Random Search; Reg Evolution." in table
    )
    assert "Missing, incomplete, 3 of 6 trials (without trials 0 to 2): TPE." in table


def test_a_draft_and_a_full_study_are_never_one(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "outputs"
    shutil.copytree(study / "nasbench101_surrogate", folder / "nasbench101_surrogate")
    assert main(["tables", "--output-dir", str(folder), "--no-run"]) == 0
    assert "table3: 0 of 12 rows" in capsys.readouterr().out
    full = (folder / "tables" / "table3.md").read_text()
    assert (
        "DRAFT" not in full
        and "Missing, incomplete, 6 of 500 trials (without trials 6 to 499): TPE; Random Search; Reg "
        "Evolution"
        in full
    )


def test_what_is_missing_is_run(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis import missing, tables
    from analysis.result import scan
    from analysis.selection import Study
    from nas_bench_suite import experiments

    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(missing, "_python", lambda *words: commands.append(words))
    missing.run(tmp_path / "empty", "nasbench101_surrogate", 6, 0)
    assert commands[0][:2] == ("-m", "optimizers.reinforce.policies.complexity")
    assert [words[2] for words in commands[1:]] == [
        f"+experiment={name}" for name in ("table3", "table4", "table6", "table5", "protocol")
    ]
    assert {"trials=6", "seed=0", f"output_dir={(tmp_path / 'empty').resolve()}"} <= set(commands[1])
    have = Study(scan(study), trials=6)
    # with no other methods than these, tables 3 and 4 lack nothing, and table 6 can lack nothing
    monkeypatch.setattr(experiments, "names", lambda group, conf=None: sorted(METHODS))
    monkeypatch.setattr(experiments, "members", lambda name: [table.name for table in tables.TABLES])
    assert missing.needed(have) == ["table5", "protocol"]


def test_wrong_options_get_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "--output-dir", str(tmp_path / "nowhere"), "--no-run"]) == 2
    assert capsys.readouterr().err == (
        f"error: output_dir={tmp_path / 'nowhere'} is no folder; accepted: a folder with results, as `python "
        "run.py` writes them.\n"
    )
    assert main(["tables", "--output-dir", str(tmp_path), "--trials", "1"]) == 2
    assert (
        capsys.readouterr().err
        == "error: --trials=1 is out of range; accepted: a whole number in [2, 2147483647].\n"
    )


def test_the_plot_of_the_page(study: Path, tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "analysis.md").read_text(), re.S)
    assert code
    (tmp_path / "outputs").symlink_to(study)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr
    assert "regularized_evolution" in done.stdout and (tmp_path / "mine.png").stat().st_size > 5_000
