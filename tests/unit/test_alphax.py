"""AlphaX's game and network: states, actions, strings, and what the network is taught and asked."""

from __future__ import annotations

import numpy as np
import pytest

from nas_bench_suite import Protocol, Streams, load_benchmark, search
from nas_bench_suite.benchmarks.nasbench101.space import OPERATIONS, NASBench101Space
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.hash_table import empty_places, fill_places
from optimizers.alphax import AlphaX
from optimizers.alphax.build_game import (
    HEAD,
    Game,
    act,
    cell_play_outs,
    game_of,
    initial_state,
    list_actions,
    play_out,
    state_key,
    write_string,
)
from optimizers.alphax.method import Cells, _correct
from optimizers.alphax.tree import Trees
from optimizers.parts.sparse import Sparse


def _matrix(game: Game, state: np.ndarray) -> np.ndarray:
    matrix = np.zeros((state[0], state[0]), dtype=np.int8)
    for e in np.flatnonzero(state[HEAD : HEAD + 21]):
        matrix[game.tails[e], game.heads[e]] = 1
    return matrix


def test_states_are_written_as_their_graphs() -> None:
    space = NASBench101Space()
    game = game_of(space, None, 9)
    assert game.cell and (game.vertices, game.operations, game.max_vertices) == (7, 3, 7)
    generator = Streams(0, 1).generators("g")[0]
    state, actions, row = initial_state(game), np.empty(25, dtype=np.int64), np.empty(26, dtype=np.int64)
    sizes = set()
    for _ in range(500):
        play_out(game, generator, initial_state(game), state, actions)
        write_string(game, state, row)
        ops = ["input", *(OPERATIONS[o] for o in state[HEAD + 21 : HEAD + 21 + state[0] - 2]), "output"]
        np.testing.assert_array_equal(row, space.from_graph(_matrix(game, state), ops))
        assert state[1] == 1 and state[2] == _matrix(game, state).sum() <= 9
        sizes.add(int(state[0]))
    assert sizes == {2, 3, 4, 5, 6, 7}


def test_play_outs_on_words_are_those_on_arrays() -> None:
    """The same strings from the same random numbers, from starts with and without edges and vertices."""
    for limits in ((None, 9), (6, 4), (None, None), (2, 1)):
        game = game_of(NASBench101Space(), *limits)
        start, state, actions = initial_state(game), initial_state(game), np.empty(25, dtype=np.int64)
        pick = np.random.default_rng(1)
        for _ in range(60):
            one, other = Streams(2, 1).generators("g")[0], Streams(2, 1).generators("g")[0]
            words, row = np.empty((20, 26), dtype=np.int64), np.empty(26, dtype=np.int64)
            cell_play_outs(game, one, start, words)
            for word in words:
                play_out(game, other, start, state, actions)
                write_string(game, state, row)
                np.testing.assert_array_equal(word, row)
            if not act(game, start, pick.choice(actions[: list_actions(game, start, actions)])) or start[1]:
                start = initial_state(game)


def test_actions_and_limits() -> None:
    game = game_of(NASBench101Space(), 3, 2)
    state, actions = initial_state(game), np.empty(25, dtype=np.int64)
    assert list_actions(game, state, actions) == 5  # three operations, one edge, stop
    assert act(game, state, 3) and state[2] == 1
    assert list_actions(game, state, actions) == 4
    assert act(game, state, 2) and state[0] == 3 and state[2] == 0  # a vertex wipes out the edges
    assert list_actions(game, state, actions) == 3 + 3 + 1
    assert not act(game, state, 0)  # no fourth vertex
    first_two = actions[3:5].copy()
    assert act(game, state, first_two[0]) and act(game, state, first_two[1])
    assert list_actions(game, state, actions) == 3 + 1 + 1
    assert not act(game, state, actions[3])  # no third edge
    assert act(game, state, actions[4]) and state[1] == 1
    with pytest.raises(ConfigError, match="max_vertices"):
        game_of(NASBench101Space(), 8, None)


