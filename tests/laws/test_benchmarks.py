"""What every benchmark promises, for every config in conf/benchmark. One that needs a file gets a made-up
one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.synthetic import write_synthetic
from nas_bench_suite import Benchmark, ConfigError, Lookups, Streams
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.build import make_benchmark
from tests import made_up
from tests.laws.collect import composed, names


def _official_table(path: Path) -> None:
    source = path.with_suffix(".tfrecord")
    write_synthetic(source)
    import_file(source, path)
    source.unlink()


TABLES: dict[str, Callable[[Path], None]] = {
    "tabular": lambda path: made_up.tabular().to_csv(path, index=False),
    "nasbench201": lambda path: made_up.nasbench201().to_csv(path, index=False),
    "transnas101": lambda path: made_up.transnas101().to_csv(path, index=False),
    "nasbench101": _official_table,
}


@pytest.fixture(scope="module", params=names("benchmark"))
def options(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    options: dict[str, Any] = composed(f"benchmark={request.param}")["benchmark"]
    if request.param in TABLES:
        options["path"] = str(tmp_path_factory.mktemp("tables") / "table.csv")
        TABLES[request.param](Path(options["path"]))
    return options


@pytest.fixture(scope="module")
def benchmark(options: dict[str, Any]) -> Benchmark:
    try:
        return make_benchmark(options)
    except ConfigError as error:
        # only a package may be missing, and its sentence says how to get it
        if "pip install" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def strings(benchmark: Benchmark) -> np.ndarray:
    return benchmark.space.sample_rng(np.random.default_rng(0), (200,))


def test_space(benchmark: Benchmark, strings: np.ndarray) -> None:
    space = benchmark.space
    assert strings.shape == (200, space.num_variables)
    assert ((strings >= 0) & (strings < space.sizes)).all() and space.is_valid(strings).all()
    ids = space.cell_id(strings)
    assert ids.dtype == np.int64 and (ids != -1).all()
    np.testing.assert_array_equal(space.cell_id(strings.reshape(2, 100, -1)), ids.reshape(2, 100))
    if space.num_cells is not None:
        assert ((ids >= 0) & (ids < space.num_cells)).all()
        np.testing.assert_array_equal(space.cell_id(space.architecture(ids)), ids)
        everything = (
            np.arange(space.num_cells)
            if space.num_cells < 10**5
            else np.random.default_rng(1).integers(0, space.num_cells, 10**5)
        )
        np.testing.assert_array_equal(space.cell_id(space.architecture(everything)), everything)


def test_invalid_strings_have_no_id(benchmark: Benchmark) -> None:
    space = benchmark.space
    anything = space.from_uniforms(np.random.default_rng(2).random((2000, space.num_variables)))
    np.testing.assert_array_equal(space.cell_id(anything) == -1, ~space.is_valid(anything))


def test_sampling_depends_on_seed_and_trial_alone(benchmark: Benchmark) -> None:
    space = benchmark.space
    whole = space.sample(Streams(3, 6), 5)
    assert space.is_valid(whole).all()
    np.testing.assert_array_equal(whole[2:5], space.sample(Streams(3, 3, first_trial=2), 5))
    streams = Streams(3, 6)
    np.testing.assert_array_equal(whole[[1, 4]], space.sample(streams, 5, rows=np.array([1, 4])))


def test_encodings(benchmark: Benchmark, strings: np.ndarray) -> None:
    for kind in benchmark.space.encodings():
        encoded = benchmark.space.encode(strings, kind)
        assert encoded.dtype == np.float32 and encoded.shape[0] == 200 and np.isfinite(encoded).all()
    one_hot = benchmark.space.encode(strings, "one_hot")
    assert (one_hot.sum(axis=-1) == benchmark.space.num_variables).all()
    with pytest.raises(ConfigError, match="accepted"):
        benchmark.space.encode(strings, "no_such_encoding")


def test_queries(benchmark: Benchmark, strings: np.ndarray) -> None:
    ids = benchmark.space.cell_id(strings)
    for fidelity in benchmark.fidelities:
        runs = [benchmark.query(Lookups(ids, run, fidelity)) for run in range(benchmark.num_runs)]
        mean = benchmark.query(Lookups(ids, "mean", fidelity))
        for values, average in zip(zip(*(run[:2] for run in runs)), mean[:2]):
            assert average.shape == ids.shape
            known = ~np.isnan(np.asarray(values))
            assert (np.asarray(values)[known] >= 0).all() and (np.asarray(values)[known] <= 1).all()
        assert (mean.seconds >= 0).all()
    full = benchmark.query(Lookups(ids, 0))
    at = benchmark.query(
        Lookups(ids, np.zeros(len(ids), dtype=np.int64), np.full(len(ids), benchmark.fidelities[-1]))
    )
    for a, b in zip(full, at):
        np.testing.assert_array_equal(a, b)


def test_a_wrong_query_is_one_sentence(benchmark: Benchmark, strings: np.ndarray) -> None:
    """Nothing out of range reaches an array, where it would read another cell."""
    cells = benchmark.space.cell_id(strings[:3])
    beyond = benchmark.space.num_cells
    wrong = [
        Lookups(cells, -1),
        Lookups(cells, np.array([0, 0, -1])),
        Lookups(cells, benchmark.num_runs),
        Lookups(cells, np.array([0, benchmark.num_runs, 0])),
        Lookups(cells, 0.0),  # type: ignore[arg-type]
        Lookups(cells, True),
        Lookups(cells, "median"),
        Lookups(cells, 0, 7),
        Lookups(cells, 0, np.array([benchmark.fidelities[-1], 7, benchmark.fidelities[-1]])),
        Lookups(cells, 0, -1),
        Lookups(np.array([*cells[:2], -1]), 0),
        Lookups(cells.astype(float), 0),
        *([] if beyond is None else [Lookups(np.array([0, beyond]), 0), Lookups(np.asarray(beyond), "mean")]),
    ]
    for lookups in wrong:
        with pytest.raises(ConfigError, match="accepted") as caught:
            benchmark.query(lookups)
        assert "\n" not in str(caught.value)


def test_a_value_past_its_range_makes_no_string(benchmark: Benchmark, strings: np.ndarray) -> None:
    space = benchmark.space
    for value in (-1, int(space.sizes.max()), 2**40):
        for variable in (0, space.num_variables - 1):
            wrong = strings[:4].copy()
            wrong[:, variable] = value
            assert (space.cell_id(wrong) == -1).all() and not space.is_valid(wrong).any()


def test_facts(benchmark: Benchmark) -> None:
    facts = benchmark.facts()
    assert {"name", "description", "source", "checksum", "surrogate"} <= set(facts)
    assert isinstance(facts["surrogate"], bool) and facts["description"]


def test_unknown_option_is_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"no_such_option.*accepted") as caught:
        make_benchmark(options | {"no_such_option": 1})
    assert "\n" not in str(caught.value)


def test_unknown_benchmark_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'planted'"):
        make_benchmark({"name": "plantd"})
