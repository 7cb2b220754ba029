"""The suite's benchmarks for other people's code: Google's `nasbench` interface, Optuna, ConfigSpace."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.plain import nasbench101 as plain
from bench.plain import tfrecord
from nas_bench_suite import ConfigError, load_benchmark
from nas_bench_suite.benchmarks.nasbench101 import importer, records
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.elsewhere import config_space, evaluate, optuna_objective, string_of
from nas_bench_suite.nasbench import api
from nas_bench_suite.nasbench.lib import graph_util, model_spec
from tests.copies import ROOT
from tests.optional import package

CHAIN = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
OPS = ["input", "conv3x3-bn-relu", "output"]
# As code in the field is written: random search of nas_benchmarks over NASCifar10A, on Google's interface.
AS_IN_THE_FIELD = """
import nas_bench_suite.nasbench; nas_bench_suite.nasbench.install()
import random
import numpy as np
from nasbench import api
from nasbench.lib import graph_util, model_spec
from nasbench.api import ModelSpec

random.seed(1); np.random.seed(1)
dataset = api.NASBench("surrogate")
best = None
for _ in range(300):
    matrix = np.triu(np.random.randint(2, size=(7, 7)), 1)
    ops = ["input", *np.random.choice(dataset.config["available_ops"], 5).tolist(), "output"]
    spec = api.ModelSpec(matrix=matrix, ops=ops)
    if not dataset.is_valid(spec):
        continue
    data = dataset.query(spec, epochs=108)
    fixed, computed = dataset.get_metrics_from_spec(spec)
    assert data["validation_accuracy"] in [run["final_validation_accuracy"] for run in computed[108]]
    assert dataset._hash_spec(spec) in dataset.fixed_statistics
    if best is None or data["validation_accuracy"] > best:
        best = data["validation_accuracy"]
print(best, dataset.get_budget_counters()[1], isinstance(spec, ModelSpec), graph_util.num_edges(matrix) > 0)
"""


def test_code_of_the_field_runs_after_one_line(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(AS_IN_THE_FIELD)
    words = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(words, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    best, epochs, *rest = done.stdout.split()
    assert 0.9 < float(best) < 0.96 and int(epochs) >= 108 and rest == ["True", "True"]
    assert done.stderr.strip() == "NASBench: this is a surrogate of NASBench-101, not its table."


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An official file of the 91 cells of at most 4 vertices."""
    folder = tmp_path_factory.mktemp("official")
    space, rng, payloads = NASBench101Space(), np.random.default_rng(0), []
    for cell in rng.permutation(np.flatnonzero(space.cell_vertices <= 4)):
        matrix, ops = space.graph(space.architecture(int(cell)))
        for _ in range(3):
            k, seconds = rng.integers(0, 9985, 6), rng.uniform(1, 4000, 2).astype(np.float32).astype(float)
            half, final = (seconds[0], *records.SINGLE[k[:3]]), (seconds[1], *records.SINGLE[k[3:]])
            name = str(space.official_hash(int(cell)))
            payloads.append(tfrecord.payload(name, 108, matrix, ops, 1 + int(cell), half, final))
    tfrecord.write(folder / "some.tfrecord", payloads)
    return folder / "some.tfrecord"


def test_an_official_file_is_imported_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def partial(source: Path, target: Path, **more: Any) -> Any:
        return importer.import_file(source, target, partial=True)

    monkeypatch.setattr(api, "import_file", partial)
    nasbench = api.NASBench(str(file), seed=1)
    assert capsys.readouterr().err == f"NASBench: importing {file} to {file.with_suffix('.table')}, once.\n"
    again = api.NASBench(file)
    assert capsys.readouterr().err == ""
    hashes = list(nasbench.hash_iterator())
    assert len(nasbench.hash_iterator()) == len(hashes) == len(again.fixed_statistics) == 91
    for name in hashes[:20]:
        fixed, computed = nasbench.get_metrics_from_hash(name)
        assert nasbench.computed_statistics[name] == computed
        assert nasbench.fixed_statistics[name]["module_operations"] == fixed["module_operations"]
    assert "0" * 32 not in nasbench.fixed_statistics and hashes[3] in nasbench.fixed_statistics
    spec = api.ModelSpec(CHAIN, OPS)
    assert nasbench._hash_spec(spec) in hashes and nasbench.config["stem_filter_size"] == 128
    with pytest.raises(ConfigError, match=r"no file|cannot be opened|does not exist"):
        api.NASBench("/no/such.tfrecord")


