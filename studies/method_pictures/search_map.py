"""Where four methods search: a map of cells of the surrogate, shaded by error, with the queries of one
search of each method over it, and the best cell that the four have met.

The map is a t-SNE of the cells' paths from input to output (`space.encode(..., "path")`): near cells share
paths. It holds 3,000 cells drawn from all of them at equal odds, and every cell that a search has asked.
Distances between far parts of such a map mean nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.axes import SMALLEST, TWO
from analysis.report.cells import COLORS, NAMES, layers
from analysis.style import style
from nas_bench_suite import GraphSpace, Lookups, Optimizer, load_benchmark, search
from optimizers.nasbot import NASBOT
from optimizers.random_search import RandomSearch
from optimizers.regularized_evolution import RegularizedEvolution
from optimizers.reinforce import Reinforce

BUDGET, SEED, CELLS = 150, 0, 3000
DPI = 160


class Data(NamedTuple):
    """What the picture shows, over M cells.

    Attributes:
        places: float64[M, 2].
        errors: float64[M], mean validation error over the runs, percent.
        background: how many of the cells, the first ones, were drawn at random.
        queries: label -> int64[Q], the cells asked by a search, in order.
        best: the cell with the lowest error among those that were asked.
        graph: its adjacency matrix and operations.
    """

    places: np.ndarray
    errors: np.ndarray
    background: int
    queries: dict[str, np.ndarray]
    best: int
    graph: tuple[np.ndarray, list[str]]


def methods() -> dict[str, Optimizer]:
    """By label of their style."""
    return {
        "random": RandomSearch(),
        "remaade": Reinforce(policy="maade", learning_rate=0.01, batch_size=30),
        "regularized_evolution_small": RegularizedEvolution(population=30),
        "nasbot": NASBOT(),
    }


def collect() -> Data:
    """Run the searches and lay out the map."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    benchmark = load_benchmark("nasbench101_surrogate")
    space = benchmark.space
    assert isinstance(space, GraphSpace) and space.num_cells is not None
    asked = {
        label: search(method, benchmark, budget=BUDGET, trials=1, seed=SEED).queries["cell_id"]
        for label, method in methods().items()
    }
    drawn = np.random.default_rng(SEED).choice(space.num_cells, CELLS, replace=False)
    others = np.setdiff1d(np.concatenate(list(asked.values())), drawn)
    cells = np.concatenate([drawn, others])
    paths = space.encode(space.architecture(cells), "path")
    reduced = PCA(20, random_state=SEED).fit_transform(paths)
    places = TSNE(random_state=SEED, init="pca", perplexity=40, n_jobs=1).fit_transform(reduced)
    runs = np.arange(benchmark.num_runs)
    accuracy = benchmark.query(Lookups(np.repeat(cells, len(runs)), np.tile(runs, len(cells)))).validation
    errors = 100 * (1 - accuracy.reshape(len(cells), -1).mean(axis=1))
    place = {int(cell): i for i, cell in enumerate(cells)}
    queries = {label: np.array([place[int(cell)] for cell in ids]) for label, ids in asked.items()}
    met = np.unique(np.concatenate(list(queries.values())))
    best = int(met[np.argmin(errors[met])])
    return Data(places, errors, len(drawn), queries, best, space.graph(space.architecture(cells[best])))


def draw(data: Data) -> Figure:
    """A map for each method, and the best cell."""
    figure = Figure(figsize=(TWO, 5.4), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 0.52))
    low, high = np.percentile(data.errors, [1, 90])
    greys = ListedColormap(colormaps["Greys_r"](np.linspace(0.4, 0.93, 128)))  # queries are darker
    for i, (label, queries) in enumerate(data.queries.items()):
        axis = figure.add_subplot(grid[i // 2, i % 2])
        x, y = data.places[: data.background].T
        shades = data.errors[: data.background]
        image = axis.scatter(
            x, y, c=shades, vmin=low, vmax=high, cmap=greys, s=2.5, linewidth=0, rasterized=True
        )
        _course(axis, data, queries, style(label).color)
        cells = f"{len(np.unique(queries))} cells in {len(queries)} queries"
        axis.set_title(f"{style(label).name}\n{cells}", fontsize=7.5)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    side = figure.add_subplot(grid[0, 2])
    _cell(side, *data.graph)
    side.set_title(f"best cell met\n{data.errors[data.best]:.2f} %", fontsize=7.5)
    rest = figure.add_subplot(grid[1, 2])
    rest.axis("off")
    bar = figure.colorbar(image, ax=rest, location="left", fraction=0.25, aspect=14, extend="max")
    bar.set_label("mean validation error, %", fontsize=7)
    bar.ax.tick_params(labelsize=SMALLEST)
    marks = [
        Line2D([], [], marker="o", linestyle="", color="0.3", markersize=2.5, label="early query"),
        Line2D([], [], marker="o", linestyle="", color="0.3", markersize=5, label="late query"),
        Line2D([], [], marker="*", linestyle="", color="#FFD400", markeredgecolor="black", markersize=9,
               label="best cell met"),
    ]  # fmt: skip
    rest.legend(handles=marks, loc="lower center", frameon=False, fontsize=SMALLEST)
    return figure


def _course(axis: Axes, data: Data, queries: np.ndarray, color: str) -> None:
    """A search's queries, later ones larger, and the best cell."""
    x, y = data.places[queries].T
    sizes = np.linspace(4, 22, len(queries))
    axis.scatter(x, y, s=sizes, color=color, alpha=0.75, linewidth=0.3, edgecolor="white")
    x, y = data.places[data.best]
    axis.scatter(x, y, marker="*", s=90, color="#FFD400", edgecolor="black", linewidth=0.7)


def _cell(axis: Axes, matrix: np.ndarray, ops: list[str]) -> None:
    """A cell as a graph, input on top."""
    depth = layers(matrix)
    place = {}
    for layer in range(int(depth.max()) + 1):
        inside = np.flatnonzero(depth == layer)
        for i, vertex in enumerate(inside):
            shift = 0.3 * (layer % 2) if len(inside) == 1 and 0 < layer < depth.max() else 0
            place[int(vertex)] = (i - (len(inside) - 1) / 2 + shift, -float(layer))
    for a, b in zip(*np.nonzero(matrix)):
        bend = 0.35 if depth[b] - depth[a] > 1 else 0.0
        axis.annotate(
            "", place[int(b)], place[int(a)],
            arrowprops={"arrowstyle": "->", "shrinkA": 8, "shrinkB": 8, "color": "0.35", "linewidth": 0.8,
                        "connectionstyle": f"arc3,rad={bend if (a + b) % 2 else -bend}"},
        )  # fmt: skip
    for number, (x, y) in place.items():
        op = ops[number]
        axis.text(
            x, y, NAMES.get(op, op), ha="center", va="center", fontsize=SMALLEST,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": COLORS.get(op, "white"), "edgecolor": "0.4",
                  "linewidth": 0.6},
        )  # fmt: skip
    x, y = np.array(list(place.values())).T
    axis.set_xlim(x.min() - 0.9, x.max() + 0.9)
    axis.set_ylim(y.min() - 0.5, y.max() + 0.5)
    axis.axis("off")
