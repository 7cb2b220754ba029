"""The journal: a search that is cut off goes on where it stopped and ends with the same result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_bench_suite import ConfigError, Lookups, Objective, Protocol, SearchRecord, search
from nas_bench_suite.benchmarks.planted import Planted
from nas_bench_suite.journal import Journal, describe_search
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
        found = PLANTED.query(Lookups(cell, 0))
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
    with Journal(path, json.loads(path.read_text().splitlines()[0])["journal"]) as journal:
        entry = journal.entries[0, 1]
        found = journal.find(0, 1, np.array(entry["architecture"]), entry["fidelity"], entry["run"])
        assert found == (entry["validation"], entry["test"], entry["seconds"])
        for change in ({"architecture": np.array([1, *entry["architecture"]])}, {"fidelity": 7}, {"run": 3}):
            proposal = {name: entry[name] for name in ("fidelity", "run")}
            proposal["architecture"] = np.array(entry["architecture"])
            with pytest.raises(ConfigError, match="trial 0, query 1 is another proposal"):
                journal.find(0, 1, **(proposal | change))
    path.write_text("hello\n")
    with pytest.raises(ConfigError, match="is no journal: line 1 is no head"):
        run(Counted(), path)
    assert path.read_text() == "hello\n"
    with pytest.raises(ConfigError, match="cannot be opened: it is a directory"):
        run(Counted(), tmp_path)


@pytest.mark.filterwarnings("ignore:evaluation failed")
def test_reasons_of_failures_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    record = run(Counted(), path)
    entries = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    failed = [entry for entry in entries if entry["validation"] is None]
    assert len(failed) == int((record.queries["status"] == 2).sum()) > 0
    assert all(
        entry["reason"].startswith("RuntimeError: diverged (test_journal.py, line ") for entry in failed
    )
    assert not any("reason" in entry for entry in entries if entry not in failed)


@pytest.mark.parametrize(
    "protocol", [Protocol(run="mean"), Protocol(run="single_independent", cost="epochs")]
)
def test_a_table_can_be_journalled_too(tmp_path: Path, protocol: Protocol) -> None:
    path = tmp_path / "journal.jsonl"

    def make() -> RegularizedEvolution:
        return RegularizedEvolution(population=10, sample=3)

    plain = search(make(), PLANTED, protocol, **HOW)
    for _ in range(2):
        with_journal = search(make(), PLANTED, protocol, journal=path, **HOW)
        for name in plain.queries:
            np.testing.assert_array_equal(with_journal.queries[name], plain.queries[name])


def test_the_identity_holds_settings_and_function_and_outlives_a_search() -> None:
    numbers = {"budget": 10, "trials": 1, "first_trial": 0, "seed": 0}
    optimizer = RegularizedEvolution(population=5, sample=3, mutation="each", rates={"edge": 0.1})
    objective = Objective(PLANTED.space, Counted())
    before = describe_search(optimizer, objective, Protocol(), **numbers)
    assert before["settings"] | {"population": 5, "sample": 3, "rates": {"edge": 0.1}} == before["settings"]
    assert before["function"] == "tests.unit.test_journal.Counted"
    assert json.loads(json.dumps(before)) == before
    search(RegularizedEvolution(population=5, sample=3), PLANTED, **HOW)
    assert describe_search(optimizer, objective, Protocol(), **numbers) == before
    assert describe_search(optimizer, PLANTED, Protocol(), **numbers)["function"] is None
