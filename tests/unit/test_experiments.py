"""Configurations and experiments read without Hydra are those that Hydra runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext
from omegaconf import OmegaConf

from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.experiments import CONF, names
from nas_bench_suite.messages import keys
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.sweeper import SuiteSweeper, register
from tests.laws.collect import composed


@pytest.mark.parametrize("group", ["optimizer", "benchmark", "protocol"])
def test_every_file_composes_as_in_hydra(group: str) -> None:
    for name in names(group):
        assert experiments.compose({group: name}) == composed(f"{group}={name}"), f"{group}={name}"


def test_values_lie_where_the_command_line_puts_them() -> None:
    job = {
        "optimizer": "remaade_tuned",
        "optimizer.orderings": "all",
        "protocol": "mean_of_runs",
        "budget": 7,
    }
    assert experiments.compose(job) == composed(*(f"{key}={value}" for key, value in job.items()))


def swept(experiment: str) -> list[dict[str, Any]]:
    """The jobs that the sweeper makes of an experiment."""
    register([])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [f"+experiment={experiment}"], return_hydra_config=True)
        own: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
        sweeper = SuiteSweeper(products=own["products"], experiments=own["experiments"])
        loader = GlobalHydra.instance().config_loader()
        sweeper.config, sweeper.hydra_context = config, HydraContext(loader, None)  # type: ignore[arg-type]
        (batch,) = sweeper.split_arguments([], None)
    return [dict(word.split("=", 1) for word in job) for job in batch]


@pytest.mark.parametrize("experiment", names("experiment"))
def test_jobs_are_those_that_the_sweeper_runs(experiment: str) -> None:
    shared = experiments._shared(experiment, None)
    found = [
        {key: str(value) for key, value in job.items() if key not in shared or job[key] != shared[key]}
        for job in experiments.jobs(experiment)
    ]
    expected = [
        {key: value for key, value in job.items() if str(shared.get(key)) != value}
        for job in swept(experiment)
    ]
    assert [{key: float_of(value) for key, value in job.items()} for job in found] == [
        {key: float_of(value) for key, value in job.items()} for job in expected
    ]


def float_of(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def test_paper_is_every_table() -> None:
    tables = {name for name in names("experiment") if name.startswith("table")} | {"protocol"}
    assert set(experiments.members("paper")) - {"paper"} == tables
    assert experiments.members("paper")[:4] == ["table3", "table4", "table6", "table5"]


def test_an_experiment_may_name_others_but_not_itself(tmp_path: Path) -> None:
    conf = Path(shutil.copytree(CONF, tmp_path / "conf"))

    def write(name: str, content: str) -> None:
        (conf / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{content}\n")

    write("a", "hydra: {sweeper: {experiments: [b], products: [{optimizer: random}]}}")
    write("b", "hydra: {sweeper: {products: [{optimizer: 'tpe,bohb', budget: 4}]}}")
    assert experiments.jobs("a", conf) == [
        {"optimizer": "tpe", "budget": 4},
        {"optimizer": "bohb", "budget": 4},
        {"optimizer": "random"},
    ]
    write("b", "hydra: {sweeper: {experiments: [a]}}")
    with pytest.raises(ConfigError, match="a names b names a; accepted: experiments that do not name each"):
        experiments.products("a", conf)
    with pytest.raises(ConfigError, match=r"experiment=tabel3 is not known \(did you mean 'table3'\?\)"):
        experiments.products("tabel3", conf)
    write("b", "hydra: {sweeper: {products: [{budget: 'range(1, 4)'}]}}")
    with pytest.raises(ConfigError, match=r"budget: range\(1, 4\) is no plain list; accepted: value,value"):
        experiments.jobs("b", conf)


def test_keys_of_a_config_that_stands_on_another_are_all_known() -> None:
    known = keys(["protocol=epochs", "optimizer=bohb"], CONF)
    assert {f"protocol.{key}" for key in Protocol().words()} <= set(known)
    assert {"optimizer.eta", "budget", "optimizer"} <= set(known)
    assert not [key for key in known if "defaults" in key or key.startswith("optimizer.protocol")]
    assert len(known) == len(set(known))


def test_a_protocol_file_overrides_one_key() -> None:
    paper = experiments.compose()["protocol"]
    assert paper == {key: getattr(Protocol(), key) for key in Protocol().words()}
    for name in set(names("protocol")) - {"paper"}:
        found = experiments.compose({"protocol": name})["protocol"]
        assert sum(found[key] != paper[key] for key in paper) == 1, name
