"""Readings of section 8 against the paper, on results of searches that never took place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis import published, readings
from analysis.__main__ import main
from analysis.readings import COMBINATIONS, DEFAULT, RESAMPLES
from analysis.result import scan
from analysis.selection import Study
from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError
from tests.unit.analysis_samples import own_settings, write_run


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table 3 as printed where repeats are free, in the opposite order by default."""
    folder = tmp_path_factory.mktemp("readings")
    means = {row.label: row.value.mean for row in published.TABLE3 if row.value}
    centre = float(np.mean(list(means.values())))
    for label, mean in means.items():
        cost = {"cost": "epochs"} if label == "bohb" else {}
        for rules, sign in (({}, 1), ({"repeats": "free"}, -1)):
            write_run(
                folder,
                label,
                shift=sign * (mean - centre) / 10,
                spread=1e-5,
                protocol=rules | cost,
                settings=own_settings(label),
            )
    return folder


def test_every_combination_has_a_row_once_it_was_run(outputs: Path) -> None:
    table = readings.build(Study(scan(outputs)), 20)
    first, *others = table.data
    assert first.of == DEFAULT and first.status == "partly"
    assert {row.of for row in others} == {
        DEFAULT._replace(test="mean of runs"),
        DEFAULT._replace(repeats="free"),
        DEFAULT._replace(test="mean of runs", repeats="free"),
    }
    fits = {row.of: row.fits[150] for row in table.data}
    assert fits[DEFAULT].tau == -1
    free = fits[DEFAULT._replace(repeats="free")]
    assert free.tau == 1 and free.interval == (1, 1) and free.beats == 1
    assert free.gap < fits[DEFAULT].gap and 3200 not in table.data[0].fits
    note = table.notes[0]
    assert note.startswith("150 queries, 4 readings: nearest levels: ")
    assert "the default has τ \u22121.00" in note
    assert {len(record) for record in table.records()} == {len(table.records()[0])}


def test_the_gap_leaves_out_what_is_doubtful(outputs: Path) -> None:
    fit = readings.build(Study(scan(outputs)), 20).data[0].fits[150]
    values = {row.name: row.value for row in published.TABLE3 if row.value}
    squares = {name: (fit.means[name] - value.mean) ** 2 for name, value in values.items()}
    kept = [square for name, square in squares.items() if values[name].doubt is None]
    assert len(kept) == 6
    assert fit.gap == pytest.approx(np.sqrt(np.mean(kept)))
    assert fit.gap_all == pytest.approx(np.sqrt(np.mean(list(squares.values()))))


def test_tau_is_the_librarys() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    means, printed = rng.normal(size=(20, 8)), rng.normal(size=8)
    expected = [stats.kendalltau(row, printed).statistic for row in means]
    assert readings._tau(means, printed) == pytest.approx(expected)


def test_the_interval_follows_the_trials() -> None:
    """Two rows that trials do not tell apart: tau's interval is wide; far apart: it is a point."""
    rng = np.random.default_rng(0)
    printed = {row.name: row.value.mean for row in published.TABLE3 if row.value}
    near = {name: 6 + rng.normal(0, 1, 10) for name in printed}
    far = {name: mean + rng.normal(0, 1e-4, 10) for name, mean in printed.items()}
    assert len(readings._resampled(150, near)) == RESAMPLES
    assert np.ptp(readings._resampled(150, near)) > 0.5
    assert (readings._resampled(150, far) == 1).all()


def test_the_command_writes_three_forms_and_names_what_to_run(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["readings", "--output-dir", str(outputs), "--trials", "20"]) == 0
    assert "| same run | charged, rejected, pruned |" in capsys.readouterr().out
    assert {path.suffix for path in (outputs / "tables").glob("readings.*")} == {".tex", ".md", ".csv"}
    with pytest.raises(ConfigError, match=r"no reading .* \+experiment=readings"):
        readings.build(Study([]))


@pytest.mark.parametrize("budget", readings.EXPERIMENTS)
def test_experiments_run_what_the_table_asks_for(budget: int) -> None:
    """Every search of a combination that the experiment varies, with the labels of the paper's table."""
    jobs = experiments.jobs(readings.EXPERIMENTS[budget])
    assert {job["optimizer"] for job in jobs} == {row.label for row in readings.ROWS[budget]}
    assert {job["budget"] for job in jobs} == {budget}
    asked = {tuple(sorted(combination.reading.changes.items())) for combination in COMBINATIONS}
    varied = {
        tuple(sorted({key: job.get(key, value) for key, value in DEFAULT.reading.changes.items()}.items()))
        for job in jobs
    }
    assert varied <= asked and len(jobs) == len(varied) * len(readings.ROWS[budget])
    assert budget != 150 or varied == asked
