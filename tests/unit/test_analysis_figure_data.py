"""What figures show, without anything that draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis import load_results, published
from analysis.figure_data import FigureData, all_figures
from analysis.material import Material
from analysis.result import scan
from analysis.selection import Study
from nas_bench_suite.experiments import CONF
from tests.unit.analysis_samples import own_settings, write_run

LABELS = ("random", "remaade", "bohb")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    for label, shift in zip(LABELS, (0.0, 0.004, 0.002)):
        rules = {"cost": "epochs"} if label == "bohb" else {}
        write_run(folder, label, shift=shift, settings=own_settings(label), protocol=rules)
    return folder


@pytest.fixture(scope="module")
def figures(outputs: Path) -> dict[str, FigureData]:
    return {data.name: data for data in all_figures(Material(Study(scan(outputs), trials=20)))}


def test_numbers_need_nothing_that_draws_computes_or_composes(outputs: Path) -> None:
    code = (
        "import sys; from analysis import compare, missing, tables; from analysis.figure_data import "
        "all_figures; from analysis.material import Material; from analysis.result import scan; from "
        f"analysis.selection import Study; study = Study(scan({str(outputs)!r}), trials=20); "
        "tables.results_of(tables.TABLES, study); list(all_figures(Material(study))); "
        "print([name for name in ('matplotlib', 'torch', 'hydra', 'optimizers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CONF.parent, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_figure_without_results_has_no_rows(figures: dict[str, FigureData]) -> None:
    empty = {name for name, data in figures.items() if data.frame.empty}
    assert empty == {name for name in figures if "3200" in name} | {"orderings"}


def test_final_errors_are_those_of_the_files(outputs: Path, figures: dict[str, FigureData]) -> None:
    errors = load_results(outputs).groupby("optimizer", observed=True)["test_error"]
    data = figures["final_errors_150"]
    assert data.frame["mean"].is_monotonic_increasing
    for row in data.frame.itertuples():
        mine = errors.get_group(row.label)
        assert row.mean == pytest.approx(mine.mean()) and row.low < row.mean < row.high
        assert (row.q25, row.median, row.q75) == pytest.approx(tuple(mine.quantile([0.25, 0.5, 0.75])))
        np.testing.assert_allclose(np.sort(data.samples[row.label]), np.sort(mine))


def test_curves_end_where_the_final_errors_are(figures: dict[str, FigureData]) -> None:
    final = figures["final_errors_150"].frame.set_index("label")["mean"]
    data = figures["curves_test_150"]
    assert data.axes["x"] == "queries, in full trainings"  # BOHB is charged by epochs
    for label in ("random", "remaade"):
        band = data.by("label")[label]
        assert band["x"].tolist() == list(range(1, 151))
        assert band["mean"].iloc[-1] == pytest.approx(final[label])
        assert (band["low"] <= band["mean"]).all() and (band["mean"] <= band["high"]).all()


def test_win_rates_of_a_pair_add_up(figures: dict[str, FigureData]) -> None:
    frame = figures["win_rates_150"].frame
    assert set(frame.index) == set(frame.columns) == set(LABELS)
    both = frame + frame.T
    assert (both.to_numpy()[~np.eye(3, dtype=bool)] == pytest.approx(1.0)) and np.isnan(np.diag(frame)).all()


def test_distinct_cells_and_repeats_are_all_queries(figures: dict[str, FigureData]) -> None:
    parts = figures["unique_cells_150"].by("kind")
    unique, repeats = (parts[kind].groupby("label")["mean"].last() for kind in ("unique", "repeats"))
    assert (unique + repeats)["random"] == pytest.approx(150)


def test_published_means_stand_beside_ours(figures: dict[str, FigureData]) -> None:
    frame = figures["paper_against_ours"].frame
    assert frame[["table", "label"]].to_numpy().tolist() == [
        ["table3", "bohb"],
        ["table3", "random"],
        ["table3", "remaade"],
        ["table4", "random"],
        ["table4", "remaade"],
    ]
    assert frame["paper"].tolist() == [6.40, 6.36, 6.15, 6.30, 6.16]
    assert frame["doubtful"].tolist() == [False, True, False, True, False]
    half = 1.96 * 0.12 / np.sqrt(published.PUBLISHED_TRIALS)
    assert frame["paper_half"][0] == pytest.approx(half) and frame["place"].tolist() == [0] * 5