def test_equal_states_have_equal_keys_and_others_do_not() -> None:
    game = game_of(NASBench101Space(), None, None)
    one, other = initial_state(game), initial_state(game)
    for state, order in ((one, (0, 3, 4)), (other, (0, 4, 3))):
        for action in order:
            assert act(game, state, action)
    assert state_key(one) == state_key(other) != state_key(initial_state(game))
    generator, keys, states = Streams(1, 1).generators("g")[0], set(), set()
    state, actions = initial_state(game), np.empty(25, dtype=np.int64)
    for _ in range(5000):
        play_out(game, generator, initial_state(game), state, actions)
        keys.add(state_key(state))
        states.add(state.tobytes())
    assert len(keys) == len(states) > 1000


def test_spaces_without_graphs_set_one_variable_after_another() -> None:
    space = load_benchmark("planted").space
    game = game_of(space, None, 9)
    state, actions, row = initial_state(game), np.empty(3, dtype=np.int64), np.empty(10, dtype=np.int64)
    assert not game.cell
    for i in range(10):
        assert state[1] == 0 and list_actions(game, state, actions) == space.sizes[i]
        assert act(game, state, space.sizes[i] - 1)
    assert state[1] == 1
    write_string(game, state, row)
    np.testing.assert_array_equal(row, space.sizes - 1)


def test_uct_prefers_the_better_child_and_the_less_visited() -> None:
    """Three children of the root with known X and n: the walk goes where 2 c sqrt(2 ln N / n) + X is
    largest."""
    game = game_of(NASBench101Space(), None, 9)
    for c, expected in ((2.0, 1), (0.0, 0)):
        trees = Trees(game, 1)
        generators = Streams(0, 1).typed("t")
        for value in (0.9, 0.1, 0.2, 0.3, 0.4, 0.5):  # the root and its five children
            node, new = trees.descend(generators, np.zeros(1, np.int64), c)
            assert new[0]
            trees.settle(np.zeros(1, np.int64), node, np.array([value]))
        children = np.flatnonzero(trees.nodes.parent[0, :6] == 0)
        inner = [k for k in children if not trees.nodes.states[0, k, 1]]
        trees.nodes.value[0, children], trees.nodes.visits[0, children] = 0.5, 1000
        trees.nodes.value[0, inner[0]], trees.nodes.value[0, inner[1]] = 0.9, 0.6
        trees.nodes.visits[0, inner[1]], trees.nodes.visits[0, 0] = 10, 4000
        node, new = trees.descend(generators, np.zeros(1, np.int64), c)
        assert new[0] and trees.nodes.parent[0, node[0]] == inner[expected]


def test_the_network_learns_each_cell_once_and_values_are_halved() -> None:
    optimizer = AlphaX(retrain_every=20, epochs=300, simulations=4)
    record = search(optimizer, load_benchmark("planted"), Protocol(run="mean"), budget=100, trials=2, seed=0)
    np.testing.assert_array_equal(optimizer._cells.known, record.ledger["unique_cells"])
    np.testing.assert_array_equal(
        optimizer._trainings, optimizer._cells.known // 20 - (optimizer._cells.known % 20 == 0)
    )
    assert optimizer._networks is not None
    for trial in range(2):
        known = int(optimizer._cells.known[trial])
        chosen = record.queries["trial"] == trial
        np.testing.assert_array_equal(optimizer._cells.ids[trial, :known], record.queries["cell_id"][chosen])
        np.testing.assert_allclose(
            optimizer._cells.accuracy[trial, :known], record.queries["validation"][chosen], rtol=1e-6
        )
        architectures = load_benchmark("planted").space.architecture(optimizer._cells.ids[trial, :known])
        features = Sparse.of(load_benchmark("planted").space.encode(architectures)[None])
        guess = optimizer.network.predict(
            optimizer._networks[trial : trial + 1], features, np.array([known]), optimizer._features
        )[0, 0]
        assert np.corrcoef(guess[:80], optimizer._cells.accuracy[trial, :80])[0, 1] > 0.6
    values = np.array([[0.2, 0.4]])
    cells = Cells(
        np.array([0, 2]), np.array([[0, 0], [6, 7]]), np.array([[0.0, 0], [0.9, 0.8]]), empty_places(2, 2)
    )
    fill_places(cells.known, cells.ids, cells.table)
    _correct(np.array([1]), np.array([[5, 6]]), cells, values)
    np.testing.assert_allclose(values, [[0.2, 0.9]])  # a cell that was evaluated is not guessed
