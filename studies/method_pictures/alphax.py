"""AlphaX: one trial's search tree, and the sizes of the cells that a search evaluates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.style import style
from nas_bench_suite import Optimizer, load_benchmark, search
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from optimizers.alphax import AlphaX
from optimizers.random_search import RandomSearch
from studies.drawing import open_sided

BUDGET, SEED, TRIALS = 150, 0, 50
SIZES = np.arange(2, 8)  # vertices of a cell
DPI = 130


class Tree(NamedTuple):
    """A trial's search tree of `n` nodes, the root first."""

    parent: np.ndarray  # int[n], -1 for the root
    value: np.ndarray  # float[n], mean accuracy; 0 where the graph is invalid
    visits: np.ndarray  # int[n]


class Data(NamedTuple):
    """What the picture shows."""

    tree: Tree
    shares: list[np.ndarray]  # float64[6] for each of SEARCHES: share of the queries by SIZES


SEARCHES = (
    ("uniform strings", style("random").color),
    ("AlphaX", style("alphax").color),
    ("AlphaX, known cells charged", "#E9C4DA"),
)


def collect() -> Data:
    """Run the searches."""
    benchmark = load_benchmark("nasbench101_surrogate")
    space = benchmark.space
    assert isinstance(space, NASBench101Space)

    def shares(optimizer: Optimizer) -> np.ndarray:
        record = search(optimizer, benchmark, budget=BUDGET, trials=TRIALS, seed=SEED)
        vertices = space.cell_vertices[record.queries["cell_id"]]
        return np.array([(vertices == size).mean() for size in SIZES])

    optimizer = AlphaX()
    found = [shares(method) for method in (RandomSearch(), optimizer, AlphaX(reuse=False))]
    nodes = optimizer.trees.nodes
    size = int(nodes.size[0])
    return Data(Tree(nodes.parent[0, :size], nodes.value[0, :size], nodes.visits[0, :size]), found)


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


def draw(data: Data) -> Figure:
    """The tree on the left, the sizes on the right."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    _draw_tree(figure, left, data.tree)
    for k, ((label, color), shares) in enumerate(zip(SEARCHES, data.shares)):
        right.bar(SIZES + 0.27 * (k - 1), 100 * shares, 0.25, color=color, label=label)
    right.set(xlabel="vertices of the cell after pruning", ylabel="share of the queries (%)")
    right.set_title(f"What is evaluated ({TRIALS} trials)", fontsize=10)
    right.set_ylim(0, 68)
    right.legend(frameon=False)
    open_sided(right)
    return figure


def _draw_tree(figure: Figure, axis: Axes, tree: Tree) -> None:
    angle, depth = angles(tree.parent)
    x, y = depth * np.cos(angle), depth * np.sin(angle)
    for node in range(1, len(x)):
        above = tree.parent[node]
        axis.plot([x[above], x[node]], [y[above], y[node]], color="0.8", lw=0.5, zorder=1)
    invalid = tree.value == 0
    axis.scatter(
        x[invalid],
        y[invalid],
        s=8,
        color="white",
        edgecolors="0.5",
        lw=0.6,
        zorder=2,
        label="stops at an invalid graph",
    )
    shown = axis.scatter(
        x[~invalid],
        y[~invalid],
        s=8 + 3 * np.sqrt(tree.visits[~invalid]),
        c=100 * tree.value[~invalid],
        cmap="viridis",
        vmin=60,
        vmax=94,
        zorder=3,
    )
    figure.colorbar(shown, ax=axis, label="X: mean value of a node (%)", shrink=0.8)
    axis.set_aspect("equal")
    axis.axis("off")
    axis.legend(frameon=False, fontsize=8, loc="lower left")
    axis.set_title(f"The tree after {BUDGET} queries: {len(x)} nodes, area by visits", fontsize=10)
