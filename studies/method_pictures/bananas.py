"""BANANAS: the course of one trial, and what its networks say of the candidates of two rounds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from analysis.style import style
from nas_bench_suite import Lookups, Task, load_benchmark
from optimizers.bananas import Bananas
from studies.drawing import open_sided
from studies.method_pictures.one_trial import draw_course, one_trial

ROUNDS = (4, 13)  # an early and a late one, of ten queries each
DPI = 130


class Round(NamedTuple):
    """A round of the trial, C candidates."""

    queries: int  # before it
    truth: np.ndarray  # float64[C], mean validation error over runs, percent
    predictions: np.ndarray  # float32[networks, C], percent
    chosen: np.ndarray  # bool[C]


class Data(NamedTuple):
    """What the picture shows."""

    errors: list[float]  # validation error of each query, percent
    rounds: list[Round]


class Watched(Bananas):
    """BANANAS that keeps each round's candidates and what its networks say of them."""

    def start(self, task: Task) -> None:
        super().start(task)
        self.rounds: list[dict[str, Any]] = []
        inner = self.ensemble

        class Listening:
            def fit(self, *args: Any) -> np.ndarray:
                return inner.fit(*args)

            def predict(self, *args: Any) -> np.ndarray:
                self.last = inner.predict(*args)
                return self.last

        self.listening = Listening()

    def _choose(self, trials: np.ndarray, strings: np.ndarray, asked: np.ndarray, room: np.ndarray) -> Any:
        kept, self.ensemble = self.ensemble, self.listening  # type: ignore[assignment]
        chosen, sizes = super()._choose(trials, strings, asked, room)
        self.ensemble = kept
        if len(trials):
            self.rounds.append(
                {
                    "strings": strings[0, : asked[0]],
                    "predictions": self.listening.last[0],
                    "chosen": chosen[0],
                }
            )
        return chosen, sizes


def collect() -> Data:
    """Run the trial."""
    optimizer = Watched()
    errors = one_trial(optimizer)
    benchmark = load_benchmark("nasbench101_surrogate")
    space = benchmark.space
    rounds = []
    for at in ROUNDS:
        seen = optimizer.rounds[at]
        cells = space.cell_id(seen["strings"])
        truth = 100 * (1 - benchmark.query(Lookups(cells)).validation)
        chosen = np.isin(cells, space.cell_id(seen["chosen"]))
        rounds.append(Round(10 * (at + 1), truth, seen["predictions"], chosen))
    return Data(errors, rounds)


def draw(data: Data) -> Figure:
    """The course on the left; predictions against the truth on the right."""
    color = style("bananas").color
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_course(left, data.errors, color, "Rounds of ten, mutants of the best")
    for round_, shade, edge in zip(data.rounds, ("0.6", color), ("0.3", "black")):
        mean, spread = round_.predictions.mean(axis=0), round_.predictions.std(axis=0)
        right.errorbar(
            round_.truth,
            mean,
            spread,
            fmt="o",
            ms=3,
            color=shade,
            alpha=0.5,
            lw=0.7,
            label=f"candidates after {round_.queries} queries",
        )
        right.plot(
            round_.truth[round_.chosen],
            mean[round_.chosen],
            "s",
            ms=7,
            mfc="none",
            mec=edge,
            label=f"the ten chosen after {round_.queries}",
        )
    limits = (4.8, 8.2)
    right.plot(limits, limits, "--", color="0.5", lw=1)
    right.set(
        xlim=limits,
        ylim=limits,
        xlabel="mean validation error over runs (%)",
        ylabel="predicted: mean and SD of 5 networks (%)",
    )
    right.set_title("What the networks say of the candidates")
    right.legend(frameon=False, fontsize=8)
    open_sided(left, right)
    return figure
