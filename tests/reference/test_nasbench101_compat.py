"""The drop-in for the `nasbench` library against a plain procedure on dictionaries."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.plain import nasbench101 as nasbench101_plain
from bench.plain import nasbench_api as nasbench_api_plain
from bench.plain import tfrecord as tfrecord_plain
from nas_bench_suite.benchmarks.nasbench101 import compat as api
from nas_bench_suite.benchmarks.nasbench101 import records
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.checks import ConfigError

NAMES = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")


def graphs_of_three_inner_vertices() -> st.SearchStrategy[nasbench101_plain.Graph]:
    """Every graph of 5 vertices that passes through at most 3 inner ones: few cells, all orders and
    prunings."""
    edges = list(itertools.combinations(range(5), 2))
    bits = st.lists(st.booleans(), min_size=len(edges), max_size=len(edges))
    return st.tuples(bits, st.lists(st.sampled_from(NAMES), min_size=3, max_size=3)).map(
        lambda pair: (
            [[int(pair[0][edges.index((u, v))]) if u < v else 0 for v in range(5)] for u in range(5)],
            ["input", *pair[1], "output"],
        )
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of all 91 + 2,441 cells of at most 5 vertices and two budgets; the recorded matrices are other
    orders than the space's own."""
    folder = tmp_path_factory.mktemp("compat")
    space, rng = NASBench101Space(), np.random.default_rng(0)
    rows = space.sample_rng(rng, 200_000)
    ids = space.cell_id(rows)
    some = {int(cell): row for cell, row in zip(ids, rows) if space.cell_vertices[cell] <= 5}
    payloads = []
    for cell in rng.permutation(np.flatnonzero(space.cell_vertices <= 5)):
        matrix, ops = space.graph(some.get(int(cell), space.architecture(int(cell))))
        for budget in (12, 108):
            for _ in range(3):
                k, seconds = (
                    rng.integers(0, 9985, 6),
                    rng.uniform(1, 4000, 2).astype(np.float32).astype(float),
                )
                half, final = (seconds[0], *records.SINGLE[k[:3]]), (seconds[1], *records.SINGLE[k[3:]])
                name = space.official_hash(int(cell))
                assert isinstance(name, str)
                payloads.append(tfrecord_plain.payload(name, budget, matrix, ops, 1 + int(cell), half, final))
    tfrecord_plain.write(folder / "some.tfrecord", payloads)
    import_file(folder / "some.tfrecord", folder / "some.table", partial=True)
    return folder


@pytest.fixture(scope="module")
def plain(files: Path) -> nasbench_api_plain.Api:
    return nasbench_api_plain.Api(files / "some.tfrecord", 5)


@pytest.fixture(scope="module")
def nasbench(files: Path) -> api.NASBench:
    return api.NASBench(files / "some.table", seed=5)


