"""The table of everything that was run on a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.compare import Choice, compare
from analysis.result import scan
from analysis.selection import Study
from nas_bench_suite.checks import ConfigError
from tests.unit.analysis_samples import edit_manifest, own_settings, write_run


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
    assert [row["panel"] for row in table.records()[2:]] == [
        "protocol paper, seed 0, draw 0",
        "protocol run=mean, seed 0, draw 0",
    ]
    best, evolution, reference, other = table.records()
    assert (
        best["difference"] == pytest.approx(best["mean"] - reference["mean"]) and best["difference_high"] < 0
    )
    assert evolution["paper_mean"] == pytest.approx(5.98) and best["paper_mean"] is None
    assert "20,000" in " ".join(table.notes) and "DRAFT" in table.full_caption
    # Two protocols are two families: the reference under each stands for itself.
    assert "reference" in reference["verdict"] and "reference" in other["verdict"]
    assert "means over a cell's runs" in table.full_caption


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


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Random search and evolution: two protocols, two seeds, three draws of the surrogate."""
    for draw in (0, 1, 2):
        for seed in (0, 1):
            for rule, lift in (({}, 0.0), ({"run": "mean"}, 0.02)):
                for label, shift in (("random", 0.0), ("regularized_evolution", 0.004 + 0.001 * draw)):
                    options = {"edge_limit": "pruned"} | ({"draw": draw} if draw else {})
                    write_run(
                        tmp_path,
                        label,
                        shift=shift + lift,
                        seed=seed,
                        protocol=rule,
                        options=options,
                        settings=own_settings(label),
                        checksum=f"data{draw}",
                    )
    return tmp_path


def surrogate(folder: Path) -> Study:
    return Study(scan(folder), trials=20)


def test_protocols_seeds_and_draws_are_families_of_their_own(many: Path) -> None:
    table = compare(surrogate(many), 150, choice=Choice())
    panels = [row["panel"] for row in table.records()]
    assert len(set(panels)) == 2 * 2 * 3 and len(panels) == 2 * 2 * 2 * 3
    for panel in set(panels):
        rows = [row for row in table.records() if row["panel"] == panel]
        reference = next(row for row in rows if row["label"] == "random")
        for row in rows:
            if row is not reference:
                assert row["difference"] == pytest.approx(row["mean"] - reference["mean"])
                assert row["p_holm"] == pytest.approx(row["p"])  # a family of one
    assert "seeds 0, 1, draws 0 to 2 of the table" in table.full_caption


def test_filters_leave_one_family(many: Path) -> None:
    table = compare(surrogate(many), 150, choice=Choice(["mean_of_runs"], [1], [2]))
    assert [row["label"] for row in table.records()] == ["regularized_evolution", "random"]
    assert {row["protocol"] for row in table.records()} == {"run=mean repeats=charge invalid=free cost=query"}
    assert table.name == "compare-nasbench101_surrogate-150-mean_of_runs-seed1-draw2"
    one_rule = compare(surrogate(many), 150, choice=Choice(["run=mean"], [1], [2]))
    assert one_rule.records() == table.records()


def test_a_rule_that_a_method_has_as_its_own_is_no_protocol_of_its_own(many: Path) -> None:
    write_run(many, "bohb", protocol={"cost": "epochs"}, settings=own_settings("bohb"), checksum="data0")
    table = compare(surrogate(many), 150, choice=Choice(["paper"], [0], [0]))
    assert {row["label"] for row in table.records()} == {"random", "regularized_evolution", "bohb"}


def test_seeds_join_into_one_sample(many: Path) -> None:
    choice = Choice(["paper"], draws=[0], join=["seed"])
    rows = {row["label"]: row for row in compare(surrogate(many), 150, choice=choice).records()}
    assert rows["random"]["trials"] == 40 == rows["regularized_evolution"]["trials"]
    parts = [
        compare(surrogate(many), 150, choice=Choice(["paper"], [seed], [0])).records() for seed in (0, 1)
    ]
    means = [row["mean"] for part in parts for row in part if row["label"] == "random"]
    assert rows["random"]["mean"] == pytest.approx(sum(means) / 2)


def test_joined_draws_are_the_sample(many: Path) -> None:
    from scipy import stats

    table = compare(surrogate(many), 150, choice=Choice(["paper"], join=["seed", "draw"]))
    rows = {row["label"]: row for row in table.records()}
    differences = []
    for draw in (0, 1, 2):
        alone = compare(surrogate(many), 150, choice=Choice(["paper"], draws=[draw], join=["seed"])).records()
        differences.append(next(row["difference"] for row in alone if row["label"] != "random"))
    row = rows["regularized_evolution"]
    assert row["trials"] == 20 * 2 * 3 and row["difference"] == pytest.approx(sum(differences) / 3)
    assert row["p"] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert "Draws of the table are the sample" in table.notes[0]


def test_values_of_an_axis_as_columns(many: Path) -> None:
    table = compare(surrogate(many), 150, choice=Choice(["paper"], [0], by="draw"))
    assert [column.header for column in table.columns] == ["Algorithm", "draw 0", "draw 1", "draw 2"]
    evolution = next(row for row in table.records() if row["name"] == "Reg Evolution")
    for draw in (0, 1, 2):
        alone = compare(surrogate(many), 150, choice=Choice(["paper"], [0], [draw])).records()
        row = next(row for row in alone if row["label"] == "regularized_evolution")
        assert evolution[f"mean, draw {draw}"] == pytest.approx(row["mean"])
        assert evolution[f"p_holm, draw {draw}"] == pytest.approx(row["p_holm"])
    assert "(" in table.to_markdown() and r"\toprule" in table.to_tex()
    both = compare(surrogate(many), 150, choice=Choice([], [0], by="draw"))
    assert "*protocol run=mean*" in both.to_markdown()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--protocol", "mean_of_run"], "--protocol=mean_of_run is not known"),
        (["--protocol", "run=men"], "protocol.run=men"),
        (["--join", "protocol"], "--join=protocol"),
        (["--by", "draws"], "--by=draws"),
        (["--by", "seed", "--join", "seed"], "--by=seed is joined"),
    ],
)
def test_a_wrong_choice_gets_one_sentence(
    many: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["compare", "--output-dir", str(many), "--trials", "20", *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and "accepted: " in said and len(said.splitlines()) == 1
