"""Three policies while they learn: the probability of each choice by update, MAADE, MADE and independent
variables side by side.

One search each with the paper's settings for the short term, the same seed, and 100 updates. After every
update 2,000 strings are drawn from the policy, by a generator of their own, so that the search is what it
would have been; invalid strings are among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.axes import ONE, SMALLEST, TWO
from analysis.style import style
from nas_bench_suite import Outcome, Proposal, SearchSpace, Task, load_benchmark, search
from optimizers.reinforce import Reinforce

BUDGET, SEED, STRINGS = 3000, 0, 2000
POLICIES = {"maade": "remaade", "made": "reinforce_made", "independent": "reinforce"}  # -> label of its style
DPI = 160
STEP = 2  # updates from frame to frame
MILLISECONDS = 140


class Data(NamedTuple):
    """What the pictures show.

    Attributes:
        rows: what a row of `probabilities` is, as "edge 1-2" or "op 1: conv3x3".
        probabilities: policy -> float64[updates + 1, rows], the share of strings with that choice.
        errors: policy -> float64[updates], mean validation error of each batch, percent.
    """

    rows: list[str]
    probabilities: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]


class Watched(Reinforce):
    """Keeps what the policy of the first trial proposes after each update."""

    def start(self, task: Task) -> None:
        super().start(task)
        self.own = np.random.default_rng(SEED)
        self.seen = [self._shares()]
        self.batches: list[float] = []

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        super().tell(proposal, outcome)
        self.seen.append(self._shares())
        self.batches.append(100 * (1 - float(np.nanmean(outcome.accuracy[0]))))

    def _shares(self) -> np.ndarray:
        """float64[rows]: the share of each choice among strings of the policy."""
        uniforms = self.own.random((1, STRINGS, self.task.space.num_variables))
        with torch.no_grad():
            strings = self.policy.sample(self.theta[:1], torch.as_tensor(uniforms))[0].numpy()
        return np.array([(strings[:, i] == choice).mean() for i, choice, _ in rows_of(self.task.space)])


def rows_of(space: SearchSpace) -> list[tuple[int, int, str]]:
    """Variable, choice and name of each row: the second choice of a binary variable, else every choice."""
    out = []
    for i, variable in enumerate(space.variables):
        if len(variable.choices) == 2:
            out.append((i, 1, variable.name))
        else:
            out += [(i, c, f"{variable.name}: {word}") for c, word in enumerate(variable.choices)]
    return out


def collect() -> Data:
    """Run the three searches."""
    benchmark = load_benchmark("nasbench101_surrogate")
    probabilities, errors = {}, {}
    for policy in POLICIES:
        optimizer = Watched(policy=policy, learning_rate=0.01, batch_size=30)
        search(optimizer, benchmark, budget=BUDGET, trials=1, seed=SEED)
        probabilities[policy], errors[policy] = np.array(optimizer.seen), np.array(optimizer.batches)
    return Data([name for _, _, name in rows_of(benchmark.space)], probabilities, errors)


def draw(data: Data) -> Figure:
    """A map for each policy, and below it the error of its batches."""
    figure = Figure(figsize=(TWO, 6.0), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col", height_ratios=(5, 1))
    low = min(errors.min() for errors in data.errors.values()) - 0.2
    high = max(np.percentile(errors, 98) for errors in data.errors.values())
    edges = sum(":" not in row for row in data.rows)
    for column, (policy, shares) in enumerate(data.probabilities.items()):
        axis, below = axes[0, column], axes[1, column]
        image = axis.imshow(shares.T, vmin=0, vmax=1, cmap="viridis", aspect="auto", interpolation="nearest")
        axis.axhline(edges - 0.5, color="white", linewidth=1)
        axis.set_title(style(POLICIES[policy]).name, fontsize=7.5)
        _name_rows(axis, data.rows if column == 0 else [])
        below.plot(
            np.arange(1, len(shares)), data.errors[policy], color=style(POLICIES[policy]).color, lw=0.9
        )
        below.set_ylim(low, high)
        below.set_xlabel("update", fontsize=7)
        below.tick_params(labelsize=SMALLEST, labelleft=column == 0)
        below.grid(color="#E4E4E4", linewidth=0.5)
        below.spines[["top", "right"]].set_visible(False)
    axes[1, 0].set_ylabel("validation error of\nthe batch, %", fontsize=SMALLEST)
    bar = figure.colorbar(image, ax=axes[0, :], aspect=30, pad=0.01)
    bar.set_label("probability of the choice", fontsize=7)
    bar.ax.tick_params(labelsize=SMALLEST)
    return figure


def animate(data: Data, path: Path) -> None:
    """The same, update by update: a bar for each row, as a GIF."""
    from matplotlib.animation import FuncAnimation, PillowWriter

    figure = Figure(figsize=(TWO, ONE), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    places, bars = np.arange(len(data.rows))[::-1], {}
    for column, (policy, shares) in enumerate(data.probabilities.items()):
        axis = axes[column]
        bars[policy] = axis.barh(places, shares[0], color=style(POLICIES[policy]).color, height=0.85)
        axis.set_xlim(0, 1)
        axis.set_xticks([0, 0.5, 1])
        axis.tick_params(labelsize=SMALLEST)
        axis.set_yticks([])
        axis.set_title(style(POLICIES[policy]).name, fontsize=7.5)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlabel("probability of the choice", fontsize=7)
    axes[0].set_ylabel("operations   |   edges", fontsize=7)
    heading = figure.suptitle("update 0", fontsize=8)

    def show(update: int) -> list[object]:
        for policy, shares in data.probabilities.items():
            for bar, share in zip(bars[policy], shares[min(update, len(shares) - 1)]):
                bar.set_width(share)
        heading.set_text(f"update {update}")
        return []

    last = max(map(len, data.probabilities.values())) - 1
    frames = [*range(0, last + 1, STEP), *[last] * 8]
    animation = FuncAnimation(figure, show, frames=frames, interval=MILLISECONDS, blit=False)  # type: ignore[arg-type]
    animation.save(path, writer=PillowWriter(fps=round(1000 / MILLISECONDS)), dpi=110)
    print(f"wrote {path}")


def _name_rows(axis: Axes, rows: list[str]) -> None:
    axis.set_yticks(range(len(rows)), rows, fontsize=SMALLEST)
    axis.tick_params(length=0)
