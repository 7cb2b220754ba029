"""AlphaX against its plain twin: the same proposals, the same trees, and counts that add up."""

from __future__ import annotations

import numpy as np
import pytest

from bench.plain.alphax import PlainTree, State, matrix_of
from nas_bench_suite import Evaluation, Streams, search
from nas_bench_suite.benchmark import Benchmark, Facts, Lookups
from nas_bench_suite.benchmarks.nasbench101.space import OPERATIONS, NASBench101Space
from optimizers.alphax import AlphaX
from optimizers.alphax.build_game import HEAD

TRIALS, QUERIES, SEED = 2, 60, 5


class Noiseless(Benchmark):
    """NASBench-101's cells with accuracies that a formula gives: no file is needed, and 0 never occurs."""

    name, fidelities, num_runs = "noiseless", (108,), 1

    def __init__(self) -> None:
        self.space: NASBench101Space = NASBench101Space()

    def accuracy(self, cells: np.ndarray | int) -> np.ndarray:
        values: np.ndarray = 0.85 + 0.1 * ((np.asarray(cells) * 7919) % 1000) / 1000
        return values

    def look_up(self, lookups: Lookups) -> Evaluation:
        values = self.accuracy(lookups.cells)
        return Evaluation(values, values, np.ones_like(values))

    def facts(self) -> Facts:
        return Facts(name=self.name, description="", source="", checksum="", surrogate=False)


def _state(optimizer: AlphaX, trial: int, node: int) -> State:
    row = optimizer.trees.nodes.states[trial, node]
    tails, heads = np.triu_indices(7, k=1)
    edges = tuple((int(tails[e]), int(heads[e])) for e in range(21) if row[HEAD + e])
    return tuple(int(op) for op in row[HEAD + 21 : HEAD + 21 + row[0] - 2]), edges, bool(row[1])


@pytest.mark.parametrize(("max_vertices", "reuse"), [(7, True), (6, True), (7, False), (3, True)])
def test_searches_equal_the_plain_twin(max_vertices: int, reuse: bool) -> None:
    benchmark = Noiseless()
    space = benchmark.space
    queries = QUERIES if max_vertices > 3 else 7  # there are 7 cells of at most 3 vertices
    optimizer = AlphaX(max_vertices=max_vertices, reuse=reuse, simulations=0)
    record = search(optimizer, benchmark, budget=queries, trials=TRIALS, seed=SEED)
    streams = Streams(SEED, TRIALS)

    def string(state: State) -> np.ndarray:
        return space.from_graph(matrix_of(state), ["input", *(OPERATIONS[op] for op in state[0]), "output"])

    for trial in range(TRIALS):
        twin = PlainTree(
            streams.generators("alphax_tree")[trial],
            streams.generators("alphax_play_outs")[trial],
            string,
            lambda state: int(space.cell_id(string(state))),
            lambda cell: float(benchmark.accuracy(cell)),
            choices=3,
            max_vertices=max_vertices,
            max_edges=9,
            c=2.0,
            reuse=reuse,
        )
        assert twin.run(queries) == list(record.queries["cell_id"][record.queries["trial"] == trial])
        size = int(optimizer.trees.nodes.size[trial])
        for node in range(size):
            x, n, above = twin.nodes[_state(optimizer, trial, node)]
            assert optimizer.trees.nodes.visits[trial, node] == n
            assert optimizer.trees.nodes.value[trial, node] == pytest.approx(x, rel=1e-12)
            if node:
                assert _state(optimizer, trial, int(optimizer.trees.nodes.parent[trial, node])) == above
        assert len(twin.nodes) == size


def test_counts_and_means_add_up() -> None:
    """n(node) = 1 + what its children sent up; X(node) is the mean of its own value and of what they sent
    up."""
    optimizer = AlphaX(reuse=False, simulations=0)
    search(optimizer, Noiseless(), budget=400, trials=TRIALS, seed=SEED)
    trees = optimizer.trees
    for trial in range(TRIALS):
        size = int(trees.nodes.size[trial])
        visits, value, parent = (
            trees.nodes.visits[trial, :size],
            trees.nodes.value[trial, :size],
            trees.nodes.parent[trial, :size],
        )
        assert (visits >= 1).all() and parent[0] == -1 and (parent[1:] < np.arange(1, size)).all()
        inner = trees.nodes.states[trial, :size, 1] == 0
        # An invalid terminal node (X = 0, and nothing else has it here) keeps its first 0 to itself; its
        # later visits go up.
        sent = np.bincount(parent[1:], weights=(visits - (value == 0))[1:], minlength=size)
        np.testing.assert_array_equal(visits[inner], 1 + sent[inner])
        sums = np.bincount(parent[1:], weights=(visits * value)[1:], minlength=size)
        # what is left is each node's own value, an accuracy or that of a node without a valid end
        own = visits * value - sums
        assert ((own[inner] > 0.0999) & (own[inner] < 0.9501)).all()
