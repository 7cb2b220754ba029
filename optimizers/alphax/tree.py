"""Search trees of T trials, held in arrays and grown by compiled code.

Notation: a node is an index into its trial's arrays; node 0 is the root. Each trial's nodes are found by the
key of their state, so that a state reached in two ways is one node, whose parent is the node it was first
reached from (as in AlphaX's code). X is a node's mean value, n its visits. A descent goes from the root to
the action with the largest

    UCT(child) = X(child) + 2 c sqrt(2 ln n(node) / n(child)),

infinite for a child not in the tree, 0 for an action that leads nowhere; of equals, one at random. Every
value v that a node receives goes up the chain of parents: n += 1, X += (v - X) / n. A value of 0 (an invalid
or failed architecture) is kept at its node and goes no further.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.hash_table import empty_places, fill_places, place_slot
from optimizers.alphax.build_game import Game, act, initial_state, list_actions, num_actions, state_key

ABSENT, NOWHERE, END = -1, -2, -3  # what an entry of `children` can be besides a node
# descents in a row that end at known terminal nodes, before such a node is evaluated once more
FREE_DESCENTS = 1000


class Nodes(NamedTuple):
    """The nodes of T trees, room for C each, S numbers per state and A actions at most."""

    size: np.ndarray  # int64[T], nodes of each tree
    states: np.ndarray  # int16[T, C, S]
    value: np.ndarray  # float64[T, C], X
    visits: np.ndarray  # int64[T, C], n
    parent: np.ndarray  # int64[T, C], -1 for the root
    keys: np.ndarray  # int64[T, C], of the states
    table: np.ndarray  # int32[T, M], table of places by key (see `hash_table`)
    # int32[T, C, A + 1]: in the order in which actions are listed, up to an END; all END until a walk has
    # come through. Nearly all walks of a long search lead through nodes whose children are all in the tree,
    # and read this alone.
    children: np.ndarray


class Trees:
    """The trees of T trials; what `nodes` holds is theirs."""

    def __init__(self, game: Game, trials: int, capacity: int = 64) -> None:
        self.game = game
        self.nodes = Nodes(
            size=np.zeros(trials, dtype=np.int64),
            states=np.zeros((trials, capacity, game.state_size), dtype=np.int16),
            value=np.zeros((trials, capacity)),
            visits=np.zeros((trials, capacity), dtype=np.int64),
            parent=np.full((trials, capacity), -1, dtype=np.int64),
            keys=np.zeros((trials, capacity), dtype=np.int64),
            table=empty_places(trials, capacity),
            children=np.full((trials, capacity, num_actions(game) + 1), END, dtype=np.int32),
        )
        self._root = initial_state(game)

    def descend(
        self, generators: Any, trials: np.ndarray, exploration: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Walk down every tree of `trials` to a new node, adding it; the first walk adds the root.

        Returns:
            int64[R], the nodes to be evaluated, and bool[R]: whether the node is new. Where FREE_DESCENTS
            walks in a row found no new node, it is the last terminal node met, or the root if there was none.
        """
        if (self.nodes.size[trials] >= self.nodes.value.shape[1]).any():
            self._grow()
        return _descend(self.game, self._root, generators, trials, exploration, self.nodes)

    def settle(self, trials: np.ndarray, nodes: np.ndarray, values: np.ndarray) -> None:
        """Give each node of `descend` its value, float64[R], and send it up the tree."""
        _settle(trials, nodes, values, self.nodes)

    def _grow(self) -> None:
        """Make room for twice as many nodes."""
        old = self.nodes
        table = empty_places(len(old.size), 2 * old.value.shape[1])

        def doubled(column: np.ndarray, blank: int) -> np.ndarray:
            return np.concatenate([column, np.full_like(column, blank)], axis=1)

        self.nodes = Nodes(
            size=old.size,
            states=doubled(old.states, 0),
            value=doubled(old.value, 0),
            visits=doubled(old.visits, 0),
            parent=doubled(old.parent, -1),
            keys=doubled(old.keys, 0),
            table=table,
            children=doubled(old.children, END),
        )
        fill_places(old.size, self.nodes.keys, table)


