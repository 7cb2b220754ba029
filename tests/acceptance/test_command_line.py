"""`run.py` as its users run it: what it prints, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "run.py", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
    )


def refused(*arguments: str) -> str:
    """The one sentence that a wrong command line gets."""
    done = run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and "Traceback" not in done.stderr, done.stderr
    return lines[0]


def test_main_job_prints_a_table_and_a_second_run_finds_it(tmp_path: Path) -> None:
    words = (
        "-m",
        "optimizer=random,regularized_evolution",
        "benchmark=planted",
        "budget=30",
        "trials=20",
        f"output_dir={tmp_path}",
    )
    first = run(*words)
    assert first.returncode == 0, first.stderr
    assert "regularized_" in first.stdout and "+-" in first.stdout and "95 % interval" in first.stdout
    paths = [path for path in tmp_path.rglob("*") if path.is_file() and ".multirun" not in str(path)]
    files = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}
    assert sorted(path.suffix for path in files) == [".json"] * 2 + [".parquet"] * 2 + [".yaml"] * 2
    manifest = json.loads(next(path for path in files if path.suffix == ".json").read_text())
    assert {
        "commit",
        "dirty",
        "source_hash",
        "versions",
        "host",
        "device",
        "seconds",
        "query_sha256",
        "ledger",
        "benchmark",
    } <= set(manifest)
    second = run(*words)
    assert second.returncode == 0 and second.stdout.count("found") == 2
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files} == files


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["optimizer=rndom"], "optimizer=rndom is not known (did you mean 'random'?); accepted: "),
        (["benchmark=plantd"], "benchmark=plantd is not known (did you mean 'planted'?); accepted: "),
        (
            ["bugdet=3"],
            "bugdet is not a key of this configuration (did you mean 'budget'?); accepted: budget,",
        ),
        (
            ["benchmark=planted", "budget=-3"],
            "budget=-3 is out of range; accepted: a whole number in [1, 2147483647].",
        ),
        (
            ["benchmark=planted", "budget=many"],
            "budget=many is out of range; accepted: a whole number in [1, 2147483647].",
        ),
        (["benchmark=planted", "trials=1.5"], "trials=1.5 is out of range"),
        (
            ["benchmark=planted", "protocol.run=twice"],
            "protocol.run=twice is not known; accepted: single_same, single_independent, mean.",
        ),
        (
            ["benchmark=planted", "benchmark.noise=2"],
            "benchmark.noise=2 is out of range; accepted: a number in [0, 0.05].",
        ),
        (
            ["benchmark=planted", "optimizer.batsh=2"],
            "optimizer.batsh is not a key of this configuration (did you mean 'optimizer.batch'?)",
        ),
        (
            ["benchmark=planted", "device=gpu"],
            "device=gpu is not known (did you mean 'cpu'?); accepted: cpu, cuda, mps.",
        ),
        (["budget=10,20"], "budget=10,20 holds several values; accepted: one value, or several with -m"),
        (["budget==3"], "cannot be read as an override"),
        (["--trials"], "--trials is not an option"),
        (["nosuch=thing"], "nosuch is not a key of this configuration"),
        (["benchmark=planted", "output_dir=/proc/nowhere", "trials=2"], "/proc/nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_get_one_sentence(words: list[str], expected: str) -> None:
    assert expected in refused(*words)


def test_in_a_multirun_the_other_jobs_go_on(tmp_path: Path) -> None:
    done = run(
        "-m",
        "optimizer=random,nosuch",
        "budget=0,10",
        "trials=10",
        "benchmark=planted",
        f"output_dir={tmp_path}",
    )
    assert done.returncode == 2
    assert len(list(tmp_path.rglob("*.parquet"))) == 1 and "random" in done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3 and sum("optimizer=nosuch is not known" in line for line in errors) == 2
    assert sum("budget=0 is out of range" in line for line in errors) == 1
    assert "Traceback" not in done.stderr


def test_a_method_that_crashes_does_not_take_the_other_jobs_with_it(tmp_path: Path) -> None:
    faulty = "optimizer._target_=optimizers.random_search.RandomSearch,tests.acceptance.faulty.Faulty"
    words = ("optimizer=random", "budget=10", "trials=10", "benchmark=planted", f"output_dir={tmp_path}")
    done = run("-m", faulty, *words)
    assert done.returncode == 1 and len(list(tmp_path.rglob("*.parquet"))) == 1
    assert "faulty.py" in done.stderr and "Traceback" in done.stderr
    assert "error: ZeroDivisionError: no good reason (traceback above; job: " in done.stderr.splitlines()[-1]
    alone = run(*words, "optimizer._target_=tests.acceptance.faulty.Faulty")
    assert alone.returncode == 1 and "Traceback" in alone.stderr


def test_help_is_readable_and_quick_and_the_job_can_be_shown() -> None:
    done = run("--help", timeout=20)
    assert (
        done.returncode == 0
        and "python run.py -m optimizer=remaade,random budget=150" in done.stdout
        and "trials: 500" in done.stdout
    )
    done = run("--cfg", "job", "benchmark=planted")
    assert done.returncode == 0 and "noise: 0.004" in done.stdout
