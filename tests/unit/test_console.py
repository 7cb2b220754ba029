"""The closing table, and what is shown while jobs run."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
from pathlib import Path

import numpy as np
import pytest

from nas_bench_suite import progress as progress_lines
from nas_bench_suite.console import difference, folded, print_results, row_labels, summary
from nas_bench_suite.job import JobResult
from nas_bench_suite.progress import JobProgress, Sweep


def job(label: str, *overrides: str, benchmark: str = "planted", test: float = 0.9) -> JobResult:
    ledger = {
        "incumbent_test": np.array([test, test - 0.02]),
        "trial": np.arange(2),
        "unique_cells": np.array([3.0, 4.0]),
    }
    return JobResult(label, benchmark, 10, f"out/{label}", ledger, overrides=overrides)


def test_rows_are_told_apart_by_what_differs_between_them() -> None:
    shared = "seed=7"
    jobs = [
        job("remaade", shared, "optimizer.learning_rate=0.1"),
        job("remaade", shared),
        job("random", shared, "protocol=mean_of_runs"),
    ]
    assert row_labels(jobs) == ["remaade learning_rate=0.1", "remaade", "random protocol=mean_of_runs"]
    assert row_labels([job("remaade", "optimizer.learning_rate=0.1")]) == ["remaade"]
    two = [
        job("random", "benchmark.dataset=cora"),
        job("random", "benchmark.dataset=cora", benchmark="nas_bench_graph"),
    ]
    assert row_labels(two) == ["random on planted", "random on nas_bench_graph"]
    assert row_labels([]) == []


def test_the_title_has_the_conditions_that_all_rows_share(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("benchmark.draw=3", "protocol.run=mean", "benchmark.path=/long/way", "seed=7")
    print_results([job("random", *words), job("remaade", *words)])
    title = capsys.readouterr().out.splitlines()[0].strip()
    assert title == "Test error on planted, draw=3, protocol.run=mean, 10 queries, 2 trials"


def test_words_in_brackets_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_results([job("nasbot", "optimizer.weights=[a]"), job("nasbot", "optimizer.weights=[/b]", test=0.8)])
    out = capsys.readouterr().out
    assert out.count("[a]") == out.count("[/b]") == 1 and out.count("weights=") == 2
    assert "11.000" in out and "21.000" in out


def several(label: str, errors: list[float], *overrides: str, benchmark: str = "planted") -> JobResult:
    ledger = {"incumbent_test": 1 - np.array(errors) / 100, "trial": np.arange(len(errors))}
    return JobResult(label, benchmark, 150, f"out/{benchmark}/{label}/150-a", ledger, overrides=overrides)


def test_the_table_reads_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a_method_with_a_very_long_name_of_its_own"
    print_results(
        [
            several("random", [6.0, 6.2, 6.4]),
            several(name, [5.0, 5.2, 5.4], "optimizer.learning_rate=0.02"),
            several("tpe", [7.0, 7.0, 7.0]),
        ]
    )
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    rows = [line.split()[0] for line in out.splitlines() if "+-" in line][1:]
    assert rows == ["a_method_with_a_very_", "random", "tpe"]  # sorted
    assert "*5.200 +- 0.200" in out and out.count("*") == 2  # the best, and what the sign means
    assert "less random" in out and "reference" in out and "-1.000 +- 0.453" in out
    assert out.splitlines()[-1] == "results: out/planted"
    assert "".join(out.split()).count("learning_rate=0.02") == 1


def test_groups_have_their_own_reference(capsys: pytest.CaptureFixture[str]) -> None:
    print_results(
        [
            several(label, [level, level + 1, level + 2], benchmark=benchmark)
            for benchmark in ("planted", "large")
            for label, level in (("random", 6.0), ("tpe", 5.0 if benchmark == "planted" else 7.0))
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert "planted" in lines and "large" in lines  # headings
    assert sum("reference" in line for line in lines) == 2
    assert [line.split()[0] for line in lines if "*" in line][:2] == ["tpe", "random"]


def test_one_run_that_did_not_train_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [*np.linspace(6, 6.4, 99), 90.0]
    print_results([several("random", errors), several("tpe", errors[:-1])])
    out = " ".join(capsys.readouterr().out.split())
    assert "!7.038" in out
    assert (
        "! random: 1 trial(s) ended on a run that did not train; the median is 6.202, the worst 90.0" in out
    )
    assert "! tpe" not in out


def test_the_difference_is_welchs() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    x, y = rng.normal(6, 0.2, 30), rng.normal(6.1, 0.5, 20)
    found = difference(summary(several("a", x.tolist())), summary(several("b", y.tolist())))
    low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    assert found == pytest.approx((x.mean() - y.mean(), (high - low) / 2))
    assert difference(summary(several("a", [1.0])), summary(several("b", [1.0, 2.0]))) is None


def test_names_are_folded_where_they_may_be() -> None:
    assert folded("regularized_evolution_small", 17) == ["regularized_", "  evolution_small"]
    assert folded("random", 17) == ["random"]
    assert all(len(line) <= 12 for line in folded("abcdefghijklmnopqrstuvwxyz", 12))


def test_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with JobProgress("random", 120) as progress:
        progress(50, 150)
    assert capsys.readouterr().err == ""  # a short job is silent
    monkeypatch.setattr(progress_lines, "FIRST", 0.0)
    with Sweep(True) as sweep:
        sweep.expect(53)
        with JobProgress("random", 120, 30) as progress:
            progress(50, 150)
            progress(60, 150)  # too soon after
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("job 31 of 53, random: 50 of 150 trials (whole blocks; 120 asked for), about 0:0")
    with Sweep(False) as sweep:  # a launcher's processes say when a job has ended
        sweep.expect(2)
        monkeypatch.setattr(progress_lines, "_sweep", None)
        with JobProgress("random", 120, 1) as progress:
            progress(150, 150)
    assert capsys.readouterr().err == "job 2 of 2, random: done in 0:00\n"


def test_a_sweep_leaves_nothing_behind() -> None:
    before = dict(os.environ)
    waiting = Sweep(False)
    waiting.expect(3)  # jobs may be listed without being run
    assert dict(os.environ) == before
    with waiting:
        waiting.expect(1)
        assert dict(os.environ) != before
    assert dict(os.environ) == before


SHOWN = """
from nas_bench_suite.progress import JobProgress, Sweep
with Sweep(True) as sweep:
    sweep.expect(3)
    for job in range(2):
        with JobProgress("remaade", 120, job) as progress:
            for done in (0, 75, 150):
                progress(done, 150)
"""


def test_two_lines_on_a_terminal() -> None:
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        os.chdir(Path(__file__).parents[2])
        os.execv(sys.executable, [sys.executable, "-c", SHOWN])
    out = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        out += piece
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0
    text = out.decode()
    assert "job 1 of 3" in text and "job 2 of 3" in text and "/150 trials" in text and "left" in text
    assert max(len(part) for part in text.replace("\x1b[A", "\r").split("\r")) <= 81
