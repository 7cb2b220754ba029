"""NAS-Bench-201: the space against a plain evaluation of cells, the real table against its published facts,
and wrong files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas_bench_suite import ConfigError, Lookups, load_benchmark
from nas_bench_suite.benchmarks.nasbench201 import EDGES, OPERATIONS, NASBench201Space
from tests.made_up import nasbench201
from tests.optional import shared_table

SPACE = NASBench201Space()
STRINGS = SPACE.architecture(np.arange(SPACE.num_cells))


@pytest.fixture(scope="module")
def csv(shared_data: Path) -> Path:
    return shared_table(shared_data, "nasbench201", "nasbench201.csv.gz")


@pytest.fixture(scope="module")
def source(csv: Path) -> pd.DataFrame:
    # sorted by digits: the order of codes
    return pd.read_csv(csv, dtype={"ops": str}).sort_values("ops").reset_index(drop=True)


@pytest.fixture(scope="module")
def made_up() -> pd.DataFrame:
    return nasbench201()


def evaluate(string: np.ndarray, weights: np.ndarray) -> float:
    """A cell as a function of numbers: every operation is a random monotone function without fixed points,
    `none` zero, `skip` the identity."""
    nodes = [1.0]
    for node in range(1, 4):
        total = 0.0
        for edge, (target, origin) in enumerate(EDGES):
            op = string[edge]
            if target == node and op > 0:
                total += (
                    nodes[origin]
                    if op == 1
                    else (weights[op, 0] * np.tanh(weights[op, 1] * nodes[origin]) if nodes[origin] else 0.0)
                )
        nodes.append(total)
    return nodes[3]


def test_merged_strings_compute_the_same_and_their_number_is_the_published_one() -> None:
    merged = NASBench201Space(isomorphism=True)
    assert merged.num_cells == 6466
    ids = merged.cell_id(STRINGS)
    np.testing.assert_array_equal(merged.cell_id(merged.architecture(ids)), ids)
    weights = np.random.default_rng(5).uniform(0.5, 2, (5, 2))
    values = np.array([evaluate(string, weights) for string in STRINGS])
    np.testing.assert_allclose(values, values[merged.members[ids]], rtol=1e-9, atol=1e-12)


def test_every_string_is_a_cell_of_its_own_otherwise() -> None:
    assert SPACE.num_cells == 15625
    np.testing.assert_array_equal(SPACE.cell_id(STRINGS), np.arange(15625))
    assert SPACE.cell_id(np.array([0, 0, 0, 0, 0, 5])) == -1


def test_graphs_hold_the_ways_through_the_cell() -> None:
    # 1<-0 conv3, 2<-0 skip, 2<-1 conv1, 3<-1 pool, 3<-2 skip
    matrix, ops = SPACE.graph(np.array([3, 1, 2, 0, 4, 1]))
    assert ops == [
        "input",
        "nor_conv_3x3",
        "skip_connect",
        "nor_conv_1x1",
        "avg_pool_3x3",
        "skip_connect",
        "output",
    ]
    assert {(int(i), int(j)) for i, j in zip(*np.nonzero(matrix))} == {
        (0, 1),
        (0, 2),
        (1, 3),
        (1, 4),
        (2, 5),
        (3, 5),
        (4, 6),
        (5, 6),
    }
    empty, ends = SPACE.graph(np.zeros(6, dtype=np.int64))
    assert ends == ["input", "output"] and not empty.any()
    dead, _ = SPACE.graph(np.array([3, 3, 3, 0, 0, 0]))  # nothing reaches node 3
    assert dead.shape == (2, 2)


def test_a_graph_in_any_order_gives_back_a_string_with_that_graph() -> None:
    rng = np.random.default_rng(1)
    for string in STRINGS[rng.integers(0, 15625, 40)]:
        matrix, ops = SPACE.graph(string)
        inner = list(range(1, len(ops) - 1))
        orders = [
            order
            for order in itertools.permutations(inner)
            if not np.tril(matrix[np.ix_(order, order)]).any()
        ]
        at = [0, *orders[rng.integers(len(orders))], len(ops) - 1]
        again = SPACE.graph(SPACE.from_graph(matrix[np.ix_(at, at)], [ops[i] for i in at]))
        np.testing.assert_array_equal(again[0], matrix)
        assert again[1] == ops


def test_path_encoding_lists_the_sequences_of_operations() -> None:
    base = len(OPERATIONS)
    encoded = SPACE.encode(np.array([[3, 1, 2, 0, 4, 1], [0, 0, 0, 0, 0, 0]]), "path")
    assert encoded.shape == (2, 155) and not encoded[1].any()
    # 1-3, 2-3, 1-2-3; 3<-0 is none
    ways = {base + 3 + 4 * base, base + 1 + 1 * base, base + base**2 + 3 + 2 * base + 1 * base**2}
    assert set(np.flatnonzero(encoded[0])) == ways


@pytest.mark.parametrize(
    ("dataset", "floor"), [("cifar10", 94.3733), ("cifar100", 73.5133), ("imagenet16", 47.3111)]
)
def test_the_real_table(csv: Path, source: pd.DataFrame, dataset: str, floor: float) -> None:
    benchmark = load_benchmark("nasbench201", path=str(csv), dataset=dataset)
    assert benchmark.facts()["best_mean_test"] == pytest.approx(floor / 100, abs=1e-6)
    ids = np.arange(15625)
    runs = source[[f"{dataset}_validation_run{run}" for run in range(3)]].to_numpy() / 100
    slots = np.stack(
        [benchmark.query(Lookups(ids, slot)).validation for slot in range(benchmark.num_runs)], axis=1
    )
    for row, (stored, held) in enumerate(zip(runs, slots)):
        stored = stored[~np.isnan(stored)]
        counts = [np.isclose(held, value).sum() for value in np.unique(stored)]
        assert sum(counts) == len(held) and len(held) % len(stored) == 0, row
    np.testing.assert_allclose(benchmark.query(Lookups(ids, "mean")).validation, np.nanmean(runs, axis=1))
    np.testing.assert_allclose(benchmark.query(Lookups(ids, 2)).test, source[f"{dataset}_test"] / 100)
    np.testing.assert_allclose(
        benchmark.query(Lookups(ids, 2, 12)).validation, source[f"{dataset}_validation_epoch12"] / 100
    )
    np.testing.assert_allclose(
        benchmark.query(Lookups(ids, 2, 12)).seconds, source[f"{dataset}_training_seconds"] * 12 / 200
    )


def test_a_merged_cell_has_its_first_members_values(made_up: pd.DataFrame, tmp_path: Path) -> None:
    made_up.to_parquet(tmp_path / "t.parquet")
    merged = load_benchmark("nasbench201", path=str(tmp_path / "t.parquet"), isomorphism=True)
    members = merged.space.members  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        merged.query(Lookups(np.arange(6466), 0)).test, made_up["cifar10_test"].to_numpy()[members] / 100
    )


WRONG: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no ops": (lambda t: t.drop(columns="ops"), "no column 'ops'"),
    "no such column": (lambda t: t.drop(columns="cifar10_test"), "no column 'cifar10_test'"),
    "five digits": (
        lambda t: t.assign(ops=["x" + t["ops"].iloc[0][1:], *t["ops"].iloc[1:]]),
        r"line 2: 'x00000' is no cell",
    ),
    "a digit too high": (lambda t: t.assign(ops=[*t["ops"].iloc[:-1], "777777"]), "'777777' is no cell"),
    "twice": (
        lambda t: t.assign(ops=[t["ops"].iloc[1], *t["ops"].iloc[1:]]),
        "cell '000001' appears more than once",
    ),
    "missing": (lambda t: t.iloc[:-1], "cell '444444' is missing"),
    "out of range": (
        lambda t: t.assign(cifar10_validation_run0=120.0),
        "column 'cifar10_validation_run0', line 2: '120.0' is out of range",
    ),
    "blank": (lambda t: t.assign(cifar10_validation_run0=np.nan), "column 'cifar10_validation_run0', line 2"),
    "fractions": (
        lambda t: t.assign(cifar10_test=t["cifar10_test"] / 100),
        "the best of all cells is 0.94, published is 94.37",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_get_one_sentence(made_up: pd.DataFrame, tmp_path: Path, case: str) -> None:
    change, sentence = WRONG[case]
    change(made_up.copy()).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_benchmark("nasbench201", path=str(tmp_path / "t.csv"))
    assert "\n" not in str(caught.value)


def test_official_archives_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "NAS-Bench-201-v1_1-096897.pth").write_bytes(b"cos\nsystem\n")
    for name in ("NAS-Bench-201-v1_1-096897.pth", "NATS-tss-v1_0-3ffb9.pickle.pbz2"):
        with pytest.raises(ConfigError, match="pickles, which run code when opened"):
            load_benchmark("nasbench201", path=str(tmp_path / name))
    with pytest.raises(ConfigError, match="accepted: cifar10, cifar100, imagenet16"):
        load_benchmark("nasbench201", path="x.csv", dataset="cifar")
