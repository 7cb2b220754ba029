"""The study of draws: coverage against laws that are known, levels from small results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas_bench_suite.benchmark import Lookups
from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import to_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.noise import GRID, Noise
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import load_observed
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.job import run_job
from studies.draws import calibration, folds
from studies.draws.__main__ import differences_markdown, levels_markdown
from studies.draws.figure import draw
from studies.draws.levels import between_draws, differences, levels, published
from studies.draws.observed import keep_observed
from tests.laws.collect import composed

TRIALS = 20


@pytest.fixture(scope="module")
def noise() -> Noise:
    return NASBench101Surrogate()._artefact.noise


def test_the_model_covers_what_it_draws_itself(noise: Noise) -> None:
    """Cells drawn by the model, held against further draws of it: every interval holds what it says."""
    rng = np.random.default_rng(0)
    cells = rng.choice(np.arange(1000, 400_000), 2000, replace=False)
    mean = rng.uniform(0.87, 0.945, len(cells))
    drawn = calibration.sample(mean, cells, noise, 301)
    truth, rest = drawn[0], drawn[1:]
    for got in (
        calibration.coverage("one run", rest[:, :, 0, 0], truth[:, 0, 0]),
        calibration.coverage("test", rest[:, :, 0, 1], truth[:, 0, 1]),
        calibration.coverage("best of three", rest[..., 0].max(axis=2), truth[..., 0].max(axis=1)),
    ):
        assert got.cells == 2000 and got.below == pytest.approx(0.5, abs=0.02)
        np.testing.assert_allclose(got.shares, calibration.SHARES, atol=0.03)
    best, theirs = rest[..., 0].max(axis=2), truth[..., 0].max(axis=1)
    for share in (1.0, 0.1):
        got = calibration.differences("pairs", share, mean, theirs, best)
        np.testing.assert_allclose(got.shares, calibration.SHARES, atol=0.06)
    for pairs in calibration.order_of_pairs(mean, theirs, best):
        assert pairs.right == pytest.approx(pairs.expected, abs=0.08)
    for quantile in calibration.quantiles(theirs, best):
        assert quantile.low - 1e-3 <= quantile.observed <= quantile.high + 1e-3


def test_coverage_notices_draws_that_are_too_narrow_or_off() -> None:
    rng = np.random.default_rng(1)
    observed = np.rint(9000 + 30 * rng.standard_normal(4000)) / GRID
    right = np.rint(9000 + 30 * rng.standard_normal((400, 4000))) / GRID
    narrow = np.rint(9000 + 15 * rng.standard_normal((400, 4000))) / GRID
    np.testing.assert_allclose(calibration.coverage("", right, observed).shares, (0.5, 0.8, 0.95), atol=0.02)
    # The middle half of a normal law of half the width: P(|z| < .674 / 2) = .264.
    assert calibration.coverage("", narrow, observed).shares[0] == pytest.approx(0.264, abs=0.03)
    assert calibration.coverage("", right + 30 / GRID, observed).below < 0.3


def test_folds_are_disjoint_tenths() -> None:
    parts = [folds.rows_of(fold, 25_000) for fold in range(10)]
    np.testing.assert_array_equal(np.sort(np.concatenate([inside for inside, _ in parts])), np.arange(25_000))
    for inside, outside in parts:
        assert len(inside) == 2500 and not np.intersect1d(inside, outside).size
    with pytest.raises(ConfigError, match=r"to make them: python -m studies\.draws\.folds"):
        folds.read(Path("nowhere"))


def test_alike_cells_that_err_alike_are_noticed() -> None:
    rng = np.random.default_rng(2)
    features = rng.random((1500, 2))
    smooth = np.sin(9 * features[:, 0]) + np.sin(9 * features[:, 1])
    alike, random = calibration.neighbours(smooth, features)
    assert alike > 0.9 and abs(random) < 0.1
    assert abs(calibration.neighbours(rng.random(1500), features)[0]) < 0.1


def test_levels_by_draw(tmp_path: Path) -> None:
    for label in ("random", "regularized_evolution"):
        for number in (0, 1, 2):
            words = (f"optimizer={label}", f"benchmark.draw={number}", "budget=150", f"trials={TRIALS}")
            run_job(composed(*words, f"output_dir={tmp_path}"), label, "nasbench101_surrogate")
    found = levels(tmp_path)
    assert [level.label for level in found] == ["random"] * 2 + ["regularized_evolution"] * 2
    for level in found:
        assert level.trials == TRIALS and level.draws.tolist() == [0, 1, 2] and len(level.drawn) == 2
        assert len(set(level.errors)) == 3 and ((level.errors > 5) & (level.errors < 7.5)).all()
        assert between_draws(level) >= 0
    assert found[0].errors.mean() < found[1].errors.mean()  # the run that won was lucky
    apart = differences(found)
    np.testing.assert_allclose(apart[0].errors, found[2].errors - found[0].errors)
    assert published("random") == (6.341, 6.56) and published("remaade") is None
    assert "6.34 to 6.56" in levels_markdown(found) and "of 2 |" in differences_markdown(apart)
    draw(found, [calibration.coverage("all", np.zeros((4, 5)), np.zeros(5))]).savefig(tmp_path / "x.png")
    with pytest.raises(ConfigError, match="lacks draws of random"):
        run_job(
            composed("benchmark.draw=3", "budget=150", "trials=3", f"output_dir={tmp_path}"),
            "regularized_evolution",
            "nasbench101_surrogate",
        )
        levels(tmp_path)


def test_observed_values_can_be_kept(shared_data: Path) -> None:
    seen = load_observed(shared_data / "nasbench101" / "observed_25000_cells.csv.gz")
    benchmark = NASBench101Surrogate(draw=1)
    before = benchmark._runs.astype(np.int64)
    keep_observed(benchmark, seen)
    cells = benchmark.space.cell_id(to_strings(seen.adjacency, seen.ops))
    big = cells >= 91
    after, own = benchmark._runs.astype(np.int64), cells[big]
    np.testing.assert_array_equal(after[own, :, 0].max(axis=1), np.rint(seen.accuracies[big, 3] * GRID))
    others = np.setdiff1d(np.arange(len(after)), own)
    np.testing.assert_array_equal(after[others], before[others])
    got = benchmark.query(Lookups(own, 0))
    np.testing.assert_allclose(got.validation * GRID, after[own, 0, 0], atol=1e-6)
