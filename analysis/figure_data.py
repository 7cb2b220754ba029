"""What figures show, as tables: nothing here draws.

Errors are in percent. A *band* is a mean over trials with its 95 % interval by `x`: columns `label, x, mean,
low, high`. A figure without rows has no results yet. `analysis.figures` draws each by its `kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis import published, statistics, tables
from analysis.curves import Band
from analysis.material import ABLATION, BY_BUDGET, Material, query_words
from analysis.result import Result

BAND = "line: mean over trials; band: its 95 % interval"


@dataclass(frozen=True)
class FigureData:
    """A figure before it is drawn.

    Attributes:
        name: file name without ending.
        kind: which drawing.
        frame: the numbers.
        results: the results behind it, by which the legend and the footer go.
        axes: words of the axes, by axis or panel.
        note: what the footer says beside provenance.
        samples: label -> float[trials], where single trials are shown.
    """

    name: str
    kind: str
    frame: pd.DataFrame
    results: tuple[Result, ...] = ()
    axes: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)

    def by(self, column: str) -> dict[str, pd.DataFrame]:
        """The frame in parts, by a column, in order."""
        return dict(iter(self.frame.groupby(column, sort=False)))


def all_figures(material: Material) -> Iterator[FigureData]:
    """Every figure, in the order in which they are drawn."""
    makers: Sequence[Callable[[Material, Sequence[Result], str], FigureData]] = (
        final_errors, win_rates, unique_cells, seconds, training_time,
    )  # fmt: skip
    for budget, labels in BY_BUDGET.items():
        results = material.results(labels, budget)
        for kind in ("test", "validation"):
            yield curves(material, results, f"curves_{kind}_{budget}", kind)
        for make in makers:
            yield make(material, results, f"{make.__name__}_{budget}")
    yield curves(material, material.results(ABLATION, 150), "curves_ablation_150", "test")
    yield orderings(material, "orderings")
    yield paper_against_ours(material, "paper_against_ours")


def curves(material: Material, results: Sequence[Result], name: str, kind: str) -> FigureData:
    """Bands of the incumbent's error (`test` or `validation`) by query."""
    return FigureData(
        name,
        "curves",
        _bands((result, material.bands(result)[kind]) for result in results),
        tuple(results),
        {"x": query_words(results), "y": f"{kind} error of the incumbent, %"},
        BAND,
    )


def training_time(material: Material, results: Sequence[Result], name: str) -> FigureData:
    """Bands of the incumbent's test error by simulated training time in hours."""
    found = {
        result.label: (result, bands["time_test"])
        for result in results
        if "time_test" in (bands := material.bands(result))
    }
    return FigureData(
        name,
        "training_time",
        _bands(found.values()),
        tuple(result for result, _ in found.values()),
        {
            "x": "simulated training time, hours (log scale)",
            "y": "test error of the incumbent, %",
        },
        f"{BAND}; a curve ends where the first of its trials does",
    )


def final_errors(material: Material, results: Sequence[Result], name: str) -> FigureData:
    """Final test errors, best mean first: `label, q25, median, q75, mean, low, high`, and the trials'."""
    ranked = _ranked(results)
    samples = {result.label: result.errors.to_numpy() for result in ranked}
    rows = []
    for label, sample in samples.items():
        q25, median, q75 = np.percentile(sample, [25, 50, 75])
        rows.append({"label": label, "q25": q25, "median": median, "q75": q75, **_mean(sample)})
    axes = {"x": "final test error, %"}
    note = "violin: trials; bar: quartiles; dot: mean with its 95 % interval"
    return FigureData(name, "final_errors", pd.DataFrame(rows), tuple(ranked), axes, note, samples)


def win_rates(material: Material, results: Sequence[Result], name: str) -> FigureData:
    """How often the row's method ends below the column's, over all pairs of trials: a square by label."""
    ranked = _ranked(results) if len(results) > 1 else []
    samples = {result.label: result.errors.to_numpy() for result in ranked}
    matrix = statistics.win_rate_matrix(samples)
    axes = {"color": "share of pairs of trials in which the row\nhas the lower test error, ties half"}
    frame = pd.DataFrame(matrix, index=list(samples), columns=list(samples))
    return FigureData(name, "win_rates", frame, tuple(ranked), axes)


