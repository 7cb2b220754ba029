"""Spaces and objectives of one's own: dictionaries in and out, losses, workers that are kept busy, journals
that are followed, repaired and extended."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_bench_suite import (
    CategoricalSpace,
    ConfigError,
    Lookups,
    Objective,
    Optimizer,
    Protocol,
    SearchRecord,
    grid,
    search,
)
from nas_bench_suite.benchmarks.tabular import tabular
from nas_bench_suite.journal import read_journal
from nas_bench_suite.status import Status
from optimizers.bananas import Bananas
from optimizers.local_search import LocalSearch
from optimizers.random_search import RandomSearch
from optimizers.regularized_evolution import RegularizedEvolution
from optimizers.tpe import TPE
from optimizers.tpe_hyperopt import TPEHyperopt
from tests.unit import slow
from tests.unit.slow import SPACE

pytestmark = pytest.mark.filterwarnings("ignore:evaluation failed")
HOW: dict[str, Any] = {"budget": 24, "trials": 1, "seed": 1}


def evolution() -> RegularizedEvolution:
    return RegularizedEvolution(population=6, sample=3)


def objective(function: Any = slow.loss, **options: Any) -> Objective:
    return Objective(SPACE, function, scale=(0, 4), minimize=True, **options)


def same(one: SearchRecord, other: SearchRecord) -> None:
    for name, column in one.queries.items():
        if name != "seconds":
            np.testing.assert_array_equal(column, other.queries[name], err_msg=name)


def test_dictionaries_in_and_out() -> None:
    strings = SPACE.sample_rng(np.random.default_rng(0), (50,))
    for string in strings:
        configuration = SPACE.configuration(string)
        np.testing.assert_array_equal(SPACE.string(configuration), string)
    assert SPACE.ordered == (False, True, True, False, True)
    one = {"op": "conv", "width": 64, "lr": grid(1e-4, 1e-1, 7, log=True)[4], "layers": 1, "width_2": 32}
    two = one | {"width_2": 16}
    assert SPACE.cell_id(SPACE.string(one)) == SPACE.cell_id(SPACE.string(two)) != -1
    assert SPACE.configuration(SPACE.architecture(SPACE.cell_id(SPACE.string(one)))) == two
    assert not SPACE.is_valid(SPACE.string(one | {"op": "skip"}))
    # op and width: 4 + 4 + 1; layers and width_2: 1 + 2
    assert SPACE.num_cells == 9 * 7 * 3
    every = np.arange(SPACE.num_cells)
    np.testing.assert_array_equal(SPACE.cell_id(SPACE.architecture(every)), every)


@pytest.mark.parametrize("rule", [None, lambda c: c["a0"] != c["a1"]])
def test_large_spaces_are_not_enumerated(rule: Any) -> None:
    space = CategoricalSpace({f"a{i}": list("abcd") for i in range(20)}, valid=rule)
    strings = space.sample_rng(np.random.default_rng(0), (30,))
    ids = space.cell_id(strings)
    assert len(set(ids.tolist())) == 30 and space.num_cells == (None if rule else 4**20)
    np.testing.assert_array_equal(space.architecture(ids), strings)
    search(evolution(), Objective(space, lambda c: sum(v == "a" for v in c.values()) / 20), **HOW)


def test_grids() -> None:
    assert grid(1, 9, 5) == (1, 3, 5, 7, 9) and all(isinstance(value, int) for value in grid(1, 9, 5))
    assert grid(8, 64, 4, log=True) == (8, 16, 32, 64)
    np.testing.assert_allclose(grid(1e-4, 1e-1, 4, log=True), [1e-4, 1e-3, 1e-2, 1e-1])
    encoded = SPACE.encode(SPACE.architecture(np.arange(5)), "ordinal")
    assert encoded.shape == (5, 3 + 1 + 1 + 2 + 1) and encoded.min() == 0 and encoded.max() <= 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: CategoricalSpace({}), "has no variables"),
        (lambda: CategoricalSpace({"a": "xyz"}), "variable 'a' has xyz; accepted: a list"),
        (lambda: CategoricalSpace({"a": []}), "variable 'a' has no values"),
        (lambda: CategoricalSpace({"a": [1, 2, 1]}), "has 1 twice"),
        (lambda: CategoricalSpace({"a": [1, 2]}, valid=lambda c: False), "no valid configuration"),
        (lambda: CategoricalSpace({"a": [1, 2]}, same_as=lambda c: None), "same_as returned None"),  # type: ignore[arg-type,return-value]
        (lambda: CategoricalSpace({"a": [1, 2]}, same_as=lambda c: {"a": 3}), "a=3 is no value"),
        (lambda: CategoricalSpace({str(i): range(10) for i in range(20)}), "combinations; accepted: up to"),
        (lambda: grid(0, 1, 3, log=True), "grid: low=0 is out of range"),
        (lambda: grid(2, 1, 3), "grid: high=1 is out of range"),
        (lambda: SPACE.string({"opp": 1}), r"did you mean 'op'\?"),
        (lambda: SPACE.string({"op": "conv"}), "lacks 'width'"),
        (lambda: Objective(SPACE, slow.loss, scale=(1, 1)), r"scale=\(1, 1\) does not fit"),
        (lambda: Objective(SPACE, slow.loss, minimize=True, scale=(1, 0)), "the lower one first for a loss"),
    ],
)
def test_wrong_input_is_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        make()
    assert "accepted" in str(caught.value) and "\n" not in str(caught.value)


def test_losses_come_out_as_they_went_in() -> None:
    benchmark = objective()
    record = search(evolution(), benchmark, **HOW)
    frame = record.to_frame(benchmark)
    assert len(frame) == 24 and set(SPACE.configuration(SPACE.architecture(0))) <= set(frame.columns)
    for _, row in frame.iterrows():
        assert row["validation"] == pytest.approx(slow.loss(dict(row)))
    assert frame["best"].is_monotonic_decreasing and frame["best"].iloc[-1] == frame["validation"].min()
    assert (frame["status"] == "OK").all()


def test_a_loss_outside_is_a_failure_unless_there_is_a_scale() -> None:
    def found(value: float, **options: Any) -> Any:
        benchmark = Objective(SPACE, lambda configuration: value, **options)
        return search(RandomSearch(), benchmark, budget=1, trials=1, seed=0).queries["validation"][0]

    assert found(0.25, minimize=True) == 0.75
    with pytest.raises(ConfigError, match=r"for others give scale=\(best, worst\)"):
        found(2.5, minimize=True)
    assert found(2.5, minimize=True, scale=(0, 10)) == 0.75
    assert found(25, minimize=True, scale=(0, 10)) == 0 and found(-1, minimize=True, scale=(0, 10)) == 1
    assert found(93, scale=(100, 0)) == pytest.approx(0.93)


@pytest.mark.parametrize(
    "make", [evolution, RandomSearch, lambda: TPE(startup=4), lambda: TPEHyperopt(startup=4)]
)
def test_four_workers_take_a_quarter_of_the_time(make: Any) -> None:
    """Sixteen evaluations of about a second at four workers."""
    benchmark = objective(slow.waits, workers=4)
    try:
        search(make(), benchmark, budget=4, trials=1, seed=9)  # the processes start
        began = time.perf_counter()
        record = search(make(), benchmark, budget=16, trials=1, seed=1)
        took = time.perf_counter() - began
    finally:
        benchmark.close()
    assert took < 0.4 * record.queries["seconds"].sum()


def test_rounds_where_a_method_cannot_do_better() -> None:
    """Methods that are not asynchronous use workers within what they propose at a time."""
    for method in (Bananas(), LocalSearch()):
        assert not method.asynchronous
        with_workers, alone = objective(slow.hurries, workers=3), objective(slow.hurries)
        same(search(method, with_workers, **HOW), search(method, alone, **HOW))
        with_workers.close()


@pytest.mark.parametrize("make", [evolution, lambda: TPE(startup=4), lambda: TPEHyperopt(startup=4)])
def test_a_journal_gives_the_same_search_again(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    benchmark = objective(slow.hurries, workers=4)
    first = search(make(), benchmark, journal=path, **HOW)
    lines = path.read_bytes().splitlines(keepends=True)
    assert [line for line in lines[1:]] and len(lines) == 25
    same(search(make(), benchmark, journal=path, **HOW), first)
    for kept in (1, 4, 11, 24):  # cut short, and gone on with
        path.write_bytes(b"".join(lines[:kept]))
        again = search(make(), benchmark, journal=path, **HOW)
        assert path.read_bytes().startswith(b"".join(lines[:kept]))
        same(search(make(), benchmark, journal=path, **HOW), again)
    benchmark.close()
    with pytest.raises(ConfigError, match=r"belongs to another search \(its at_a_time"):
        search(make(), objective(slow.hurries, workers=3), journal=path, **HOW)


@pytest.mark.parametrize("protocol", [Protocol(repeats="free"), Protocol(invalid="charge")])
def test_protocols_hold_with_workers(protocol: Protocol) -> None:
    benchmark = objective(slow.hurries, workers=3)
    record = search(evolution(), benchmark, protocol=protocol, budget=40, trials=1, seed=2)
    benchmark.close()
    assert record.ledger["spent"][0] == 40
    if protocol.repeats == "free":
        assert len(set(record.queries["cell_id"])) == 40


@pytest.mark.parametrize("workers", [1, 3])
def test_failures_are_kept_and_evaluated_again_on_request(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXED", str(tmp_path / "fixed"))
    path = tmp_path / "journal.jsonl"
    benchmark = objective(slow.faulty, workers=workers)
    broken = search(evolution(), benchmark, journal=path, **HOW)
    failed = int((broken.queries["status"] == 2).sum())
    assert failed and path.read_text().count("RuntimeError: a bug") == failed
    (tmp_path / "fixed").touch()
    same(search(evolution(), benchmark, journal=path, **HOW), broken)  # not unless it is asked for
    fixed = search(evolution(), benchmark, journal=path, retry_failures=True, **HOW)
    benchmark.close()
    assert (fixed.queries["status"] == 0).all() and "a bug" not in path.read_text()
    assert (tmp_path / "journal.jsonl.before").read_text().count("a bug") == failed
    same(search(evolution(), objective(slow.faulty, workers=workers), journal=path, **HOW), fixed)


@pytest.mark.parametrize("left", [0, 3])
def test_an_interrupted_retry_keeps_what_had_succeeded(left: int, tmp_path: Path) -> None:
    """Killed after the old journal was moved, or after `left` entries of the new one: what had succeeded is
    not evaluated again."""
    path, fixed, calls = tmp_path / "journal.jsonl", False, 0

    def function(configuration: dict[str, Any]) -> float:
        nonlocal calls
        calls += 1
        if configuration["op"] == "conv" and not fixed:
            raise RuntimeError("a bug")
        return slow.loss(configuration)

    def run(**options: Any) -> SearchRecord:
        return search(RandomSearch(batch=1), objective(function), journal=path, **HOW | options)

    broken = run()
    failed = int((broken.queries["status"] == 2).sum())
    fixed = True
    whole = run(retry_failures=True)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: left + 1]))
    if not left:
        path.unlink()
    calls = 0
    same(run(retry_failures=True), whole)
    again = int((broken.queries["status"][left:] == 2).sum())
    assert 0 < again <= failed and calls == again


def test_a_changed_digit_of_a_journal_is_named_where_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    search(evolution(), objective(), journal=path, **HOW)
    identity, entries = read_journal(path)
    assert identity["budget"] == 24 and [entry["query"] for entry in entries] == list(range(1, 25))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"fidelity": 1', b'"fidelity": 2')
    path.write_bytes(b"".join(lines))
    with pytest.raises(ConfigError, match="line 4, is damaged: its checksum differs"):
        read_journal(path)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_finished_study_is_extended(workers: int, tmp_path: Path) -> None:
    path, benchmark = tmp_path / "journal.jsonl", objective(slow.hurries, workers=workers)
    first = search(evolution(), benchmark, journal=path, **HOW)
    with pytest.raises(ConfigError, match="its budget differs"):
        search(evolution(), benchmark, journal=path, **HOW | {"budget": 30})
    longer = search(evolution(), benchmark, journal=path, extend=True, **HOW | {"budget": 30})
    benchmark.close()
    np.testing.assert_array_equal(longer.queries["cell_id"][:24], first.queries["cell_id"])
    assert len(longer.queries["cell_id"]) == 30 and len(path.read_text().splitlines()) == 31


@pytest.mark.parametrize("workers", [1, 4])
def test_a_budget_in_seconds(workers: int) -> None:
    benchmark = objective(slow.waits, workers=workers)
    if workers > 1:
        search(RandomSearch(batch=1), benchmark, budget=workers, trials=1, seed=9)  # the processes start
    record = search(RandomSearch(batch=1), benchmark, budget=100, trials=1, seed=0, seconds=2.0)
    benchmark.close()
    assert list(record.ledger["ended"]) == ["seconds"]
    assert 2 <= len(record.queries["trial"]) <= 4 * workers and record.seconds < 5


@pytest.mark.parametrize("workers", [1, 3])
def test_it_says_where_it_is(workers: int) -> None:
    seen: list[Status] = []
    benchmark = objective(slow.hurries, workers=workers)
    search(evolution(), benchmark, watch=seen.append, **HOW)
    benchmark.close()
    assert seen[-1].done == seen[-1].of == 24 and seen[-1].running == seen[-1].failed == 0
    assert [status.done for status in seen] == sorted(status.done for status in seen)
    assert max(status.running for status in seen) == (workers if workers > 1 else 0)
    assert not math.isnan(seen[-1].best) and seen[-1].left == 0


class Greedy(Optimizer):
    """Asks for more than it may, and repeats."""

    asynchronous = True

    def start(self, task: Any) -> None:
        self.space = task.space

    def ask(self, room: np.ndarray) -> Any:
        from nas_bench_suite import Proposal

        strings = self.space.architecture(np.arange(10))[None]
        return Proposal(strings, np.ones((1, 10), dtype=bool))

    def tell(self, proposal: Any, outcome: Any) -> None:
        assert proposal.architectures.shape[:2] == outcome.accuracy.shape == (1, 1)


def test_wide_proposals_and_free_repeats_under_way() -> None:
    benchmark = objective(slow.hurries, workers=3)
    record = search(Greedy(), benchmark, **HOW)
    assert len(record.queries["trial"]) == 24
    free = search(Greedy(), benchmark, protocol=Protocol(repeats="free"), **HOW)
    benchmark.close()
    assert list(free.ledger["ended"]) == ["stalled"] and free.ledger["unique_cells"][0] == 10


def a_table(folder: Path, values: list[float], **columns: Any) -> str:
    import pandas as pd

    frame = pd.DataFrame({"a": [0, 0, 1, 1], "b": ["x", "y", "x", "y"], "validation": values, **columns})
    frame.to_csv(folder / "table.csv", index=False)
    return str(folder / "table.csv")


def test_losses_in_a_csv(tmp_path: Path) -> None:
    losses, test = [0.1, 0.4, 0.2, 0.3], [0.2, 0.3, 0.1, 0.4]
    path = a_table(tmp_path, losses, test=test)
    found = tabular(path, minimize=True).query(Lookups(np.arange(4), 0))
    np.testing.assert_allclose(found.validation, 1 - np.array(losses))
    np.testing.assert_allclose(found.test, 1 - np.array(test))
    benchmark = tabular(a_table(tmp_path, [5, 1, 3, 2], test=[4, 1, 2, 3]), scale=[1, 5])
    np.testing.assert_allclose(benchmark.query(Lookups(np.arange(4), 0)).validation, [0, 1, 0.5, 0.75])
    assert "values from 1" in benchmark.facts()["notice"]
    benchmark = tabular(a_table(tmp_path, [50, 10, 30, 20]), minimize=True, percent=True, test="validation")
    np.testing.assert_allclose(benchmark.query(Lookups(np.arange(4), 0)).test, [0.5, 0.9, 0.7, 0.8])
    assert "validation value of the incumbent stands in" in benchmark.facts()["notice"]
    search(evolution(), benchmark, **HOW)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"minimize": True}, r"line 2: 5 is out of range; accepted: fractions in \[0, 1\]"),
        ({"scale": [1, 4]}, r"5 is out of range; accepted: values of benchmark.scale, in \[1, 4\]"),
        ({"scale": [4, 4]}, r"benchmark.scale=\[4, 4\] does not fit"),
        ({"scale": [5, 1], "minimize": True}, "the lower one first"),
        ({"test": "validation", "scale": [1, 5]}, "has a test column"),
    ],
)
def test_wrong_losses_in_a_csv(options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    path = a_table(tmp_path, [5, 1, 3, 2], test=[4, 1, 2, 3])
    with pytest.raises(ConfigError, match=sentence):
        tabular(path, **options)
