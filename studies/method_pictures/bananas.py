"""docs/images/bananas.png: one trial of BANANAS. Run from the project's root: python -m
docs.figures.bananas"""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from analysis.style import style
from nas_bench_suite import Task, load_benchmark
from optimizers.bananas import Bananas
from studies.method_pictures.one_trial import course, one_trial


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


def main() -> None:
    optimizer = Watched()
    errors = one_trial(optimizer)
    benchmark = load_benchmark("nasbench101_surrogate")
    space = benchmark.space

    color = style("bananas").color
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    course(left, errors, color, "Rounds of ten, mutants of the best")
    for at, shade in ((4, "0.6"), (13, color)):
        data = optimizer.rounds[at]
        mean, spread = data["predictions"].mean(axis=0), data["predictions"].std(axis=0)
        truth = 100 * (
            1 - benchmark.query(space.cell_id(data["strings"]), "mean", None, data["strings"]).validation
        )
        chosen = np.isin(space.cell_id(data["strings"]), space.cell_id(data["chosen"]))
        n = 10 * (at + 1)
        right.errorbar(
            truth,
            mean,
            spread,
            fmt="o",
            ms=3,
            color=shade,
            alpha=0.5,
            lw=0.7,
            label=f"candidates after {n} queries",
        )
        edge = "black" if shade == color else "0.3"
        right.plot(
            truth[chosen], mean[chosen], "s", ms=7, mfc="none", mec=edge, label=f"the ten chosen after {n}"
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
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig("docs/images/bananas.png", dpi=130)


if __name__ == "__main__":
    main()