def test_the_surrogate_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    nasbench = api.NASBench("surrogate", seed=3)
    assert "not its table" in capsys.readouterr().err and nasbench.valid_epochs == {4, 12, 36, 108}
    spec = api.ModelSpec(CHAIN, OPS)
    benchmark = load_benchmark("nasbench101_surrogate")
    data = nasbench.query(spec)
    assert data["module_operations"] == OPS and data["module_adjacency"].tolist() == CHAIN
    cell = benchmark.space.from_official_hash(nasbench._hash_spec(spec))  # type: ignore[attr-defined]
    found = evaluate(benchmark, benchmark.space.architecture(int(cell)))
    runs = [run["final_test_accuracy"] for run in nasbench.get_metrics_from_spec(spec)[1][108]]
    assert found is not None and np.mean(runs) == pytest.approx(found["test"], abs=1e-6)
    assert np.isnan(data["train_accuracy"]) and nasbench.get_budget_counters()[1] == 108
    with pytest.raises(api.OutOfDomainError, match="half-way"):
        nasbench.query(spec, stop_halfway=True)
    assert len(nasbench.hash_iterator()) == 423_624
    first = list(itertools.islice(nasbench.hash_iterator(), 3))
    assert all(nasbench.get_metrics_from_hash(name)[0]["trainable_parameters"] > 0 for name in first)


def test_graph_util() -> None:
    matrix = np.fromfunction(graph_util.gen_is_edge_fn(0b101101), (4, 4), dtype=np.int8)
    assert matrix.astype(int).tolist() == [[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert graph_util.is_full_dag(matrix) and graph_util.num_edges(matrix) == 4
    assert not graph_util.is_full_dag(np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]))
    labels = [-1, 1, 0, -2]
    rng = np.random.default_rng(0)
    for _ in range(20):
        order = rng.permutation(4)
        other, renamed = graph_util.permute_graph(matrix, labels, order.tolist())
        assert all(renamed[order[v]] == labels[v] for v in range(4))
        assert graph_util.is_isomorphic((matrix, labels), (other, renamed))
    assert not graph_util.is_isomorphic((matrix, labels), (matrix, [-1, 0, 1, -2]))
    ops = ["input", "conv1x1-bn-relu", "conv3x3-bn-relu", "output"]
    wanted = plain.hash_graph(matrix.astype(int).tolist(), ops)
    assert graph_util.hash_module(matrix.astype(int), labels) == wanted
    assert model_spec.is_upper_triangular(matrix) and not model_spec.is_upper_triangular(np.eye(2))


def test_optuna() -> None:
    optuna = package("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    benchmark = load_benchmark("planted")
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(optuna_objective(benchmark), n_trials=30)
    valid = [trial for trial in study.trials if trial.user_attrs.get("valid", True)]
    assert 0 < len(valid) < 30 and {trial.value for trial in study.trials if trial not in valid} == {0.0}
    for trial in valid:
        found = evaluate(benchmark, string_of(benchmark, trial.params))
        assert found is not None
        assert (trial.value, trial.user_attrs["test"]) == (found["validation"], found["test"])
    study.optimize(optuna_objective(benchmark, invalid=None), n_trials=30)
    assert any(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials)


def test_config_space() -> None:
    package("ConfigSpace")
    benchmark = load_benchmark("nasbench101_surrogate")
    space = config_space(benchmark, seed=1)
    assert len(space) == benchmark.space.num_variables
    for configuration in space.sample_configuration(50):
        string = string_of(benchmark, configuration)
        found = evaluate(benchmark, string, run=0)
        assert (found is None) == (not benchmark.space.is_valid(string[None])[0])
    with pytest.raises(ConfigError, match="is not in space"):
        string_of(benchmark, dict.fromkeys([v.name for v in benchmark.space.variables], "nothing"))
