"""TransNAS-Bench-101: the real file against published facts and a plain reading, and wrong files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas_bench_suite import ConfigError, Lookups, load_benchmark
from nas_bench_suite.benchmarks.transnas101 import MODULES, OPERATIONS, TASKS, MicroSpace
from tests.made_up import transnas101
from tests.optional import shared_table


@pytest.fixture(scope="module")
def csv(shared_data: Path) -> Path:
    return shared_table(shared_data, "transnas101", "transnas101.csv.gz")


@pytest.mark.parametrize("space", ["micro", "macro"])
@pytest.mark.parametrize("task", ["class_scene", "normal", "room_layout"])
def test_every_value_is_the_files(csv: Path, space: str, task: str) -> None:
    benchmark = load_benchmark("transnas101", path=str(csv), task=task, space=space)
    source = pd.read_csv(csv).query("space == @space").set_index("architecture")
    strings = benchmark.space.architecture(np.arange(len(source)))
    for cell in range(0, len(source), 37):
        named = [variable.choices[v] for variable, v in zip(benchmark.space.variables, strings[cell])]
        if space == "micro":
            digits = "".join(str(OPERATIONS.index(name)) for name in named)
            architecture = f"64-41414-{digits[0]}_{digits[1:3]}_{digits[3:]}"
        else:
            digits = "".join(str(MODULES.index(name) + 1) for name in named if name != "none")
            architecture = f"64-{digits}-basic"
        row = source.loc[architecture]
        found = benchmark.query(Lookups(np.array(cell), 0))
        for kind, value in (("validation", found.validation), ("test", found.test)):
            stored = row[f"{task}_{kind}_{TASKS[task]}"]
            expected = {"top1": stored / 100, "neg_loss": 1 / (1 - stored)}.get(TASKS[task], stored)
            assert float(value) == pytest.approx(expected, abs=1e-12)
        assert float(found.seconds) == row[f"{task}_seconds"]


def test_micro_cells_are_graphs(csv: Path) -> None:
    benchmark = load_benchmark("transnas101", path=str(csv))
    assert benchmark.facts()["best_mean_test"] == pytest.approx(0.64176949)
    space = benchmark.space
    assert len({variable.family for variable in space.variables}) == 1
    assert isinstance(space, MicroSpace) and space.num_cells == 4096
    place = {name: value for value, name in enumerate(space.operations)}
    names = ("conv_3x3", "none", "skip_connect", "none", "conv_1x1", "none")
    string = np.array([place[name] for name in names])
    matrix, labels = space.graph(string)  # 1<-0, 2<-1 and 3<-1: only the way 0, 1, 3 arrives
    assert labels == ["input", "conv_3x3", "conv_1x1", "output"]
    np.testing.assert_array_equal(np.argwhere(matrix), [[0, 1], [1, 2], [2, 3]])
    np.testing.assert_array_equal(space.graph(space.from_graph(matrix, labels))[0], matrix)


Change = Callable[[pd.DataFrame], pd.DataFrame]
CASES: dict[str, tuple[Change, str]] = {
    "no architecture": (lambda t: t.drop(columns="architecture"), "has no column 'architecture'"),
    "rows missing": (lambda t: t.iloc[:-1], r"holds 4,095 architectures of the micro space; accepted: all"),
    "no cell": (
        lambda t: t.replace({"architecture": {"64-41414-0_00_001": "64-41414-0_00_007"}}),
        r"column 'architecture', line \d+: '64-41414-0_00_007' is no architecture of this space",
    ),
    "twice": (
        lambda t: t.replace({"architecture": {"64-41414-0_00_001": "64-41414-0_00_002"}}),
        "row 2 and row 3 are the same architecture",
    ),
    "no metric": (
        lambda t: t.drop(columns="class_scene_test_top1"),
        "has no column 'class_scene_test_top1'",
    ),
    "no number": (
        lambda t: t.assign(class_scene_seconds=np.nan),
        r"column 'class_scene_seconds', line \d+: 'nan' is no number",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_files_get_one_sentence(tmp_path: Path, case: str) -> None:
    change, words = CASES[case]
    path = tmp_path / "table.csv"
    change(transnas101()).to_csv(path, index=False)
    with pytest.raises(ConfigError, match=words) as caught:
        load_benchmark("transnas101", path=str(path))
    assert "\n" not in str(caught.value)


def test_wrong_options_get_one_sentence() -> None:
    with pytest.raises(ConfigError, match="did you mean 'jigsaw'"):
        load_benchmark("transnas101", path="x.csv", task="jigsav")
    with pytest.raises(ConfigError, match=r"benchmark\.space=nano"):
        load_benchmark("transnas101", path="x.csv", space="nano")
    with pytest.raises(ConfigError, match=r"needs benchmark\.path"):
        load_benchmark("transnas101")
