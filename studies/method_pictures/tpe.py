"""TPE: what its model comes to believe in one trial, how often it repeats cells, and how well it does.

Notation: N variables, K choices of the variable that has most, S suggestions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.style import style
from nas_bench_suite import Optimizer, Outcome, Proposal, Streams, Task, load_benchmark, search
from optimizers.random_search import RandomSearch
from optimizers.tpe import TPE
from studies.drawing import open_sided

BUDGET, SEED, TRIALS, DRAWS = 150, 0, 500, 400
EDGES = 21  # variables that are edges; five operations follow
DPI = 110


class Course(NamedTuple):
    """A method over its queries, all trials."""

    repeats: np.ndarray  # float64[BUDGET], share of the trials whose query repeats a cell of theirs
    best: np.ndarray  # float64[BUDGET], mean validation error of the incumbent, percent


class Data(NamedTuple):
    """What the picture shows."""

    startup: int  # uniform suggestions before the model's first
    shares: np.ndarray  # float64[26, S], of an edge, then of the operation conv3x3, in the next suggestion
    courses: dict[str, Course]  # by label


class Watched(TPE):
    """TPE that notes, before each suggestion of trial 0, how its suggestions are distributed, float64[N,
    K]."""

    def start(self, task: Task) -> None:
        super().start(task)
        self.shares: list[np.ndarray] = []
        self._apart = Streams(SEED + 1, 1).typed("figure")  # so that looking does not change the search

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        super().tell(proposal, outcome)
        if self._histories.count[0] >= self.startup:
            drawn = self._histories.suggest(np.zeros(DRAWS, dtype=np.int64), self._apart, self.candidates)
            most = int(self._space.sizes.max())
            self.shares.append(np.stack([(drawn == choice).mean(axis=0) for choice in range(most)], axis=1))


def collect() -> Data:
    """Run the searches."""
    benchmark = load_benchmark("nasbench101_surrogate")
    watched = Watched()
    search(watched, benchmark, budget=BUDGET, trials=1, seed=SEED)
    shares = np.stack(watched.shares)
    convolution = benchmark.space.variables[-1].choices.index("conv3x3")
    shown = np.concatenate([shares[:, :EDGES, 1].T, shares[:, EDGES:, convolution].T])

    def course(optimizer: Optimizer) -> Course:
        queries = search(optimizer, benchmark, budget=BUDGET, trials=TRIALS, seed=SEED).queries
        cells = queries["cell_id"].reshape(TRIALS, BUDGET)
        known = [[cell in set(row[:q]) for q, cell in enumerate(row)] for row in cells]
        errors = 100 * (1 - queries["validation"].reshape(TRIALS, BUDGET))
        return Course(np.mean(known, axis=0), np.minimum.accumulate(errors, axis=1).mean(axis=0))

    return Data(watched.startup, shown, {"tpe": course(TPE()), "random": course(RandomSearch())})


def draw(data: Data) -> Figure:
    """The model's belief on the left, repeats in the middle, incumbents on the right."""
    figure = Figure(figsize=(12.5, 4.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.5, 1, 1])
    _draw_shares(figure, left, data)
    queries = np.arange(1, BUDGET + 1)
    for label, course in data.courses.items():
        look = style(label)
        middle.plot(queries, 100 * course.repeats, color=look.color, label=look.name)
        right.plot(queries, course.best, color=look.color, label=look.name)
    middle.set(xlabel="query", ylabel="% of trials", title="Queries that repeat a cell", ylim=(0, 100))
    right.set(
        xlabel="query",
        ylabel="validation error of the incumbent, %",
        title=f"Incumbent, mean of {TRIALS} trials",
        ylim=(5.3, 7.5),
    )
    for axis in (middle, right):
        axis.legend(frameon=False)
    open_sided(middle, right)
    return figure


def _draw_shares(figure: Figure, axis: Axes, data: Data) -> None:
    variables, suggestions = data.shares.shape
    image = axis.imshow(
        data.shares,
        aspect="auto",
        cmap="cividis",
        vmin=0,
        vmax=1,
        interpolation="nearest",
        extent=(data.startup, data.startup + suggestions, variables, 0),
    )
    axis.axhline(EDGES, color="white", lw=1)
    axis.set_yticks([0, EDGES, variables], [])
    for height, text in ((EDGES / 2, "21 edges:\npresent"), (23.5, "5 operations:\nconv3x3")):
        axis.text(data.startup - 3, height, text, ha="right", va="center")
    axis.set(
        xlabel="suggestion of one trial, invalid ones included", title="Probability in the next suggestion"
    )
    figure.colorbar(image, ax=axis, shrink=0.8)
