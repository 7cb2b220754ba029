"""NASBOT: the course of one trial, and what its model said of each choice."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from analysis.style import style
from nas_bench_suite import Task
from optimizers.nasbot import NASBOT
from optimizers.nasbot.descriptions import row_distances
from optimizers.nasbot.gaussian_process import forward, sum_kernel
from studies.drawing import open_sided
from studies.method_pictures.one_trial import draw_course, one_trial

UNIFORM = 10  # queries before the model's first
DPI = 120


class Data(NamedTuple):
    """What the picture shows, in percent, Q queries."""

    errors: list[float]  # [Q], validation error of each query
    mean: np.ndarray  # float64[Q - UNIFORM], what the model predicted before the query
    deviation: np.ndarray  # float64[Q - UNIFORM], its standard deviation


class Watched(NASBOT):
    """NASBOT that keeps what its model said of each string that it chose."""

    def start(self, task: Task) -> None:
        super().start(task)
        self.said: list[tuple[float, float]] = []

    def _choose(self, ready: np.ndarray) -> Any:
        n = int(self._points.size[0])
        y = self._points.y[0, :n].copy()
        turn = int(self._queries[0]) % len(self._model.theta[0])
        strings, found, rejected = super()._choose(ready)
        theta = self._model.theta[0, turn]
        row = self._described.describe(strings[0, :1])
        between = np.zeros((n, self._described.lanes), dtype=np.float32)
        row_distances(self._described.metric, row[0], self._points.rows[0], n, between)
        v = np.zeros(n)
        sum_kernel(between, float(self._described.masses(row)[0]), self._points.masses[0], theta, v)
        forward(self._model.factor[0], n, v)
        mean, deviation = (
            v @ self._model.whitened[0, :n],
            np.sqrt(max(theta[1] + theta[2] - v @ v, 0.05 * theta[0])),
        )
        self.said.append((float(np.median(y) + y.std() * mean), float(y.std() * deviation)))
        return strings, found, rejected


def collect() -> Data:
    """Run the trial."""
    optimizer = Watched()
    errors = one_trial(optimizer)
    said = np.array(optimizer.said)
    return Data(errors, 100 * (1 - said[:, 0]), 100 * said[:, 1])


def draw(data: Data) -> Figure:
    """The course on the left; predictions against the values that came on the right."""
    color = style("nasbot").color
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_course(left, data.errors, color, "The search")
    right.errorbar(
        data.errors[UNIFORM:], data.mean, data.deviation, fmt="o", ms=3, color=color, lw=0.6, alpha=0.45
    )
    limits = (4.6, 9.0)
    right.plot(limits, limits, "--", color="0.5", lw=1)
    right.set(
        xlim=limits,
        ylim=limits,
        xlabel="validation error (%)",
        ylabel="predicted before the query: mean and SD (%)",
    )
    right.set_title("What the model said of each choice")
    open_sided(left, right)
    return figure
