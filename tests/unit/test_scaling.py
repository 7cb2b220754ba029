"""The scaling study: what it asks for, its numbers from result files, its figure, and what is said when
something is missing."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.result import scan
from nas_bench_suite.job import run_job
from studies.scaling import __main__ as scaling
from studies.scaling import measure
from studies.scaling.costs import BATCH, costs_file, read_costs
from studies.scaling.jobs import POLICIES, jobs
from studies.scaling.table import exponent
from tests.laws.collect import composed

TRIALS = 10


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two N, two methods, and what the policies cost there."""
    folder = tmp_path_factory.mktemp("scaling")
    for n in (26, 50):
        for label in ("random", "remaade"):
            changes = (
                f"benchmark.variables={n}",
                f"optimizer={label}",
                "budget=300",
                f"trials={TRIALS}",
                f"output_dir={folder}",
            )
            run_job(composed("benchmark=large", *changes), label, "large")
    measure.main(["--output-dir", str(folder), "--variables", "26", "50", "--policies", "maade", "nade"])
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    with open(folder / "figures" / "scaling.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_experiment_covers_the_family() -> None:
    wanted = jobs()
    assert {job.variables for job in wanted} == set(measure.VARIABLES)
    assert {job.label for job in wanted} == {"random", *POLICIES}
    assert len(wanted) == len(set(wanted)) == 24  # MADE at N = 500 takes about 16 GB a trial
    assert all(job.trials >= 50 for job in wanted if (job.label, job.variables) != ("reinforce_made", 200))
    assert all(job.trials == min(3, job.trials) for job in jobs(3))
    assert {job.variables for job in jobs(variables=[26])} == {26}
    assert {label: policy for policy, label in measure.LABELS.items()} == POLICIES
    assert all(composed(f"optimizer={label}")["optimizer"]["batch_size"] == BATCH for label in POLICIES)


def test_figure_and_numbers(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--output-dir",
        str(outputs),
        "--no-run",
        "--trials",
        str(TRIALS),
        "--variables",
        "26",
        "50",
    ]
    assert scaling.main(words) == 0
    said = capsys.readouterr().err
    assert "note: REINFORCE with MADE at N = 50: no result" in said and "ReMAADE at N = 26" not in said
    for ending, begins in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert (outputs / "figures" / f"scaling.{ending}").read_bytes().startswith(begins)
    found = {(row["optimizer"], int(row["N"])): row for row in rows(outputs)}
    assert set(found) == {(label, n) for label in ("random", "remaade") for n in (26, 50)}
    for info in scan(outputs):
        row = found[info.label, info.config["benchmark"]["variables"]]
        regret = 100 * (0.894 - info.ledger["incumbent_test_mean"])
        assert (
            float(row["regret_points"]) == pytest.approx(regret.mean(), rel=1e-4)
            and int(row["trials"]) == TRIALS
        )
        assert (
            float(row["regret_low"]) < regret.mean() < float(row["regret_high"]) and (regret >= -1e-9).all()
        )
    assert found["remaade", 26]["context_parameters"] == found["remaade", 50]["context_parameters"] == "5292"
    assert (
        found["random", 26]["context_parameters"] == ""
        and int(found["random", 26]["shared_trials"]) == TRIALS
    )
    difference = float(found["random", 26]["regret_points"]) - float(found["remaade", 26]["regret_points"])
    assert float(found["random", 26]["minus_remaade_points"]) == pytest.approx(difference, abs=1e-3)


def test_costs_are_read_as_written(outputs: Path) -> None:
    found = read_costs(costs_file(outputs))
    assert set(found) == {(policy, n) for policy in ("maade", "nade") for n in (26, 50)}
    nade = found["nade", 50]
    assert (
        nade.context_parameters == 50 * 36**2 + 36 < nade.all_parameters
        and nade.start_seconds >= 0 < nade.batch_seconds
    )
    assert nade.seconds(300) == pytest.approx(nade.start_seconds + 10 * nade.batch_seconds)
    assert nade.seconds(301) == pytest.approx(nade.start_seconds + 11 * nade.batch_seconds)


def test_only_what_is_missing_is_run(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(scaling, "_python", lambda *words: ran.append(words))
    there = [job for job in jobs(TRIALS, [26, 50]) if job.label in ("random", "remaade")]
    scaling.run_missing(outputs, there, 0, TRIALS, [26, 50])
    assert not ran
    scaling.run_missing(outputs, jobs(TRIALS, [50, 100]), 0, TRIALS, [50, 100])
    costs_words, *ran_jobs = ran
    assert costs_words[:2] == ("-m", "studies.scaling.measure") and costs_words[-3:] == ("26", "50", "100")
    assert len(ran_jobs) == 2 and all("seed=0" in words and f"trials={TRIALS}" in words for words in ran_jobs)
    assert {word for words in ran_jobs for word in words if word.startswith("benchmark.variables=")} == {
        "benchmark.variables=50,100"
    }
    ran.clear()
    scaling.run_missing(outputs, jobs(), 0, None, None)
    assert ran[1][:3] == ("run.py", "-m", "+experiment=scaling")


def test_exponents() -> None:
    n = np.array([26, 50, 100, 200, 500])
    assert exponent(n, 3.0 * n**2) == pytest.approx(2) and exponent(n, np.full(5, 7.0)) == pytest.approx(0)
    assert np.isnan(exponent(n[:1], n[:1])) and exponent(n, [*n[:4], np.nan]) == pytest.approx(1)


def test_what_is_too_large_is_counted_and_not_run() -> None:
    row = measure.measure("made", 500, 1)
    assert (
        row["context_parameters"] == 2 * (500 * 36) ** 2 + 2 * 500 * 36
        and np.isnan(row["batch_seconds"])
        and row["timed_trials"] == 0
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--trials", "1"], r"--trials=1 is out of range; accepted: a whole number of at least 2\."),
        (["--variables", "27"], r"--variables=27 is not of the study; accepted: 26, 50, 100, 200, 500\."),
        (
            ["--no-run"],
            r"has no result of the scaling study; to make them: python run\.py -m \+experiment=scaling\.",
        ),
    ],
)
def test_wrong_use_gets_one_sentence(
    tmp_path: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scaling.main(["--output-dir", str(tmp_path), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert re.search(sentence, said)


def test_costs_that_nobody_measured_are_named(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "large").symlink_to(outputs / "large")
    assert (
        scaling.main(
            ["--output-dir", str(tmp_path), "--no-run", "--trials", str(TRIALS), "--variables", "26"]
        )
        == 2
    )
    assert "python -m studies.scaling.measure --output-dir" in capsys.readouterr().err
    assert not (tmp_path / "figures").exists()
