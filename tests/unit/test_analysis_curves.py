"""Curves against a plain walk over the queries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis import curves
from analysis.result import Result, scan
from tests.unit.analysis_samples import write_run


@pytest.fixture
def result(tmp_path: Path) -> Result:
    write_run(tmp_path, "random", budget=40, trials=5, block=5)
    return scan(tmp_path)[0]


def walk(columns: dict[str, np.ndarray], trial: int, budget: int, cost: float) -> dict[str, list[float]]:
    """What a reader of the query file would write down after each full-fidelity query's worth of cost."""
    rows = np.flatnonzero(columns["trial"] == trial)
    out: dict[str, list[float]] = {name: [] for name in ("validation", "test", "unique", "repeats", "hours")}
    for spent in range(1, budget + 1):
        best, cells, pairs, repeats, seconds = None, set(), set(), 0, 0.0
        for i in rows:
            if columns["spent"][i] > spent * cost:
                break
            cell, fidelity = columns["cell_id"][i], columns["fidelity"][i]
            repeats += (cell, fidelity) in pairs
            cells.add(cell)
            pairs.add((cell, fidelity))
            seconds += columns["seconds"][i]
            value = (fidelity, columns["validation"][i])
            if not np.isnan(value[1]) and (best is None or value > best[0]):
                best = (value, columns["test"][i])
        out["validation"].append(np.nan if best is None else 100 * (1 - best[0][1]))
        out["test"].append(np.nan if best is None else 100 * (1 - best[1]))
        for name, value_now in (("unique", len(cells)), ("repeats", repeats), ("hours", seconds / 3600)):
            out[name].append(value_now)
    return out


@pytest.mark.parametrize("cost", ["query", "epochs"])
def test_step_curves_are_those_of_a_plain_walk(
    result: Result, monkeypatch: pytest.MonkeyPatch, cost: str
) -> None:
    columns = dict(result.queries())
    rng = np.random.default_rng(5)
    columns["cell_id"] = rng.integers(0, 12, len(columns["cell_id"]))
    columns["validation"] = np.where(rng.random(len(columns["trial"])) < 0.1, np.nan, columns["validation"])
    if cost == "epochs":
        columns["fidelity"] = rng.choice([4, 12, 36, 108], len(columns["trial"]))
        columns["fidelity"][-1] = 108
        columns["spent"] = np.concatenate(
            [np.cumsum(columns["fidelity"][columns["trial"] == t]) for t in range(5)]
        )
        result.config["protocol"]["cost"] = "epochs"
    monkeypatch.setattr(Result, "queries", lambda self: columns)
    found = curves.curves_of(result)
    for trial in range(5):
        for name, expected in walk(columns, trial, 40, 108 if cost == "epochs" else 1).items():
            np.testing.assert_allclose(
                getattr(found, name)[trial], expected, err_msg=f"{name}, trial {trial}"
            )


def test_bands_are_means_with_students_interval(result: Result) -> None:
    from scipy import stats

    found = curves.curves_of(result)
    band = curves.bands(found)["test"]
    assert band.x.tolist() == list(range(1, 41))
    low, high = stats.t.interval(0.95, 4, loc=found.test.mean(axis=0), scale=stats.sem(found.test, axis=0))
    np.testing.assert_allclose([band.mean, band.low, band.high], [found.test.mean(axis=0), low, high])


def test_curves_by_time_read_the_state_at_that_time(result: Result) -> None:
    found = curves.curves_of(result)
    band = curves.bands(found)["time_test"]
    for hours, mean in zip(band.x, band.mean):
        state = [found.test[t][found.hours[t] <= hours][-1] for t in range(5)]
        assert mean == pytest.approx(np.mean(state))
    assert band.x[-1] == found.hours[:, -1].min()
