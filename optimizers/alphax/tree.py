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

from typing import Any

import numpy as np
from numba import njit

from optimizers.alphax.build_game import Game, act, initial_state, list_actions, num_actions, state_key
from optimizers.parts.hash_index import index, slot

ABSENT, NOWHERE, END = -1, -2, -3  # what an entry of `_children` can be besides a node
# descents in a row that end at known terminal nodes, before such a node is evaluated once more
FREE_DESCENTS = 1000


class Trees:
    """The trees of T trials.

    Attributes:
        size: int64[T], nodes of each tree. states: int16[T, C, S]; value (X): float64[T, C]; visits (n):
        int64[T, C]; parent: int64[T, C], -1 for the root.
    """

    def __init__(self, game: Game, trials: int, capacity: int = 64) -> None:
        self.game = game
        self.size = np.zeros(trials, dtype=np.int64)
        self.states = np.zeros((trials, capacity, game.state_size), dtype=np.int16)
        self.value = np.zeros((trials, capacity))
        self.visits = np.zeros((trials, capacity), dtype=np.int64)
        self.parent = np.full((trials, capacity), -1, dtype=np.int64)
        self._table = np.full((trials, 4 * capacity), -1, dtype=np.int32)  # open addressing, by key
        self._keys = np.zeros((trials, capacity), dtype=np.int64)
        # In the order in which actions are listed, up to an END; all END until a walk has come through.
        # Nearly all walks of a long search lead through nodes whose children are all in the tree, and read
        # this alone.
        self._children = np.full((trials, capacity, num_actions(game) + 1), END, dtype=np.int32)
        self._root = initial_state(game)

    def descend(
        self, generators: Any, trials: np.ndarray, exploration: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Walk down every tree of `trials` to a new node, adding it; the first walk adds the root.

        Returns: int64[R], the nodes to be evaluated, and bool[R]: whether the node is new. Where
            FREE_DESCENTS walks in a row found no new node, it is the last terminal node met, or the root if
            there was none.
        """
        if (self.size[trials] >= self.value.shape[1]).any():
            self._grow()
        nodes, new = np.zeros(len(trials), dtype=np.int64), np.zeros(len(trials), dtype=np.bool_)
        _descend(
            self.game,
            generators,
            trials,
            exploration,
            self._root,
            self.size,
            self.states,
            self.value,
            self.visits,
            self.parent,
            self._table,
            self._keys,
            self._children,
            nodes,
            new,
        )
        return nodes, new

    def settle(self, trials: np.ndarray, nodes: np.ndarray, values: np.ndarray) -> None:
        """Give each node of `descend` its value, float64[R], and send it up the tree."""
        _settle(trials, nodes, values, self.value, self.visits, self.parent)

    def _grow(self) -> None:
        capacity = self.value.shape[1]
        for name, blank in (
            ("states", 0),
            ("value", 0),
            ("visits", 0),
            ("_keys", 0),
            ("parent", -1),
            ("_children", END),
        ):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.full_like(old, blank)], axis=1))
        self._table = np.full((len(self.size), 8 * capacity), -1, dtype=np.int32)
        index(self.size, self._keys, self._table)


@njit(cache=True)
def _send_up(node, result, value, visits, parent):
    """Add `result` to the means of all ancestors of a node."""
    node = parent[node]
    while node >= 0:
        visits[node] += 1
        value[node] += (result - value[node]) / visits[node]
        node = parent[node]


@njit(cache=True)
def _settle(trials, nodes, values, value, visits, parent):
    for r in range(len(trials)):
        t, node = trials[r], nodes[r]
        visits[t, node] += 1
        value[t, node] += (values[r] - value[t, node]) / visits[t, node]
        if values[r] > 0:
            _send_up(node, values[r], value[t], visits[t], parent[t])


@njit(cache=True)
def _add(state, above, t, size, states, parent, table, keys):
    node = size[t]
    key = state_key(state)
    states[t, node] = state
    parent[t, node] = above
    keys[t, node] = key
    table[t, slot(table[t], keys[t], key)] = node
    size[t] += 1
    return node


@njit(cache=True, error_model="numpy")
def _descend(
    game,
    generators,
    trials,
    exploration,
    root,
    size,
    states,
    value,
    visits,
    parent,
    table,
    keys,
    children,
    nodes,
    new,
):
    state = root.copy()
    actions = np.empty(children.shape[2], np.int64)
    for r in range(len(trials)):
        t = trials[r]
        if size[t] == 0:
            nodes[r] = _add(root, -1, t, size, states, parent, table, keys)
            new[r] = True
            continue
        generator = generators[t]
        own_value, own_visits = value[t], visits[t]
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
                    child = (
                        table[t, slot(table[t], keys[t], state_key(state))]
                        if act(game, state, actions[k])
                        else np.int32(NOWHERE)
                    )
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
                nodes[r] = _add(state, node, t, size, states, parent, table, keys)
                below[best] = nodes[r]
                new[r] = True
                break
            if best_child >= 0 and states[t, best_child, 1] == 0:
                node = best_child
                continue
            # The walk ends at a known terminal node, which counts one more visit with the value it has, or
            # leads nowhere, which counts as 0 for the ancestors of the node where it stopped. Then it starts
            # again from the root.
            if best_child >= 0:
                visits[t, best_child] += 1
                _send_up(best_child, value[t, best_child], value[t], visits[t], parent[t])
                last = best_child
            else:
                _send_up(node, 0.0, value[t], visits[t], parent[t])
            free += 1
            node = 0
            if free == FREE_DESCENTS:
                nodes[r], new[r] = last, False
                break