def unique_cells(material: Material, results: Sequence[Result], name: str) -> FigureData:
    """Bands of the number of distinct cells and of repeats (column `kind`) by query."""
    axes = {
        "x": query_words(results),
        "unique": "distinct cells per trial",
        "repeats": "queries on a cell seen before at that\nfidelity, per trial",
    }
    parts = [
        _bands((result, material.bands(result)[kind]) for result in results).assign(kind=kind)
        for kind in ("unique", "repeats")
    ]
    return FigureData(name, "unique_cells", pd.concat(parts), tuple(results), axes, BAND)


def seconds(material: Material, results: Sequence[Result], name: str) -> FigureData:
    """Seconds of the method itself per trial, against the error it ends with: `label, seconds, mean, low,
    high`."""
    rows = [
        {
            "label": result.label,
            "seconds": float(result.column("optimizer_seconds").mean()),
            **_mean(result.errors.to_numpy()),
        }
        for result in results
    ]
    axes = {
        "x": "seconds of the optimizer itself, per trial (log scale)",
        "y": "final test error, %",
    }
    note = (
        "mean and 95 % interval; wall-clock seconds of the machine as it was, loading compiled code included"
    )
    return FigureData(name, "seconds", pd.DataFrame(rows), tuple(results), axes, note)


def orderings(material: Material, name: str) -> FigureData:
    """Table 6: error by the number S of autoregressive orders: `source, S, mean, low, high`, the paper's
    first."""
    rows: list[dict[str, object]] = []
    used: list[Result] = []
    for row in tables.TABLE6.rows:
        result = material.study.find(row.job(tables.TABLE6.budget))
        s = row.name.removeprefix("S = ")
        if row.value is not None:
            half = _half(row.value)
            mean = row.value.mean
            rows.append({"source": "paper", "S": s, "mean": mean, "low": mean - half, "high": mean + half})
        if isinstance(result, Result):
            rows.append({"source": "ours", "S": s, **_mean(result.errors.to_numpy())})
            used.append(result)
    axes = {"x": "number S of autoregressive orders", "y": "test error, %"}
    note = "mean and 95 % interval; the paper's from its SD over 500 trials"
    return FigureData(name, "orderings", pd.DataFrame(rows if used else []), tuple(used), axes, note)


def paper_against_ours(material: Material, name: str) -> FigureData:
    """Published means against ours, one row for each row of tables 3 to 6 that has both: `place` (0: tables 3
    and 4, 1: 5 and 6), `table, label, paper, paper_half, mean, low, high, doubtful, filled`."""
    rows: list[dict[str, object]] = []
    used: list[Result] = []
    axes = {"x": "paper: test error, %", "y": "ours: test error, %"}
    for place, pair in enumerate(((tables.TABLE3, tables.TABLE4), (tables.TABLE5, tables.TABLE6))):
        first, second = (table.name.removeprefix("table") for table in pair)
        axes[f"title {place}"] = f"{pair[0].budget:,} queries (table {first} filled, table {second} hollow)"
        for table in pair:
            for row in table.rows:
                result = material.study.find(row.job(table.budget))
                if not isinstance(result, Result) or row.value is None or not len(result.errors):
                    continue
                used.append(result)
                rows.append(
                    {
                        "place": place,
                        "table": table.name,
                        "label": row.label,
                        "paper": row.value.mean,
                        "paper_half": _half(row.value),
                        **_mean(result.errors.to_numpy()),
                        "doubtful": row.value.doubt is not None,
                        "filled": table is pair[0],
                    }
                )
    note = "bars: 95 % intervals; dotted: equal; ring: doubtful"
    return FigureData(name, "paper_against_ours", pd.DataFrame(rows), tuple(used), axes, note)


def _ranked(results: Sequence[Result]) -> list[Result]:
    return sorted(results, key=lambda result: float(result.errors.mean()))


def _mean(sample: np.ndarray) -> dict[str, float]:
    """`mean, low, high` of a sample."""
    described = statistics.describe(sample)
    return {"mean": described.mean, "low": described.interval.low, "high": described.interval.high}


def _half(value: published.Value) -> float:
    """Half the 95 % interval of a published mean."""
    return float(1.96 * value.sd / np.sqrt(published.PUBLISHED_TRIALS))


def _bands(found: Iterable[tuple[Result, Band]]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {"label": result.label, "x": band.x, "mean": band.mean, "low": band.low, "high": band.high}
        )
        for result, band in found
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
