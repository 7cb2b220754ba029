"""The closing table."""

from __future__ import annotations

import numpy as np
import pytest

from nas_bench_suite.console import print_results, row_labels
from nas_bench_suite.job import JobResult


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
    assert title == "Test error on planted, draw=3, protocol.run=mean"


def test_words_in_brackets_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_results([job("nasbot", "optimizer.weights=[a]"), job("nasbot", "optimizer.weights=[/b]", test=0.8)])
    out = capsys.readouterr().out
    # in the table, and where the files lie
    assert out.count("weights=[a]") == 2 and out.count("weights=[/b]") == 2
    assert "11.000" in out and "21.000" in out
