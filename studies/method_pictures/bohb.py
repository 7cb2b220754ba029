"""docs/images/bohb.png: BOHB's brackets, its model, and what low fidelities tell. Run from the project's
root: python -m docs.figures.bohb"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from analysis.style import style
from nas_bench_suite import Proposal, Protocol, load_benchmark, search
from optimizers.bohb import BOHB

BUDGET, SEED, TRIALS = 150, 0, 100


class Watched(BOHB):
    """BOHB that notes which proposals came from its model (2), were uniform (1) or promoted (0), int[asks,
    T]."""

    def start(self, task) -> None:
        super().start(task)
        self.kinds: list[np.ndarray] = []

    def ask(self, room: np.ndarray) -> Proposal:
        _, fresh, _ = self._brackets.next()
        before = [
            generator.bit_generator.state["state"]["state"]
            for generator in self._streams.generators("bohb_model")
        ]
        proposal = super().ask(room)
        after = [
            generator.bit_generator.state["state"]["state"]
            for generator in self._streams.generators("bohb_model")
        ]
        moved = np.array([a != b for a, b in zip(before, after)])
        self.kinds.append(np.where(fresh, np.where(moved, 2, 1), 0))
        return proposal


def main() -> None:
    benchmark = load_benchmark("nasbench101_surrogate")
    watched = Watched()
    record = search(watched, benchmark, Protocol(cost="epochs"), budget=BUDGET, trials=TRIALS, seed=SEED)
    kinds = np.stack(watched.kinds, axis=1)
    queries = len(kinds[0])
    fidelity, cells = (record.queries[name].reshape(TRIALS, queries) for name in ("fidelity", "cell_id"))
    gold = style("bohb").color

    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(12.5, 4.3), layout="constrained", width_ratios=[1.6, 1, 1]
    )
    start = 130  # the third round of all four brackets: the first in which there is a model
    round_ = slice(start, start + 65)
    evaluation = np.arange(start, start + 65)
    rung = np.log(fidelity[0, round_] / 4) / np.log(3)
    where: dict[int, tuple[int, float]] = {}
    for i, cell, height, kind in zip(evaluation, cells[0, round_], rung, kinds[0, round_]):
        if kind == 0:
            left.plot([where[int(cell)][0], i], [where[int(cell)][1], height], color="0.75", lw=0.8, zorder=1)
        where[int(cell)] = (int(i), float(height))
    marks = {1: ("uniform", "o", "black"), 2: ("from the model", "s", gold), 0: ("promoted", "^", "0.6")}
    for kind, (name, mark, color) in marks.items():
        chosen = kinds[0, round_] == kind
        left.scatter(evaluation[chosen], rung[chosen], color=color, marker=mark, s=24, label=name, zorder=2)
    for end in (40, 53, 61):
        left.axvline(start + end - 0.5, color="0.6", lw=0.8, ls=":")
    left.set_yticks(range(4), ["4", "12", "36", "108"])
    left.set(xlabel="evaluation", ylabel="training epochs", title="A trial's third round of four brackets")
    left.legend(frameon=False, loc="upper left")

    final = 100 * (1 - benchmark.query(cells, "mean").validation)
    bins = np.linspace(5, 14, 46)
    for kind in (1, 2):
        name, _, color = marks[kind]
        chosen = (kinds == kind) & (np.arange(queries) >= 200)
        middle.hist(
            final[chosen],
            bins,
            density=True,
            histtype="step",
            lw=1.6,
            color=color,
            label=f"{name} ({final[chosen].mean():.2f})",
        )
    middle.set(
        xlabel="mean validation error at 108 epochs, %", ylabel="density", title="Fresh architectures (mean)"
    )
    middle.legend(frameon=False)

    rng = np.random.default_rng(0)
    sample = benchmark.space.cell_id(benchmark.space.sample_rng(rng, 20_000))
    low = [
        100 * (1 - benchmark.query(sample, rng.integers(3, size=len(sample)), epochs).validation)
        for epochs in (4, 12, 36, 108)
    ]
    quarter = low[3] < np.quantile(low[3], 0.25)
    other = 100 * (1 - benchmark.query(sample, "mean", 108).validation)
    x = np.arange(4)
    right.bar(x - 0.2, [spearmanr(values, other)[0] for values in low], 0.4, color="0.6", label="all")
    right.bar(
        x + 0.2,
        [spearmanr(values[quarter], other[quarter])[0] for values in low],
        0.4,
        color=gold,
        label="best quarter",
    )
    right.set_xticks(x, ["4", "12", "36", "108"])
    right.set(xlabel="epochs of one run", ylabel="Spearman's rho", ylim=(-0.3, 1))
    right.set_title("Rank correlation with the mean\nat 108 epochs, uniform strings")
    right.axhline(0, color="black", lw=0.6)
    right.legend(frameon=False, loc="upper left")
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig("docs/images/bohb.png", dpi=110)
    later = kinds[:, 200:]
    print(
        "share of fresh architectures from the model after evaluation 200:",
        ((later == 2).sum() / (later > 0).sum()).round(3),
    )


if __name__ == "__main__":
    main()
