"""docs/images/alphax.png: one trial's search tree. Run from the project's root: python -m
docs.figures.alphax"""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from analysis.style import style
from nas_bench_suite import load_benchmark, search
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from optimizers.alphax import AlphaX
from optimizers.random_search import RandomSearch

BUDGET, SEED, TRIALS = 150, 0, 50


def angles(parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polar angle and depth of every node: leaves are spread evenly, a parent sits amid its children."""
    children: list[list[int]] = [[] for _ in parent]
    for node, above in enumerate(parent):
        if above >= 0:
            children[above].append(node)
    angle, depth = np.zeros(len(parent)), np.zeros(len(parent))
    leaves = sum(not below for below in children)
    placed = 0
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        for child in children[node]:
            depth[child] = depth[node] + 1
            stack.append(child)
    for node in order:
        if not children[node]:
            angle[node] = 2 * np.pi * placed / leaves
            placed += 1
    for node in reversed(order):
        if children[node]:
            angle[node] = np.mean(angle[children[node]])
    return angle, depth


def main() -> None:
    benchmark = load_benchmark("nasbench101_surrogate")
    space = benchmark.space
    assert isinstance(space, NASBench101Space)
    optimizer = AlphaX()
    record = search(optimizer, benchmark, budget=BUDGET, trials=TRIALS, seed=SEED)
    uniform = search(RandomSearch(), benchmark, budget=BUDGET, trials=TRIALS, seed=SEED)
    again = search(AlphaX(reuse=False), benchmark, budget=BUDGET, trials=TRIALS, seed=SEED)

    figure = plt.figure(figsize=(10, 4.6), layout="constrained")
    left = figure.add_subplot(1, 2, 1)
    right = figure.add_subplot(1, 2, 2)
    size = int(optimizer.trees.size[0])
    parent, value, visits = (
        column[0, :size] for column in (optimizer.trees.parent, optimizer.trees.value, optimizer.trees.visits)
    )
    angle, depth = angles(parent)
    x, y = depth * np.cos(angle), depth * np.sin(angle)
    for node in range(1, size):
        left.plot([x[parent[node]], x[node]], [y[parent[node]], y[node]], color="0.8", lw=0.5, zorder=1)
    invalid = value == 0
    left.scatter(
        x[invalid],
        y[invalid],
        s=8,
        color="white",
        edgecolors="0.5",
        lw=0.6,
        zorder=2,
        label="stops at an invalid graph",
    )
    shown = left.scatter(
        x[~invalid],
        y[~invalid],
        s=8 + 3 * np.sqrt(visits[~invalid]),
        c=100 * value[~invalid],
        cmap="viridis",
        vmin=60,
        vmax=94,
        zorder=3,
    )
    figure.colorbar(shown, ax=left, label="X: mean value of a node (%)", shrink=0.8)
    left.set_aspect("equal")
    left.axis("off")
    left.legend(frameon=False, fontsize=8, loc="lower left")
    left.set_title(f"The tree after {BUDGET} queries: {size} nodes, area by visits", fontsize=10)

    sizes = np.arange(2, 8)
    for k, (label, color, ran) in enumerate(
        (
            ("uniform strings", style("random").color, uniform),
            ("AlphaX", style("alphax").color, record),
            ("AlphaX, known cells charged", "#E9C4DA", again),
        )
    ):
        vertices = space.cell_vertices[ran.queries["cell_id"]]
        right.bar(
            sizes + 0.27 * (k - 1),
            [100 * (vertices == v).mean() for v in sizes],
            0.25,
            color=color,
            label=label,
        )
    right.set(xlabel="vertices of the cell after pruning", ylabel="share of the queries (%)")
    right.set_title(f"What is evaluated ({TRIALS} trials)", fontsize=10)
    right.set_ylim(0, 68)
    right.legend(frameon=False)
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig("docs/images/alphax.png", dpi=130)


if __name__ == "__main__":
    main()
