"""docs/images/nasbot.png: one trial of NASBOT. Run from the project's root: python -m docs.figures.nasbot"""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from analysis.style import style
from nas_bench_suite import Task
from optimizers.nasbot import NASBOT
from optimizers.parts.descriptions import row_distances
from optimizers.parts.gaussian_process import forward, sum_kernel
from studies.method_pictures.one_trial import course, one_trial


class Watched(NASBOT):
    """NASBOT that keeps what its model said of each string that it chose."""

    def start(self, task: Task) -> None:
        super().start(task)
        self.said: list[tuple[float, float]] = []

    def _choose(self, ready: np.ndarray) -> Any:
        n, y = int(self._size[0]), self._y[0, : self._size[0]].copy()
        turn = int(self._queries[0]) % len(self._theta[0])
        strings, found, rejected = super()._choose(ready)
        theta = self._theta[0, turn]
        row = self._described.describe(strings[0, :1])
        between = np.zeros((n, self._described.lanes), dtype=np.float32)
        row_distances(
            self._described.kind,
            self._described.inner,
            self._described.weights,
            row[0],
            self._rows[0],
            n,
            between,
        )
        v = np.zeros(n)
        sum_kernel(between, float(self._described.masses(row)[0]), self._masses[0], theta, v)
        forward(self._factor[0], n, v)
        mean, deviation = (
            v @ self._whitened[0, :n],
            np.sqrt(max(theta[1] + theta[2] - v @ v, 0.05 * theta[0])),
        )
        self.said.append((float(np.median(y) + y.std() * mean), float(y.std() * deviation)))
        return strings, found, rejected


def main() -> None:
    optimizer = Watched()
    errors = one_trial(optimizer)

    color = style("nasbot").color
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    course(left, errors, color, "The search")

    said = np.array(optimizer.said)
    mean, spread = 100 * (1 - said[:, 0]), 100 * said[:, 1]
    right.errorbar(errors[10:], mean, spread, fmt="o", ms=3, color=color, lw=0.6, alpha=0.45)
    limits = (4.6, 9.0)
    right.plot(limits, limits, "--", color="0.5", lw=1)
    right.set(
        xlim=limits,
        ylim=limits,
        xlabel="validation error (%)",
        ylabel="predicted before the query: mean and SD (%)",
    )
    right.set_title("What the model said of each choice")

    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig("docs/images/nasbot.png", dpi=120)


if __name__ == "__main__":
    main()
