"""Strings that spell out a labelled graph, as those of NASBench-101 do."""

from __future__ import annotations

from nas_bench_suite.space import GraphSpace, SearchSpace

MOST_VERTICES = 15


def vertices_spelled_out(space: SearchSpace) -> int:
    """V if strings are the upper triangle of a V x V adjacency matrix row by row, then the operations of the
    inner vertices; else 0."""
    if not isinstance(space, GraphSpace):
        return 0
    sizes = space.sizes
    for vertices in range(3, MOST_VERTICES + 1):
        edges = vertices * (vertices - 1) // 2
        if edges + vertices - 2 == len(sizes):
            same = len({variable.choices for variable in space.variables[edges:]}) == 1
            return vertices if same and (sizes[:edges] == 2).all() else 0
    return 0