@njit(cache=True)
def _send_up(nodes: Nodes, t: int, node: Any, result: float) -> None:
    """Add `result` to the means of all ancestors of a node."""
    value, visits, parent = nodes.value[t], nodes.visits[t], nodes.parent[t]
    node = parent[node]
    while node >= 0:
        visits[node] += 1
        value[node] += (result - value[node]) / visits[node]
        node = parent[node]


@njit(cache=True)
def _settle(trials: np.ndarray, places: np.ndarray, values: np.ndarray, nodes: Nodes) -> None:
    value, visits = nodes.value, nodes.visits
    for r in range(len(trials)):
        t, node = trials[r], places[r]
        visits[t, node] += 1
        value[t, node] += (values[r] - value[t, node]) / visits[t, node]
        if values[r] > 0:
            _send_up(nodes, t, node, values[r])


@njit(cache=True)
def _add(nodes: Nodes, t: int, state: np.ndarray, above: Any) -> Any:
    """Add a node for a state to tree t, below the node `above`."""
    node = nodes.size[t]
    key = state_key(state)
    nodes.states[t, node] = state
    nodes.parent[t, node] = above
    nodes.keys[t, node] = key
    nodes.table[t, place_slot(nodes.table[t], nodes.keys[t], key)] = node
    nodes.size[t] += 1
    return node


@njit(cache=True, error_model="numpy")
def _descend(
    game: Game, root: np.ndarray, generators: Any, trials: np.ndarray, exploration: float, nodes: Nodes
) -> tuple[np.ndarray, np.ndarray]:
    found, new = np.zeros(len(trials), dtype=np.int64), np.zeros(len(trials), dtype=np.bool_)
    states, children, table, keys = nodes.states, nodes.children, nodes.table, nodes.keys
    state = root.copy()
    actions = np.empty(children.shape[2], np.int64)
    for r in range(len(trials)):
        t = trials[r]
        if nodes.size[t] == 0:
            found[r] = _add(nodes, t, root, -1)
            new[r] = True
            continue
        generator = generators[t]
        own_value, own_visits = nodes.value[t], nodes.visits[t]
        free, last, node = 0, 0, 0
        while True:
            below = children[t, node]
            if below[0] == END:
                below[: list_actions(game, states[t, node], actions)] = ABSENT
            best, best_child, best_score, ties = -1, NOWHERE, -np.inf, 0
            spread = 2 * np.log(own_visits[node])
            for k in range(len(below)):
                child = below[k]
                if child == END:
                    break
                if child == ABSENT:  # when last looked up: it may have been reached from elsewhere since
                    state[:] = states[t, node]
                    list_actions(game, state, actions)
                    child = np.int32(NOWHERE)
                    if act(game, state, actions[k]):
                        child = table[t][place_slot(table[t], keys[t], state_key(state))]
                    below[k] = child
                score = np.inf if child == ABSENT else 0.0
                if child >= 0:
                    at = np.uint64(child)
                    score = own_value[at] + 2 * exploration * np.sqrt(spread / own_visits[at])
                if score > best_score:
                    best, best_child, best_score, ties = k, child, score, 1
                elif score == best_score:
                    ties += 1
                    if generator.random() * ties < 1:
                        best, best_child = k, child
            if best_child == ABSENT:
                state[:] = states[t, node]
                list_actions(game, state, actions)
                act(game, state, actions[best])
                found[r] = _add(nodes, t, state, node)
                below[best] = found[r]
                new[r] = True
                break
            if best_child >= 0 and states[t, best_child, 1] == 0:
                node = best_child
                continue
            # The walk ends at a known terminal node, which counts one more visit with the value it has, or
            # leads nowhere, which counts as 0 for the ancestors of the node where it stopped. Then it starts
            # again from the root.
            if best_child >= 0:
                own_visits[best_child] += 1
                _send_up(nodes, t, best_child, own_value[best_child])
                last = best_child
            else:
                _send_up(nodes, t, node, 0.0)
            free += 1
            node = 0
            if free == FREE_DESCENTS:
                found[r], new[r] = last, False
                break
    return found, new
