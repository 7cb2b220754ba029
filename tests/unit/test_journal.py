"""The journal: a search that is cut off goes on where it stopped and ends with the same result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_bench_suite import ConfigError, Objective, Protocol, SearchRecord, search
from nas_bench_suite.benchmarks.planted import Planted
from optimizers.regularized_evolution import RegularizedEvolution

PLANTED = Planted()
HOW: dict[str, Any] = {"budget": 40, "trials": 3, "seed": 2}


class Counted:
    """The planted accuracy as a user's function that counts its calls, fails on some cells and may be cut
    off."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.calls, self.stop_after = 0, stop_after

    def __call__(self, architecture: np.ndarray) -> tuple[float, float]:
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        cell = PLANTED.space.cell_id(architecture)
        if cell % 7 == 0:
            raise RuntimeError("diverged")
        found = PLANTED.query(cell, 0)
        return float(found.validation), float(found.test)


def run(function: Counted, journal: Path | None, **changes: Any) -> SearchRecord:
    return search(
        RegularizedEvolution(population=10, sample=3),
        Objective(PLANTED.space, function),
        journal=journal,
        **(HOW | changes),
    )


@pytest.mark.filterwarnings("ignore:evaluation failed")
def test_cut_off_and_resumed_equals_undisturbed(tmp_path: Path) -> None:
    undisturbed = run(Counted(), None)
    assert (undisturbed.queries["status"] == 2).any(), "some evaluations fail, and are recorded as failures"
    path = tmp_path / "journal.jsonl"
    for stop in (0, 13, 30):
        with pytest.raises(KeyboardInterrupt):
            run(Counted(stop), path)
    with open(path, "ab") as file:
        file.write(b'{"trial": 0, "que')  # a crash in the middle of a write
    rest = Counted()
    resumed = run(rest, path)
    assert rest.calls == 120 - 43
    for name in ("cell_id", "validation", "test", "status", "spent"):
        np.testing.assert_array_equal(resumed.queries[name], undisturbed.queries[name])
    again = Counted()
    run(again, path)
    assert again.calls == 0


def test_another_search_or_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    run(Counted(), path)
    with pytest.raises(ConfigError, match=r"belongs to another search \(its budget differs\)"):
        run(Counted(), path, budget=41)
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([lines[0], lines[1].replace('"architecture": [', '"architecture": [1, '), *lines[2:]])
        + "\n"
    )
    with pytest.raises(ConfigError, match="trial 0, query 1 is another proposal"):
        run(Counted(), path)
    path.write_text("hello\n")
    with pytest.raises(ConfigError, match="line 1, is no journal entry"):
        run(Counted(), path)
    with pytest.raises(ConfigError, match="cannot be opened"):
        run(Counted(), tmp_path)


@pytest.mark.parametrize(
    "protocol", [Protocol(run="mean"), Protocol(run="single_independent", cost="epochs")]
)
def test_a_table_can_be_journalled_too(tmp_path: Path, protocol: Protocol) -> None:
    path = tmp_path / "journal.jsonl"
    make = lambda: RegularizedEvolution(population=10, sample=3)  # noqa: E731
    plain = search(make(), PLANTED, protocol, **HOW)
    for _ in range(2):
        with_journal = search(make(), PLANTED, protocol, journal=path, **HOW)
        for name in plain.queries:
            np.testing.assert_array_equal(with_journal.queries[name], plain.queries[name])


def test_workers_give_the_same_result(tmp_path: Path) -> None:
    one = search(
        RegularizedEvolution(population=10, sample=3),
        Objective(PLANTED.space, score),
        budget=20,
        trials=2,
        seed=0,
    )
    two = search(
        RegularizedEvolution(population=10, sample=3),
        Objective(PLANTED.space, score, workers=2),
        budget=20,
        trials=2,
        seed=0,
    )
    np.testing.assert_array_equal(one.queries["validation"], two.queries["validation"])


def score(architecture: np.ndarray) -> float:
    return float(architecture.sum()) / 20
