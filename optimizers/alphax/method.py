"""AlphaX: Monte-Carlo tree search over build actions, helped by a network (Wang, Zhao, Jinnai, Tian &
Fonseca, AAAI 2020).

Notation: T trials, N variables; `build_game` holds states and actions, `tree` the search tree and UCT. A new
node's value is the accuracy of one random play-out from it, evaluated for real; once a network (the paper's
meta-DNN) is trained, this is averaged, half and half, with the network's mean prediction for further
play-outs that are not evaluated. A new terminal node's value is its own accuracy.

Details are those of the authors' code: see docs/methods/alphax.md, which also says where this differs.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_bool, check_float, check_int
from nas_bench_suite.drawing import INVALID_IN_A_ROW
from nas_bench_suite.hash_table import empty_places, fill_places, place_slot
from nas_bench_suite.optimizer import OK, Optimizer, Outcome, Proposal, Task
from optimizers.alphax.build_game import Game, cell_play_outs, game_of, play_out, write_string
from optimizers.alphax.tree import Trees
from optimizers.parts.ensemble import Ensemble
from optimizers.parts.sparse import Sparse

PLAY_OUTS = 32  # drawn at a time; a constant, so that what a trial draws depends on itself alone
# play-outs in a row that end invalid, after which a node is given the value NO_PLAY_OUT (the code)
FRUITLESS = 1000
NO_PLAY_OUT = 0.1
# known cells in a row that cost nothing (`reuse`), after which the space counts as exhausted; a node without
# news counts 100
REUSES = 30_000


class Cells(NamedTuple):
    """The cells that each of T trials has evaluated, room for K each, with the last accuracy read."""

    known: np.ndarray  # int64[T], how many
    ids: np.ndarray  # int64[T, K], in order of their first evaluation
    accuracy: np.ndarray  # float64[T, K]
    table: np.ndarray  # int32[T, M], table of places by id (see `hash_table`)

    def doubled(self) -> Cells:
        """The same with room for twice as many."""
        ids = np.concatenate([self.ids, np.full_like(self.ids, -1)], axis=1)
        accuracy = np.concatenate([self.accuracy, np.zeros_like(self.accuracy)], axis=1)
        table = empty_places(*ids.shape)
        fill_places(self.known, ids, table)
        return Cells(self.known, ids, accuracy, table)


class _Ends(NamedTuple):
    """Valid ends of play-outs from R nodes, and how the search for them goes."""

    strings: np.ndarray  # int64[R, most, N]
    needed: np.ndarray  # int64[R]
    have: np.ndarray  # int64[R]
    fruitless: np.ndarray  # int64[R], invalid ends in a row
    rejected: np.ndarray  # int64[R], invalid ends before the first valid one


class AlphaX(Optimizer):
    """AlphaX for T trials in lockstep, one evaluation each a round.

    Args:
        exploration: c in UCT = X + 2 c sqrt(2 ln n(node) / n(child)).
        max_vertices: largest graph built, input and output included (None: as many as the space has). Graph
            spaces only.
        max_edges: most edges built, before pruning (None: no limit). Graph spaces only.
        reuse: a cell that was evaluated is not evaluated again: its node gets the accuracy that is known, at
            no cost. A trial that meets REUSES known cells and not one new is exhausted.
        simulations: play-outs whose predicted accuracies are averaged into a new node's value (0: no
            network).
        retrain_every: the network is trained whenever the number of distinct cells evaluated is a multiple of
        this. layers, width, epochs, batch_size, max_steps, learning_rate: the network and its training
        (squared error, Adam): see `Ensemble`.
    """

    trials_per_block: ClassVar[int] = 50  # at 3,200 queries a trial's tree takes up to 30 MB

    def __init__(
        self,
        *,
        exploration: float = 2.0,
        max_vertices: int | None = None,
        max_edges: int | None = 9,
        reuse: bool = True,
        simulations: int = 2,
        retrain_every: int = 100,
        layers: int = 4,
        width: int = 24,
        epochs: int = 100,
        batch_size: int = 32,
        max_steps: int = 500,
        learning_rate: float = 0.01,
    ) -> None:
        self.exploration = check_float("optimizer.exploration", exploration, 0, 1e6)
        self.max_vertices = (
            None if max_vertices is None else check_int("optimizer.max_vertices", max_vertices, 2, 1000)
        )
        self.max_edges = (
            None if max_edges is None else check_int("optimizer.max_edges", max_edges, 1, 1_000_000)
        )
        self.reuse = check_bool("optimizer.reuse", reuse)
        self.simulations = check_int("optimizer.simulations", simulations, 0, 10_000)
        self.retrain_every = check_int("optimizer.retrain_every", retrain_every, 1, 1_000_000)
        self.network = Ensemble(1, layers, width, epochs, batch_size, max_steps, learning_rate, "mse")

    def start(self, task: Task) -> None:
        space, trials = task.space, task.trials
        self._task = task
        self._game = game_of(space, self.max_vertices, self.max_edges)
        self.trees = Trees(self._game, trials)
        self._node = np.zeros(trials, dtype=np.int64)  # the node that each trial's proposal is for
        self._predicted = np.full(trials, np.nan)  # and the network's part of its value
        first = space.encode(np.zeros((1, space.num_variables), dtype=np.int64))
        self._features = first.shape[-1]
        self._cells = Cells(
            known=np.zeros(trials, dtype=np.int64),
            ids=np.full((trials, 64), -1, dtype=np.int64),
            accuracy=np.zeros((trials, 64)),
            table=empty_places(trials, 64),
        )
        self._encodings = Sparse.empty((trials, 64), 1)
        self._trainings = np.zeros(trials, dtype=np.int64)
        self._networks: np.ndarray | None = None  # float32[T, 1, P], from the first training on

    def ask(self, room: np.ndarray) -> Proposal:
        task, n = self._task, self._task.space.num_variables
        rows = np.flatnonzero(room > 0)
        strings = np.zeros((task.trials, n), dtype=np.int64)
        wanted = np.zeros((task.trials, 1), dtype=np.bool_)
        rejected = np.zeros(task.trials, dtype=np.int64)
        self._predicted[:] = np.nan
        reuses, fresh = np.zeros(task.trials, dtype=np.int64), np.zeros(task.trials, dtype=np.bool_)
        while len(rows):
            self._train(rows)
            nodes, new = self.trees.descend(task.streams.typed("alphax_tree"), rows, self.exploration)
            self._node[rows], fresh[rows] = nodes, new
            terminal = self.trees.nodes.states[rows, nodes, 1] == 1
            stopped, going = rows[terminal], rows[~terminal]
            strings[stopped] = self._strings(stopped)
            found = np.ones(len(stopped), dtype=np.bool_)
            if task.reject_invalid and len(stopped):
                found = task.space.is_valid(strings[stopped])
                rejected[stopped] += ~found
                self.trees.settle(stopped[~found], self._node[stopped[~found]], np.zeros((~found).sum()))
            played = self._play_out(going, strings, rejected)
            without = going[~played]
            self.trees.settle(without, self._node[without], np.full(len(without), NO_PLAY_OUT))
            again = np.concatenate([stopped[~found], without])
            ready = np.concatenate([stopped[found], going[played]])
            if self.reuse and len(ready):
                known = self._known_accuracy(ready, strings[ready])
                reuses[ready] += np.where(fresh[ready], 1, 100)
                met = ~np.isnan(known)
                self._settle(ready[met], known[met])
                again = np.concatenate([again, ready[met & (reuses[ready] < REUSES)]])
                ready = ready[~met]
            wanted[ready] = True
            rows = np.sort(again[rejected[again] < INVALID_IN_A_ROW])
        return Proposal(strings[:, None], wanted, rejected=rejected)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        rows = np.flatnonzero(proposal.wanted[:, 0])
        accuracy = np.where(outcome.status[rows, 0] == OK, outcome.accuracy[rows, 0], np.nan)
        self._settle(rows, accuracy)
        good = ~np.isnan(accuracy)
        if good.any():
            self._learn(rows[good], proposal.architectures[rows[good], 0], accuracy[good])

    def _settle(self, trials: np.ndarray, accuracy: np.ndarray) -> None:
        """Give the nodes that `trials` stand at their values, from accuracies float64[R] (NaN: there is none,
        which the code counts as 0)."""
        worth = np.where(np.isnan(accuracy), 0.0, accuracy)
        predicted = self._predicted[trials]
        value = np.where(np.isnan(predicted) | (worth == 0), worth, (worth + predicted) / 2)
        self.trees.settle(trials, self._node[trials], value)
        self._predicted[trials] = np.nan

    def _known_accuracy(self, trials: np.ndarray, strings: np.ndarray) -> np.ndarray:
        """float64[R]: the accuracy of each trial's string where its cell was evaluated, else NaN."""
        out = np.full((len(trials), 1), np.nan)
        _correct(trials, self._task.space.cell_id(strings)[:, None], self._cells, out)
        return out[:, 0]

    def _strings(self, trials: np.ndarray) -> np.ndarray:
        """int64[R, N]: the terminal states that `trials` stand at, as strings."""
        out = np.zeros((len(trials), self._task.space.num_variables), dtype=np.int64)
        _write(self._game, self.trees.nodes.states[trials, self._node[trials]], out)
        return out

    def _play_out(self, trials: np.ndarray, strings: np.ndarray, rejected: np.ndarray) -> np.ndarray:
        """Play out from the nodes of `trials`; write the first valid end to strings[t] and what further ones
        promise to `_predicted`.

        Returns:
            bool[R]: whether a valid end was found.
        """
        task = self._task
        trained = self._trainings[trials] > 0
        needed = np.where(trained, 1 + self.simulations, 1)
        ends = _Ends(
            strings=np.zeros((len(trials), 1 + self.simulations, task.space.num_variables), dtype=np.int64),
            needed=needed,
            have=np.zeros(len(trials), dtype=np.int64),
            fruitless=np.zeros(len(trials), dtype=np.int64),
            rejected=np.zeros(len(trials), dtype=np.int64),
        )
        rows = np.arange(len(trials))
        states = self.trees.nodes.states[trials, self._node[trials]]
        while len(rows):
            drawn = np.empty((len(rows), PLAY_OUTS, task.space.num_variables), dtype=np.int64)
            _play(self._game, task.streams.typed("alphax_play_outs"), trials[rows], states[rows], drawn)
            valid = (
                task.space.is_valid(drawn)
                if task.reject_invalid
                else np.ones(drawn.shape[:2], dtype=np.bool_)
            )
            _gather(rows, drawn, valid, ends)
            rows = rows[(ends.have[rows] < needed[rows]) & (ends.fruitless[rows] < FRUITLESS)]
        rejected[trials] += ends.rejected
        strings[trials] = ends.strings[:, 0]
        # the code averages only where every play-out was found
        full = np.flatnonzero(trained & (ends.have == needed))
        if len(full) and self._networks is not None:
            asked = np.full(len(full), self.simulations)
            guesses = self.network.predict(
                self._networks[trials[full]],
                Sparse.of(task.space.encode(ends.strings[full, 1:])),
                asked,
                self._features,
            )[:, 0].astype(np.float64)
            ids = task.space.cell_id(ends.strings[full, 1:])
            _correct(trials[full], ids, self._cells, guesses)
            self._predicted[trials[full]] = guesses.mean(axis=1)
        return ends.have > 0

    def _learn(self, trials: np.ndarray, strings: np.ndarray, accuracy: np.ndarray) -> None:
        """Keep each cell with its last accuracy."""
        if (self._cells.known[trials] == self._cells.ids.shape[1]).any():
            self._cells = self._cells.doubled()
            self._encodings = self._encodings.doubled()
        new = Sparse.of(self._task.space.encode(strings))
        place = _keep(trials, self._task.space.cell_id(strings), accuracy, self._cells)
        self._encodings = self._encodings.written(trials, place, new)

    def _train(self, trials: np.ndarray) -> None:
        due = trials[self._cells.known[trials] // self.retrain_every > self._trainings[trials]]
        if not len(due) or not self.simulations:
            return
        fitted = self.network.fit(
            self._task.streams.typed("alphax_network"),
            due,
            self._encodings,
            self._cells.accuracy.astype(np.float32),
            self._cells.known,
            self._features,
        )
        if self._networks is None:
            self._networks = np.zeros((self._task.trials, *fitted.shape[1:]), dtype=np.float32)
        self._networks[due] = fitted
        self._trainings[due] = self._cells.known[due] // self.retrain_every


@njit(cache=True)
def _write(game: Game, states: np.ndarray, out: np.ndarray) -> None:
    for r in range(len(states)):
        write_string(game, states[r], out[r])


@njit(cache=True)
def _play(game: Game, generators: Any, trials: np.ndarray, starts: np.ndarray, out: np.ndarray) -> None:
    """Fill out[r, :, N] with the ends of random play-outs from starts[r]."""
    state = starts[0].copy()
    actions = np.empty(game.sizes.max(), np.int64)
    for r in range(len(trials)):
        if game.cell:
            cell_play_outs(game, generators[trials[r]], starts[r], out[r])
            continue
        for c in range(out.shape[1]):
            play_out(game, generators[trials[r]], starts[r], state, actions)
            write_string(game, state, out[r, c])


@njit(cache=True)
def _gather(rows: np.ndarray, drawn: np.ndarray, valid: np.ndarray, ends: _Ends) -> None:
    """Move valid ends drawn int64[L, C, N] to rows[i] of `ends` until it has what it needs, or too many in a
    row are invalid."""
    have, fruitless = ends.have, ends.fruitless
    for i in range(len(rows)):
        r = rows[i]
        for c in range(drawn.shape[1]):
            if have[r] == ends.needed[r] or fruitless[r] == FRUITLESS:
                break
            if not valid[i, c]:
                fruitless[r] += 1
                ends.rejected[r] += have[r] == 0
                continue
            fruitless[r] = 0
            ends.strings[r, have[r]] = drawn[i, c]
            have[r] += 1


@njit(cache=True)
def _correct(trials: np.ndarray, asked: np.ndarray, cells: Cells, guesses: np.ndarray) -> None:
    """Replace guesses [R, C] for ids asked [R, C] that a trial has evaluated by their accuracies."""
    for r in range(len(trials)):
        t = trials[r]
        for c in range(asked.shape[1]):
            place = cells.table[t, place_slot(cells.table[t], cells.ids[t], asked[r, c])]
            if place >= 0:
                guesses[r, c] = cells.accuracy[t, place]


@njit(cache=True)
def _keep(trials: np.ndarray, ids: np.ndarray, values: np.ndarray, cells: Cells) -> np.ndarray:
    """Write each id's accuracy to its trial's place for it, a new one if need be; return the places."""
    out = np.empty(len(trials), np.int64)
    for r in range(len(trials)):
        t = trials[r]
        at = place_slot(cells.table[t], cells.ids[t], ids[r])
        if cells.table[t, at] < 0:
            cells.table[t, at] = cells.known[t]
            cells.ids[t, cells.known[t]] = ids[r]
            cells.known[t] += 1
        place = cells.table[t, at]
        cells.accuracy[t, place] = values[r]
        out[r] = place
    return out
