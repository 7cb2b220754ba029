"""Which options are part of a result's key: all, but for data's place and options at a value that changes
nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.result import scan
from analysis.selection import Study
from nas_bench_suite.identity import NEUTRAL, benchmark_identity, optimizer_identity, with_neutral
from nas_bench_suite.job import run_job
from nas_bench_suite.results import Run, find_runs
from tests.laws.collect import composed

# The keys that random search had at 60 queries and 4 trials before the surrogate had draws.
BEFORE = {"nasbench101_surrogate": "71b2dc0b"}


def folders(output_dir: Path, *words: str) -> list[str]:
    run_job(
        composed(*words, "budget=60", "trials=4", f"output_dir={output_dir}"),
        "random",
        "nasbench101_surrogate",
    )
    return sorted(run.folder.name for run in find_runs(output_dir))


def test_a_new_option_at_its_neutral_value_keeps_the_key(tmp_path: Path) -> None:
    old = f"60-{BEFORE['nasbench101_surrogate']}"
    assert folders(tmp_path) == [old]
    assert folders(tmp_path, "benchmark.draw=0") == [old]
    assert len(folders(tmp_path, "benchmark.draw=1")) == 2
    assert len(folders(tmp_path, "benchmark.draw=2")) == 3
    frozen = Run(tmp_path / "nasbench101_surrogate" / "random" / old)
    assert "draw" not in frozen.config()["benchmark"]
    # The analysis knows them apart, and asks for the frozen one unless told otherwise.
    results = scan(tmp_path)
    assert sorted(result.draw for result in results) == [0, 1, 2]
    job = {"optimizer": "random", "budget": 60}
    for draw in (0, 1, 2):
        held = [result for result in results if result.draw == draw]
        found = Study(held, trials=4).find(job | {"benchmark.draw": draw})
        assert found == held[0].first(4)
    one = [result for result in results if result.draw == 1]
    assert "no result" in str(Study(one, trials=4).find(job))


def test_options_of_others_are_left_alone() -> None:
    assert benchmark_identity({"name": "planted", "draw": 0}) == {"name": "planted", "draw": 0}
    options = {"name": "nasbench101_surrogate", "draw": 0, "edge_limit": "raw", "path": "here"}
    assert benchmark_identity(options) == {"name": "nasbench101_surrogate", "edge_limit": "raw"}
    assert optimizer_identity({"_target_": "a.B", "rate": 0}) == {"_target_": "a.B", "rate": 0}
    config: dict[str, Any] = {"benchmark": {"name": "nasbench101_surrogate"}, "optimizer": {}, "seed": 3}
    full = with_neutral(config)
    assert full["benchmark"] == {"name": "nasbench101_surrogate", "draw": 0} and full["seed"] == 3
    assert with_neutral(full) == full and "draw" not in config["benchmark"]
    config["benchmark"] = {"name": "nasbench101_surrogate", "draw": 5}
    assert with_neutral(config) == config


def test_a_method_can_gain_an_option_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (old,) = folders(tmp_path)
    target = composed("optimizer=random")["optimizer"]["_target_"]
    monkeypatch.setitem(NEUTRAL, target, {"batch": 7})
    assert folders(tmp_path) == [old]
    assert len(folders(tmp_path, "optimizer.batch=7")) == 2


@pytest.mark.parametrize("name", [name for name in NEUTRAL if "." not in name])
def test_neutral_values_are_those_of_the_configs(name: str) -> None:
    config = composed(f"benchmark={name}")["benchmark"]
    assert {key: config[key] for key in NEUTRAL[name]} == NEUTRAL[name]
