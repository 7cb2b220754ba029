"""docs/images/tpe.png: what TPE's model comes to believe. Run from the project's root: python -m
docs.figures.tpe"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from analysis.style import style
from nas_bench_suite import Outcome, Proposal, Streams, load_benchmark, search
from optimizers.random_search import RandomSearch
from optimizers.tpe import TPE

BUDGET, SEED, TRIALS, DRAWS = 150, 0, 500, 400


class Watched(TPE):
    """TPE that notes, before each suggestion of trial 0, how its suggestions are distributed."""

    def start(self, task) -> None:
        super().start(task)
        self.shares: list[np.ndarray] = []
        self.valid: list[bool] = []
        self._apart = Streams(SEED + 1, 1).typed("figure")  # so that looking does not change the search

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        super().tell(proposal, outcome)
        if self._histories.count[0] >= self.startup:
            drawn = self._histories.suggest(np.zeros(DRAWS, dtype=np.int64), self._apart, self.candidates)
            most = int(self._space.sizes.max())
            self.shares.append(np.stack([(drawn == choice).mean(axis=0) for choice in range(most)], axis=1))


def repeats(record) -> np.ndarray:
    """Share of trials whose q-th query repeats a cell of theirs, float64[BUDGET]."""
    cells = record.queries["cell_id"].reshape(TRIALS, BUDGET)
    return np.array([[cell in set(row[:q]) for q, cell in enumerate(row)] for row in cells]).mean(axis=0)


def main() -> None:
    benchmark = load_benchmark("nasbench101_surrogate")
    watched = Watched()
    search(watched, benchmark, budget=BUDGET, trials=1, seed=SEED)
    records = {"tpe": search(TPE(), benchmark, budget=BUDGET, trials=TRIALS, seed=SEED)}
    records["random"] = search(RandomSearch(), benchmark, budget=BUDGET, trials=TRIALS, seed=SEED)

    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(12.5, 4.3), layout="constrained", width_ratios=[1.5, 1, 1]
    )
    shares = np.stack(watched.shares)  # [suggestion, variable, choice]
    edges = shares[:, :21, 1].T
    kept = shares[:, 21:, benchmark.space.variables[-1].choices.index("conv3x3")].T
    image = left.imshow(
        np.concatenate([edges, kept]), aspect="auto", cmap="cividis", vmin=0, vmax=1, interpolation="nearest",
        extent=(watched.startup, watched.startup + len(shares), 26, 0),
    )  # fmt: skip
    left.axhline(21, color="white", lw=1)
    left.set_yticks([0, 21, 26], [])
    for middle_of, text in ((10.5, "21 edges:\npresent"), (23.5, "5 operations:\nconv3x3")):
        left.text(watched.startup - 3, middle_of, text, ha="right", va="center")
    left.set(
        xlabel="suggestion of one trial, invalid ones included", title="Probability in the next suggestion"
    )
    figure.colorbar(image, ax=left, shrink=0.8)

    queries = np.arange(1, BUDGET + 1)
    for label, record in records.items():
        look = style(label)
        middle.plot(queries, 100 * repeats(record), color=look.color, label=look.name)
        best = np.minimum.accumulate(100 * (1 - record.queries["validation"].reshape(TRIALS, BUDGET)), axis=1)
        right.plot(queries, best.mean(axis=0), color=look.color, label=look.name)
    middle.set(xlabel="query", ylabel="% of trials", title="Queries that repeat a cell", ylim=(0, 100))
    right.set(
        xlabel="query",
        ylabel="validation error of the incumbent, %",
        title=f"Incumbent, mean of {TRIALS} trials",
        ylim=(5.3, 7.5),
    )
    for axes in (middle, right):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig("docs/images/tpe.png", dpi=110)


if __name__ == "__main__":
    main()