def assert_same(got: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    assert list(got) == list(wanted)
    for key, value in wanted.items():
        assert type(got[key]) is type(value), key
        np.testing.assert_array_equal(got[key], value)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(graph=graphs_of_three_inner_vertices())
def test_specs_and_metrics(
    plain: nasbench_api_plain.Api, nasbench: api.NASBench, graph: nasbench101_plain.Graph
) -> None:
    spec = api.ModelSpec(*graph)
    wrong, pruned = plain.why_invalid(*graph)
    assert spec.valid_spec == (wrong != "disconnected") and nasbench.is_valid(spec) == (wrong is None)
    np.testing.assert_array_equal(spec.original_matrix, graph[0])
    assert spec.original_ops == graph[1]
    if wrong == "disconnected":
        assert spec.matrix is None and spec.ops is None
    if wrong is not None:
        with pytest.raises(api.OutOfDomainError, match=wrong):
            nasbench.get_metrics_from_spec(spec)
        return
    assert pruned is not None
    assert (spec.matrix.tolist(), spec.ops) == pruned
    assert spec.hash_spec(nasbench.config["available_ops"]) == nasbench101_plain.hash_graph(*pruned)
    for got in (
        nasbench.get_metrics_from_spec(spec),
        nasbench.get_metrics_from_hash(nasbench101_plain.hash_graph(*pruned)),
    ):
        fixed, computed = plain.metrics(*graph)
        assert got[1] == computed
        assert got[0]["module_adjacency"].dtype == np.int8
        assert got[0]["module_adjacency"].tolist() == fixed["module_adjacency"]
        assert got[0]["module_operations"] == fixed["module_operations"]
        assert got[0]["trainable_parameters"] == fixed["trainable_parameters"]


def test_queries_draw_alike_and_count_alike(files: Path) -> None:
    space, rng = NASBench101Space(), np.random.default_rng(1)
    cells = rng.choice(2531, 60)
    asked = []
    for i, cell in enumerate(cells):
        matrix, ops = space.graph(space.architecture(int(cell)))
        labels = [op if op in ("input", "output", "maxpool3x3") else f"{op}-bn-relu" for op in ops]
        asked.append((matrix, labels, (12, 108)[i % 2], i % 3 == 0))
    # each draws from Python's `random`, which it seeds: one after the other
    plain = nasbench_api_plain.Api(files / "some.tfrecord", 9)
    wanted = [plain.query(matrix, labels, epochs, halfway) for matrix, labels, epochs, halfway in asked]
    nasbench = api.NASBench(files / "some.table", seed=9)
    got = [
        nasbench.query(api.ModelSpec(matrix, labels), epochs, stop_halfway=halfway)
        for matrix, labels, epochs, halfway in asked
    ]
    for a, b in zip(got, wanted):
        assert_same(a, b)
    assert nasbench.get_budget_counters() == tuple(plain.spent)
    nasbench.reset_budget_counters()
    assert nasbench.get_budget_counters() == (0.0, 0)


def test_hashes_come_in_the_order_of_the_file(plain: nasbench_api_plain.Api, nasbench: api.NASBench) -> None:
    assert list(nasbench.hash_iterator()) == list(plain.fixed)
    assert nasbench.valid_epochs == {12, 108}


def test_what_is_out_of_the_domain(nasbench: api.NASBench) -> None:
    def spec(n: int, edges: Sequence[tuple[int, int]], ops: list[str] | None = None) -> api.ModelSpec:
        matrix = np.zeros((n, n), dtype=int)
        for u, v in edges:
            matrix[u, v] = 1
        return api.ModelSpec(matrix, ops or ["input", *["maxpool3x3"] * (n - 2), "output"])

    chain = [(v, v + 1) for v in range(7)]
    for wrong, message in (
        (spec(8, chain), r"too many vertices, got 8 \(max vertices = 7\)"),
        (spec(5, list(itertools.combinations(range(5), 2))), r"too many edges, got 10 \(max edges = 9\)"),
        (spec(3, [(0, 1)]), "disconnected"),
        (spec(1, [], ["input"]), "disconnected"),
        (spec(2, [(0, 1)], ["start", "output"]), "first operation should be 'input'"),
        (spec(2, [(0, 1)], ["input", "end"]), "last operation should be 'output'"),
        (spec(3, [(0, 1), (1, 2)], ["input", "conv3x3", "output"]), "unsupported op conv3x3"),
    ):
        assert not nasbench.is_valid(wrong)
        with pytest.raises(api.OutOfDomainError, match=message):
            nasbench.query(wrong)
    # 8 vertices of which 3 are left: within the space, as in the library
    assert nasbench.is_valid(spec(8, [(0, 3), (3, 7)]))
    with pytest.raises(api.OutOfDomainError, match="invalid number of epochs"):
        nasbench.query(spec(2, [(0, 1)]), epochs=36)
    assert nasbench.get_budget_counters() == (0.0, 0)
    with pytest.raises(KeyError):
        nasbench.get_metrics_from_hash("0" * 32)
    with pytest.raises(KeyError, match="partial"):
        nasbench.query(spec(7, chain[:6]))
    for matrix, ops, message in (
        (np.zeros((2, 3)), ["input", "output"], "square"),
        (np.zeros((2, 2)), ["input"], "length of ops"),
        (np.eye(2), ["input", "output"], "upper triangular"),
    ):
        with pytest.raises(ValueError, match=message):
            api.ModelSpec(matrix, ops)
    with pytest.raises(ConfigError, match=r"nasbench_only108\.tfrecord"):
        api.NASBench("/no/such/file")


def test_a_spec_is_a_copy() -> None:
    matrix, ops = np.array([[0, 1, 1], [0, 0, 0], [0, 0, 0]]), ["input", "maxpool3x3", "output"]
    spec = api.ModelSpec(matrix, ops)
    matrix[0, 2] = 0
    ops[0] = "x"
    assert spec.original_matrix[0, 2] == 1 and spec.original_ops[0] == "input"
    assert spec.matrix.tolist() == [[0, 1], [0, 0]] and spec.ops == ["input", "output"]
