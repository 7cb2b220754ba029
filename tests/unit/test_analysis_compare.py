"""The table of everything that was run on a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.compare import compare
from analysis.result import scan
from analysis.selection import Study
from nas_bench_suite.checks import ConfigError
from tests.unit.analysis_samples import edit_manifest, write_run


def study(folder: Path, trials: int = 20) -> Study:
    return Study(scan(folder), "nasbench201", trials)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for dataset in ("cifar10", "cifar100"):
        options = {"dataset": dataset, "isomorphism": False}
        for label, shift in (("random", 0.0), ("regularized_evolution", 0.01), ("my_method", 0.02)):
            write_run(tmp_path, label, shift=shift, benchmark="nasbench201", options=options, surrogate=False)
    options = {"dataset": "cifar10", "isomorphism": False}
    write_run(
        tmp_path,
        "random",
        shift=-0.01,
        protocol={"run": "mean"},
        benchmark="nasbench201",
        options=options,
        surrogate=False,
    )
    write_run(tmp_path, "tpe", trials=10, benchmark="nasbench201", options=options, surrogate=False)
    return tmp_path


def test_every_configuration_with_enough_trials_best_first(results: Path) -> None:
    table = compare(study(results), 150, options={"dataset": "cifar10"})
    assert [row["label"] for row in table.records()] == [
        "my_method",
        "regularized_evolution",
        "random",
        "random",
    ]
    assert [row["settings"] for row in table.records()] == ["", "", "", "run=mean"]
    best, evolution, reference, _ = table.records()
    assert (
        best["difference"] == pytest.approx(best["mean"] - reference["mean"]) and best["difference_high"] < 0
    )
    assert evolution["paper_mean"] == pytest.approx(5.98) and best["paper_mean"] is None
    assert "20,000" in " ".join(table.notes) and "DRAFT" in table.full_caption
    assert "reference" in reference["verdict"]


def test_a_benchmark_may_call_itself_by_a_longer_name(results: Path) -> None:
    manifest = next(results.glob("nasbench201/tpe/*/trials-000000-000009.json"))
    edit_manifest(manifest, {"name": "nasbench201_cifar10"})
    assert "tpe" in {
        row["label"] for row in compare(study(results, 10), 150, options={"dataset": "cifar10"}).records()
    }


def test_another_reference_and_option(results: Path) -> None:
    table = compare(study(results), 150, "my_method", {"dataset": "cifar100"})
    assert [row["label"] for row in table.records()] == ["my_method", "regularized_evolution", "random"]
    assert table.records()[-1]["difference"] > 0 and table.name == "compare-nasbench201-cifar100-150"


def test_what_is_not_there_is_named(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        ConfigError,
        match=r"no results of 20 trials for benchmark=nasbench201 budget=7 .*to make some: python run.py",
    ):
        compare(study(results), 7)
    with pytest.raises(
        ConfigError, match=r"--reference=randm has no result.*did you mean 'random'.*accepted: .*my_method"
    ):
        compare(study(results), 150, "randm")
    arguments = ["compare", "--output-dir", str(results), "--benchmark", "nasbench201", "--trials", "20"]
    assert main([*arguments, "--option", "dataset"]) == 2
    assert "--option dataset does not fit; accepted: KEY=VALUE" in capsys.readouterr().err
    assert main([*arguments, "--option", "dataset=cifar10"]) == 0
    assert (results / "tables" / "compare-nasbench201-cifar10-150.tex").exists()
    assert "my_method" in capsys.readouterr().out
