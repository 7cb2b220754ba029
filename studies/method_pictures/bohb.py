"""BOHB: its brackets, its model, and what low fidelities tell.

Notation: T trials, Q evaluations; a *kind* says where a proposal comes from: PROMOTED, UNIFORM or MODEL.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from analysis.style import style
from nas_bench_suite import Benchmark, Lookups, Proposal, Protocol, Task, load_benchmark, search
from optimizers.bohb import BOHB
from studies.drawing import open_sided

BUDGET, SEED, TRIALS = 150, 0, 100
SETTLED = 200  # evaluations after which every trial has a model
FIDELITIES = (4, 12, 36, 108)
SAMPLE = 20_000  # uniform strings for the rank correlations
START, LENGTH = 130, 65  # the third round of all four brackets: the first in which there is a model
ENDS = (40, 53, 61)  # of the brackets within the round
DPI = 110
PROMOTED, UNIFORM, MODEL = 0, 1, 2
MARKS = {
    UNIFORM: ("uniform", "o", "black"),
    MODEL: ("from the model", "s", style("bohb").color),
    PROMOTED: ("promoted", "^", "0.6"),
}


class Data(NamedTuple):
    """What the picture shows."""

    kinds: np.ndarray  # int[T, Q]
    cells: np.ndarray  # int64[T, Q]
    epochs: np.ndarray  # int64[T, Q], fidelity of each evaluation
    errors: np.ndarray  # float64[T, Q], mean validation error of each cell at 108 epochs, percent
    correlations: np.ndarray  # float64[2, 4], rank correlation by fidelity: all cells, the best quarter


class Watched(BOHB):
    """BOHB that notes the kind of each proposal, int[T] per ask."""

    def start(self, task: Task) -> None:
        super().start(task)
        self.kinds: list[np.ndarray] = []

    def ask(self, room: np.ndarray) -> Proposal:
        _, fresh, _ = self._brackets.next()
        before = self._model_states()
        proposal = super().ask(room)
        # The model has a stream of its own, which moves when the model proposes.
        moved = np.array([a != b for a, b in zip(before, self._model_states())])
        self.kinds.append(np.where(fresh, np.where(moved, MODEL, UNIFORM), PROMOTED))
        return proposal

    def _model_states(self) -> list[int]:
        generators = self._streams.generators("bohb_model")
        return [generator.bit_generator.state["state"]["state"] for generator in generators]


def collect() -> Data:
    """Run the searches and look the cells up."""
    benchmark = load_benchmark("nasbench101_surrogate")
    watched = Watched()
    record = search(watched, benchmark, Protocol(cost="epochs"), budget=BUDGET, trials=TRIALS, seed=SEED)
    kinds = np.stack(watched.kinds, axis=1)
    epochs, cells = (record.queries[name].reshape(kinds.shape) for name in ("fidelity", "cell_id"))
    errors = 100 * (1 - benchmark.query(Lookups(cells)).validation)
    return Data(kinds, cells, epochs, errors, _correlations(benchmark))


def _correlations(benchmark: Benchmark) -> np.ndarray:
    """Spearman's rho of single runs at each fidelity with the mean at 108 epochs, over uniform strings and
    over the best quarter of them (by the single run at 108)."""
    rng = np.random.default_rng(0)
    cells = benchmark.space.cell_id(benchmark.space.sample_rng(rng, (SAMPLE,)))
    low = [
        100 * (1 - benchmark.query(Lookups(cells, rng.integers(3, size=len(cells)), epochs)).validation)
        for epochs in FIDELITIES
    ]
    best = low[-1] < np.quantile(low[-1], 0.25)
    other = 100 * (1 - benchmark.query(Lookups(cells, "mean", FIDELITIES[-1])).validation)
    return np.array(
        [
            [spearmanr(values, other)[0] for values in low],
            [spearmanr(values[best], other[best])[0] for values in low],
        ]
    )


def draw(data: Data) -> Figure:
    """One trial's round, fresh architectures by kind, and rank correlations."""
    figure = Figure(figsize=(12.5, 4.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.6, 1, 1])
    _draw_round(left, data)
    _draw_fresh(middle, data)
    _draw_correlations(right, data.correlations)
    open_sided(left, middle, right)
    return figure


def _draw_round(axis: Axes, data: Data) -> None:
    window = slice(START, START + LENGTH)
    kinds, cells = data.kinds[0, window], data.cells[0, window]
    evaluation = np.arange(START, START + LENGTH)
    rung = np.log(data.epochs[0, window] / 4) / np.log(3)
    where: dict[int, tuple[int, float]] = {}
    for i, cell, height, kind in zip(evaluation, cells, rung, kinds):
        if kind == PROMOTED:
            earlier, below = where[int(cell)]
            axis.plot([earlier, int(i)], [below, float(height)], color="0.75", lw=0.8, zorder=1)
        where[int(cell)] = (int(i), float(height))
    for kind, (name, mark, color) in MARKS.items():
        here = kinds == kind
        axis.scatter(evaluation[here], rung[here], color=color, marker=mark, s=24, label=name, zorder=2)
    for end in ENDS:
        axis.axvline(START + end - 0.5, color="0.6", lw=0.8, ls=":")
    axis.set_yticks(range(4), list(map(str, FIDELITIES)))
    axis.set(xlabel="evaluation", ylabel="training epochs", title="A trial's third round of four brackets")
    axis.legend(frameon=False, loc="upper left")


def _draw_fresh(axis: Axes, data: Data) -> None:
    bins = np.linspace(5, 14, 46)
    later = np.arange(data.kinds.shape[1]) >= SETTLED
    for kind in (UNIFORM, MODEL):
        name, _, color = MARKS[kind]
        errors = data.errors[(data.kinds == kind) & later]
        axis.hist(
            errors,
            bins.tolist(),
            density=True,
            histtype="step",
            lw=1.6,
            color=color,
            label=f"{name} ({errors.mean():.2f})",
        )
    axis.set(
        xlabel="mean validation error at 108 epochs, %", ylabel="density", title="Fresh architectures (mean)"
    )
    axis.legend(frameon=False)


def _draw_correlations(axis: Axes, correlations: np.ndarray) -> None:
    x = np.arange(len(FIDELITIES))
    axis.bar(x - 0.2, correlations[0], 0.4, color="0.6", label="all")
    axis.bar(x + 0.2, correlations[1], 0.4, color=style("bohb").color, label="best quarter")
    axis.set_xticks(x, list(map(str, FIDELITIES)))
    axis.set(xlabel="epochs of one run", ylabel="Spearman's rho", ylim=(-0.3, 1))
    axis.set_title("Rank correlation with the mean\nat 108 epochs, uniform strings")
    axis.axhline(0, color="black", lw=0.6)
    axis.legend(frameon=False, loc="upper left")
