"""A plain twin of AlphaX's search for one trial: graphs as tuples, the tree as a dict, UCT from its formula.
Without the network.

It draws from the same streams in the same order as the fast code: a number for each tie while choosing an
action, and play-outs in lots of 32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

# (kind, what it adds), as in ("vertex", 1), ("edge", (0, 2)), ("stop",)
Action = tuple[Any, ...]
# operations of the inner vertices, edges in order, stopped
State = tuple[tuple[int, ...], tuple[tuple[int, int], ...], bool]


def actions(state: State, choices: int) -> list[Action]:
    """The listed actions: add a vertex with an operation, add an edge that is not there (row by row),
    stop."""
    ops, edges, _ = state
    vertices = len(ops) + 2
    free = [(i, j) for i in range(vertices) for j in range(i + 1, vertices) if (i, j) not in edges]
    return [*(("vertex", op) for op in range(choices)), *(("edge", edge) for edge in free), ("stop",)]


def follow(state: State, action: Action, max_vertices: int, max_edges: int) -> State | None:
    """The next state, or None where the limits forbid it. A new vertex comes before the output and wipes out
    all edges."""
    ops, edges, _ = state
    if action[0] == "vertex":
        return None if len(ops) + 2 >= max_vertices else ((*ops, action[1]), (), False)
    if action[0] == "edge":
        return None if len(edges) >= max_edges else (ops, tuple(sorted((*edges, action[1]))), False)
    return (ops, edges, True)


def matrix_of(state: State) -> np.ndarray:
    """The adjacency matrix of a state's graph."""
    matrix = np.zeros((len(state[0]) + 2,) * 2, dtype=np.int8)
    for i, j in state[1]:
        matrix[i, j] = 1
    return matrix


class PlainTree:
    """Monte-Carlo tree search; `evaluate(state)` gives an accuracy, or None for an invalid architecture."""

    def __init__(
        self,
        tree: np.random.Generator,
        play: np.random.Generator,
        string: Callable[[State], np.ndarray],
        cell: Callable[[State], int],
        accuracy: Callable[[int], float],
        *,
        choices: int,
        max_vertices: int,
        max_edges: int,
        c: float,
        reuse: bool,
    ) -> None:
        self.tree, self.play, self.string, self.cell, self.accuracy = tree, play, string, cell, accuracy
        self.choices, self.limits, self.c, self.reuse = choices, (max_vertices, max_edges), c, reuse
        self.nodes: dict[State, list[Any]] = {}  # state -> [X, n, parent]
        self.known: dict[int, float] = {}

    def next_state(self) -> State:
        """Descend from the root to a state that is not in the tree, which is added."""
        start: State = ((), (), False)
        if not self.nodes:
            self.nodes[start] = [0.0, 0, None]
            return start
        while True:
            at = start
            while True:
                best, best_score, ties = None, -math.inf, 0
                for action in actions(at, self.choices):
                    child = follow(at, action, *self.limits)
                    if child is None:
                        score = 0.0
                    elif child not in self.nodes:
                        score = math.inf
                    else:
                        x, n, _ = self.nodes[child]
                        score = x + 2 * self.c * math.sqrt(2 * math.log(self.nodes[at][1]) / n)
                    if score > best_score:
                        best, best_score, ties = child, score, 1
                    elif score == best_score:
                        ties += 1
                        if self.tree.random() * ties < 1:
                            best = child
                if best is None:
                    self.send_up(at, 0.0)
                    break
                if best not in self.nodes:
                    self.nodes[best] = [0.0, 0, at]
                    return best
                if best[2]:
                    self.nodes[best][1] += 1
                    self.send_up(best, self.nodes[best][0])
                    break
                at = best

    def send_up(self, state: State, value: float) -> None:
        above = self.nodes[state][2]
        while above is not None:
            node = self.nodes[above]
            node[1] += 1
            node[0] += (value - node[0]) / node[1]
            above = node[2]

    def give(self, state: State, value: float) -> None:
        self.nodes[state][0], self.nodes[state][1] = value, 1
        if value > 0:
            self.send_up(state, value)

    def play_out(self, start: State) -> State | None:
        """The first valid end of random play-outs; they come in lots of 32, of which what is left over is
        thrown away."""
        fruitless = 0
        while fruitless < 1000:
            lot = []
            for _ in range(32):
                state = start
                while not state[2]:
                    listed = actions(state, self.choices)
                    following = follow(state, listed[int(self.play.random() * len(listed))], *self.limits)
                    state = start if following is None else following
                lot.append(state)
            for state in lot:
                if fruitless < 1000 and self.cell(state) >= 0:
                    return state
                fruitless += 1
        return None

    def run(self, queries: int) -> list[int]:
        """The cells that the first `queries` evaluations are of."""
        asked: list[int] = []
        while True:  # to the last evaluation, and no further
            state = self.next_state()
            end = state if state[2] else self.play_out(state)
            if end is None:
                self.give(state, 0.1)
                continue
            cell = self.cell(end)
            if cell < 0:
                self.give(state, 0.0)
                continue
            if not (self.reuse and cell in self.known):
                asked.append(cell)
                self.known[cell] = self.accuracy(cell)
            self.give(state, self.known[cell])
            if len(asked) == queries:
                return asked
