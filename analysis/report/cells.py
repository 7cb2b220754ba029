"""The best architectures that the searches ended with, drawn as graphs in SVG.

Cells are chosen as a search chooses, by validation accuracy: for each method and budget the incumbent with
the best single-run validation among its trials. Their test errors are shown, never used to choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from analysis.material import BY_BUDGET, Material
from analysis.result import Result
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.space import GraphSpace, SearchSpace

COLORS = {
    "input": "#DDDDDD",
    "output": "#DDDDDD",
    "conv3x3": "#F6C89F",
    "conv1x1": "#BFD9EE",
    "maxpool3x3": "#C9E4C5",
}
NAMES = {"input": "in", "output": "out", "conv3x3": "3×3", "conv1x1": "1×1", "maxpool3x3": "pool"}  # noqa: RUF001
INCUMBENT = ("cell_id", "validation", "test", "test_mean", "query")  # ledger columns, after `incumbent_`
STEP_X, STEP_Y, RADIUS = 62, 46, 17


@dataclass(frozen=True)
class BestCell:
    """A cell that methods ended with; errors in percent, `mean` over the stored runs."""

    svg: str
    budget: int
    cell: int
    methods: str
    validation: float
    test: float
    mean: float | None


@dataclass(frozen=True)
class Incumbent:
    """The best incumbent of a method by validation: its cell, how the method is named with its count, and the
    errors in percent."""

    cell: int
    method: str
    validation: float
    test: float
    mean: float | None


def best_cells(material: Material) -> list[BestCell]:
    """One entry for each method and budget, equal cells merged; empty where the cells of the space are no
    graphs."""
    space = _space(material)
    if not isinstance(space, GraphSpace):
        return []
    found: dict[tuple[int, int], list[Incumbent]] = {}
    for budget, labels in BY_BUDGET.items():
        for result in material.results(labels, budget):
            incumbent = _best(result)
            if incumbent is not None:
                found.setdefault((budget, incumbent.cell), []).append(incumbent)
    out = []
    for (budget, cell), incumbents in found.items():
        try:
            matrix, ops = space.graph(space.architecture(cell))
        except (ConfigError, IndexError):
            continue
        best = min(incumbents, key=lambda incumbent: incumbent.validation)
        means = [incumbent.mean for incumbent in incumbents if incumbent.mean is not None]
        out.append(
            BestCell(
                svg=draw(np.asarray(matrix), list(ops)),
                budget=budget,
                cell=cell,
                methods=", ".join(incumbent.method for incumbent in incumbents),
                validation=best.validation,
                test=best.test,
                mean=means[-1] if means else None,
            )
        )
    return sorted(out, key=lambda entry: (entry.budget, entry.validation))


def _best(result: Result) -> Incumbent | None:
    """The incumbent with the best validation among the trials; None if no trial has one."""
    ledger = {name: result.ledger[f"incumbent_{name}"] for name in INCUMBENT}
    there = ledger["query"] > 0
    if not there.any():
        return None
    best = int(np.nanargmax(np.where(there, ledger["validation"], np.nan)))
    cell = int(ledger["cell_id"][best])
    times = int((ledger["cell_id"] == cell).sum())
    validation, test, mean = (
        100 * (1 - float(ledger[name][best])) for name in ("validation", "test", "test_mean")
    )
    method = f"{result.name} ({times} of {len(there)} trials)"
    return Incumbent(cell, method, validation, test, None if np.isnan(mean) else mean)


def _space(material: Material) -> SearchSpace | None:
    from nas_bench_suite import load_benchmark

    stated = [origin.options for result in material.study.comparable for origin in result.origins]
    options = next(filter(None, stated), None)
    if options is None:
        return None
    try:
        return load_benchmark(**options).space
    except ConfigError:
        return None


def layers(matrix: np.ndarray) -> np.ndarray:
    """int64[V]: the longest path from the input to each vertex of an upper-triangular adjacency matrix."""
    depth = np.zeros(len(matrix), dtype=np.int64)
    for vertex in range(1, len(matrix)):
        before = np.flatnonzero(matrix[:vertex, vertex])
        depth[vertex] = depth[before].max() + 1 if len(before) else 0
    return depth


def draw(matrix: np.ndarray, ops: list[str]) -> str:
    """A cell as SVG: layers from left to right; edges that skip layers bow around what lies between."""
    depth = layers(matrix)
    depth[-1] = depth.max() if depth[-1] == depth.max() else depth.max() + 1
    widest = max(int((depth == layer).sum()) for layer in range(int(depth.max()) + 1))
    place = {}
    for layer in range(int(depth.max()) + 1):
        inside = np.flatnonzero(depth == layer)
        for i, vertex in enumerate(inside):
            place[int(vertex)] = (layer * STEP_X + RADIUS + 4, (i - (len(inside) - 1) / 2) * STEP_Y)
    skips = [(a, b) for a, b in zip(*np.nonzero(matrix)) if depth[b] - depth[a] > 1]
    sides = {
        edge: (1 if i % 2 == 0 else -1)
        for i, edge in enumerate(sorted(skips, key=lambda edge: depth[edge[0]] - depth[edge[1]]))
    }
    bow = {
        edge: sides[edge] * (widest - 1) * STEP_Y / 2
        + sides[edge] * (24 + 15 * (depth[edge[1]] - depth[edge[0]]))
        for edge in skips
    }
    reach = max([abs(value) * 0.62 for value in bow.values()] + [(widest - 1) * STEP_Y / 2 + RADIUS]) + 8
    width = int(depth.max()) * STEP_X + 2 * RADIUS + 8
    parts = [
        f'<svg viewBox="0 {-reach:.0f} {width} {2 * reach:.0f}" width="{width}" height="{2 * reach:.0f}" '
        'role="img" '
        f'aria-label="cell with operations {escape(", ".join(ops))}">'
    ]
    for a, b in zip(*np.nonzero(matrix)):
        (x1, y1), (x2, y2) = place[int(a)], place[int(b)]
        middle, lift = (x1 + x2) / 2, bow.get((a, b), 0.0)
        target_y, start_y = (y2, y1) if not lift else (y2 + np.sign(lift) * 9, y1 + np.sign(lift) * 9)
        x_from, x_to = x1 + (RADIUS if not lift else 12), x2 - (RADIUS + 2 if not lift else 15)
        parts.append(
            f'<path d="M{x_from:.0f},{start_y:.0f} Q{middle:.0f},{(y1 + y2) / 2 + lift:.0f} '
            f'{x_to:.0f},{target_y:.0f}" fill="none" '
            'stroke="#555" stroke-width="1.2" marker-end="url(#arrow)"/>'
        )
    for number, op in enumerate(ops):
        x, y = place[number]
        parts.append(
            f'<circle cx="{x}" cy="{y:.0f}" r="{RADIUS}" fill="{COLORS.get(op, "#EEE")}" stroke="#555"/>'
            f'<text x="{x}" y="{y + 3.5:.1f}" text-anchor="middle" '
            f'font-size="10">{escape(NAMES.get(op, op))}</text>'
        )
    return "".join([*parts, "</svg>"])
