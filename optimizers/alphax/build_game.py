"""Architectures built action by action: the game whose tree a Monte-Carlo tree search grows.

Two kinds. The *cell* game (labelled graphs: edges between V vertices, an operation on each inner one) is
AlphaX's: the state is a graph that starts as input and output alone; an action adds a vertex with an
operation before the output, which wipes out all edges, or adds an edge, or stops. The *assignment* game (any
other space) sets one variable after another, in the space's order, and stops by itself after the last.

Notation: N variables, V vertices, E = V (V - 1) / 2 edges, O operations. A state is a row int16[S]: [0]
vertices, or variables set; [1] 1 if terminal; [2] edges; then E edges (bits, the pairs i < j of V row by row,
the output being the last vertex *present*) and V - 2 operations; or N values. Actions of the cell game: 0 ..
O - 1 add a vertex, O .. O + E - 1 add an edge, O + E stops; of the other: the value.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError
from nas_bench_suite.space import GraphSpace, SearchSpace

HEAD = 3  # entries of a state before its edges or values


class Game(NamedTuple):
    """What the kernels need to know (passed as it is: numba takes named tuples)."""

    cell: bool
    sizes: np.ndarray  # int64[N]
    edge_places: np.ndarray  # int64[E], the variable of each edge
    op_places: np.ndarray  # int64[V - 2], the variable of each operation
    tails: np.ndarray  # int64[E]
    heads: np.ndarray  # int64[E]
    vertices: int  # V
    operations: int  # O
    max_vertices: int
    max_edges: int

    @property
    def state_size(self) -> int:
        """S."""
        return HEAD + len(self.sizes)


def game_of(space: SearchSpace, max_vertices: int | None, max_edges: int | None) -> Game:
    """The game of a space: the cell game where its variables are the edges and inner operations of a graph,
    else the assignment game.

    Args:
        space: the space.
        max_vertices: largest graph built (None: V). No effect in the assignment game.
        max_edges: most edges built, before pruning (None: E). No effect in the assignment game.

    Raises:
        ConfigError: for more vertices than the space has.
    """
    names, family = space.families
    none = np.zeros(0, dtype=np.int64)
    assignment = Game(False, space.sizes, none, none, none, none, 0, 0, 0, 0)
    if not isinstance(space, GraphSpace) or names not in (("edge", "op"), ("op", "edge")):
        return assignment
    edges, ops = np.flatnonzero(family == names.index("edge")), np.flatnonzero(family == names.index("op"))
    vertices = len(ops) + 2
    kinds = {space.variables[i].choices for i in ops}
    if len(edges) != vertices * (vertices - 1) // 2 or (space.sizes[edges] != 2).any() or len(kinds) != 1:
        return assignment
    if max_vertices is not None and max_vertices > vertices:
        raise ConfigError(
            f"optimizer.max_vertices={max_vertices} is out of range; accepted: a whole number in [2, "
            f"{vertices}]."
        )
    tails, heads = np.triu_indices(vertices, k=1)
    game = Game(
        True,
        space.sizes,
        edges,
        ops,
        tails.astype(np.int64),
        heads.astype(np.int64),
        vertices,
        len(next(iter(kinds))),
        max_vertices or vertices,
        len(edges) if max_edges is None else max_edges,
    )
    return game if _agrees(game, space, next(iter(kinds))) else assignment


def _agrees(game: Game, space: GraphSpace, operations: tuple[str, ...]) -> bool:
    """Whether the space reads strings as the cell game writes them, on graphs that tell the vertices and
    edges apart."""
    for vertices in range(2, game.vertices + 1):
        state = initial_state(game)
        state[0] = vertices
        matrix = np.zeros((vertices, vertices), dtype=np.int8)
        for i in range(vertices - 1):
            for j in {i + 1, min(i + 2, vertices - 1)} if i % 2 else {i + 1}:
                matrix[i, j] = 1
                state[HEAD + np.flatnonzero((game.tails == i) & (game.heads == j))[0]] = 1
        inner = [k % game.operations for k in range(vertices - 2)]
        state[HEAD + len(game.tails) : HEAD + len(game.tails) + len(inner)] = inner
        row = np.zeros(len(game.sizes), dtype=np.int64)
        write_string(game, state, row)
        if (row != space.from_graph(matrix, ["input", *(operations[k] for k in inner), "output"])).any():
            return False
    return True


def initial_state(game: Game) -> np.ndarray:
    """int16[S]: input and output without an edge, or no variable set."""
    state = np.zeros(game.state_size, dtype=np.int16)
    state[0] = 2 if game.cell else 0
    return state


def num_actions(game: Game) -> int:
    """One more than the largest action that `list_actions` can list."""
    return game.operations + len(game.tails) + 1 if game.cell else int(game.sizes.max())


@njit(cache=True)
def list_actions(game: Game, state: np.ndarray, out: np.ndarray) -> Any:
    """Write the actions that the game lists for a state to `out` and return their number. Some may lead
    nowhere: see `act`."""
    if not game.cell:
        for a in range(game.sizes[state[0]]):
            out[a] = a
        return game.sizes[state[0]]
    count = game.operations
    for a in range(count):
        out[a] = a
    for e in range(len(game.tails)):
        if game.heads[e] < state[0] and state[HEAD + e] == 0:
            out[count] = game.operations + e
            count += 1
    out[count] = game.operations + len(game.tails)
    return count + 1


@njit(cache=True)
def act(game: Game, state: np.ndarray, action: int) -> bool:
    """Change `state` by a listed action and return True; or return False, the state untouched, where this
    exceeds the limits."""
    if not game.cell:
        state[HEAD + state[0]] = action
        state[0] += 1
        state[1] = state[0] == len(game.sizes)
        return True
    edges = len(game.tails)
    if action < game.operations:
        if state[0] >= game.max_vertices:
            return False
        state[HEAD + edges + state[0] - 2] = action
        state[0] += 1
        state[2] = 0
        state[HEAD : HEAD + edges] = 0
        return True
    if action < game.operations + edges:
        if state[2] >= game.max_edges:
            return False
        state[HEAD + action - game.operations] = 1
        state[2] += 1
        return True
    state[1] = 1
    return True


@njit(cache=True)
def state_key(state: np.ndarray) -> Any:
    """A 64-bit hash of a state, never 0. Equal states have equal keys however they were reached."""
    mixed = np.uint64(0x9E3779B97F4A7C15)
    for i in range(len(state)):
        mixed = (mixed ^ np.uint64(state[i] + 1)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
    return np.int64(mixed >> np.uint64(1)) + 1


@njit(cache=True)
def write_string(game: Game, state: np.ndarray, row: np.ndarray) -> None:
    """Write a terminal state as a string of the space; operations of vertices that it lacks are 0."""
    if not game.cell:
        for i in range(len(row)):
            row[i] = state[HEAD + i]
        return
    row[:] = 0
    last = game.vertices - 1
    for e in range(len(game.tails)):
        if state[HEAD + e] == 1:
            i, j = game.tails[e], game.heads[e]
            if j == state[0] - 1:  # the output, which the string keeps at the last vertex
                j = last
            row[game.edge_places[i * last - i * (i - 1) // 2 + j - i - 1]] = 1
    for v in range(state[0] - 2):
        row[game.op_places[v]] = state[HEAD + len(game.tails) + v]


@njit(cache=True)
def play_out(game: Game, generator: Any, start: np.ndarray, state: np.ndarray, actions: np.ndarray) -> None:
    """Play uniformly random listed actions from `start` to a terminal state; an action that leads nowhere
    starts again from `start`."""
    state[:] = start
    while state[1] == 0:
        count = list_actions(game, state, actions)
        if not act(game, state, actions[int(generator.random() * count)]):
            state[:] = start


@njit(cache=True)
def cell_play_outs(game: Game, generator: Any, start: np.ndarray, out: np.ndarray) -> None:
    """Fill out[:, N] with what `play_out` and `write_string` give, with the same random numbers; cell game
    only. Edges are bits of one word, which is some four times as fast."""
    one = np.int64(1)
    edges, last = len(game.tails), game.vertices - 1
    ops = np.empty(game.vertices - 2, np.int64)
    inside = np.zeros(game.vertices + 1, np.int64)  # the edges within so many vertices
    for e in range(edges):
        for v in range(game.heads[e] + 1, game.vertices + 1):
            inside[v] |= one << e
    first = np.int64(0)
    for e in range(edges):
        first |= np.int64(start[HEAD + e]) << e
    for c in range(len(out)):
        vertices, count, mask, stopped = np.int64(start[0]), np.int64(start[2]), first, start[1] != 0
        while not stopped:
            free = vertices * (vertices - 1) // 2 - count
            action = int(generator.random() * (game.operations + free + 1))
            if action < game.operations:
                if vertices < game.max_vertices:
                    ops[vertices - 2] = action
                    vertices += 1
                    count, mask = np.int64(0), np.int64(0)
                    continue
            elif action < game.operations + free:
                if count < game.max_edges:
                    bits = inside[vertices] & ~mask
                    for _ in range(action - game.operations):
                        bits &= bits - one
                    mask |= bits & -bits
                    count += 1
                    continue
            else:
                break
            vertices, count, mask = np.int64(start[0]), np.int64(start[2]), first
        row = out[c]
        row[:] = 0
        for e in range(edges):
            if (mask >> e) & one:
                i, j = game.tails[e], game.heads[e]
                if j == vertices - 1:
                    j = last
                row[game.edge_places[i * last - i * (i - 1) // 2 + j - i - 1]] = 1
        for v in range(vertices - 2):
            row[game.op_places[v]] = ops[v] if v >= start[0] - 2 else start[HEAD + edges + v]
