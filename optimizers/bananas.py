"""BANANAS: Bayesian optimization with an ensemble of neural networks (White, Neiswanger & Savani, AAAI 2021;
algorithm 1).

Notation: T trials, N variables, E networks, C candidates, n evaluated architectures of a trial, F features. A
round: train E networks on the n (encoding, validation error in percent) pairs, mutate the best architectures
into C candidates, let independent Thompson sampling choose k.

Details are those of the authors' code: see docs/methods/bananas.md, which also says where it differs from
their paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_choice, check_float, check_int
from nas_bench_suite.drawing import Drawn, draw_valid
from nas_bench_suite.hash_table import EMPTY, empty_keys, slot
from nas_bench_suite.optimizer import FAILED, NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from optimizers.parts.ensemble import Ensemble
from optimizers.parts.mutation import change_probabilities, check_changes, mutate
from optimizers.parts.sparse import Sparse
from optimizers.parts.uniform import UniformStrings

ENCODINGS = ("path", "one_hot", "adjacency")
ROWS_AT_A_TIME = 20_000  # encodings made in one go: bounds the memory of the dense ones
PATHS_AT_A_TIME = 4_000  # the same before paths past the cutoff are left out


class Bananas(Optimizer):
    """BANANAS for T trials in lockstep.

    Args:
        initial: architectures drawn uniformly at the start.
        k: architectures proposed a round.
        growth: k grows with the history, to at least `growth` times the number of architectures evaluated (0:
            it does not).
        candidates: C at least, before choosing (at least `candidates / k` times as many as are proposed, if k
            grows).
        mutants: mutants of the best architecture that are drawn; where fewer than C are new, the next best's
            follow, up to 5 C / mutants parents.
        changes: variables of each family that change in expectation: a number, or one a family.
        encoding: features of an architecture; `path` becomes `one_hot` in a space without paths.
        path_cutoff: how many of the path features are used, shortest first (None: all).
        networks, layers, width, epochs, batch_size, max_steps, learning_rate, loss: see `Ensemble`.
    """

    trials_per_block: ClassVar[int] = 50

    def __init__(
        self,
        *,
        initial: int = 10,
        k: int = 10,
        growth: float = 0.0,
        candidates: int = 100,
        mutants: int = 100,
        changes: float | Mapping[str, float] = 1.0,
        encoding: str = "path",
        path_cutoff: int | None = 40,
        networks: int = 5,
        layers: int = 10,
        width: int = 20,
        epochs: int = 150,
        batch_size: int = 32,
        max_steps: int = 0,
        learning_rate: float = 0.01,
        loss: str = "mae",
    ) -> None:
        self.initial = check_int("optimizer.initial", initial, 1, 1_000_000)
        self.k = check_int("optimizer.k", k, 1, 100_000)
        self.growth = check_float("optimizer.growth", growth, 0, 1)
        self.candidates = check_int("optimizer.candidates", candidates, self.k, 100_000)
        self.mutants = check_int("optimizer.mutants", mutants, 1, 100_000)
        self.changes = check_changes(changes)
        self.encoding = check_choice("optimizer.encoding", encoding, ENCODINGS)
        self.path_cutoff = (
            None if path_cutoff is None else check_int("optimizer.path_cutoff", path_cutoff, 1, 1_000_000)
        )
        self.ensemble = Ensemble(networks, layers, width, epochs, batch_size, max_steps, learning_rate, loss)

    def start(self, task: Task) -> None:
        space, trials = task.space, task.trials
        self._task = task
        self._uniform = UniformStrings(task, "bananas_initial", repeats=False)
        self._probabilities = change_probabilities(space, self.changes)
        self._kind = (
            "one_hot" if self.encoding == "path" and "path" not in space.encodings() else self.encoding
        )
        self._features = self._dense(np.zeros((1, space.num_variables), dtype=np.int64)).shape[-1]
        room = task.budget + max(self.k, self.initial)
        self._strings = np.zeros((trials, room, space.num_variables), dtype=np.int64)
        self._error = np.full((trials, room), np.inf, dtype=np.float32)  # percent, in the order of evaluation
        self._encodings = Sparse.empty((trials, room), 1)
        self._known = np.zeros(trials, dtype=np.int64)  # n
        # Tables of the keys (see `_keys`) of what was evaluated or told to be invalid.
        self._seen = empty_keys(trials, 2 * room)
        self._num_seen = np.zeros(trials, dtype=np.int64)

    def ask(self, room: np.ndarray) -> Proposal:
        guided = np.flatnonzero((room > 0) & (self._known >= self.initial))
        lacking = np.where(room > 0, np.minimum(np.maximum(self.initial - self._known, 0), room), 0)
        strings, asked, rejected = self._candidates(guided)
        lost = guided[asked == 0]  # no mutant is new: go on with uniform strings
        lacking[lost] = np.minimum(self.k, room[lost])
        drawn = self._uniform.take(lacking)
        found = np.flatnonzero(asked > 0)
        chosen, sizes = self._choose(guided[found], strings[found], asked[found], room)
        slots = max(drawn.architectures.shape[1], chosen.shape[1])
        out = np.zeros((self._task.trials, slots, strings.shape[-1]), dtype=np.int64)
        wanted = np.zeros(out.shape[:2], dtype=np.bool_)
        out[:, : drawn.architectures.shape[1]] = drawn.architectures
        wanted[:] = np.arange(slots) < drawn.given[:, None]
        out[guided[found], : chosen.shape[1]] = chosen
        wanted[guided[found]] = np.arange(slots) < sizes[:, None]
        rejected_all = drawn.rejected.copy()
        rejected_all[guided] += rejected
        return Proposal(out, wanted, rejected=rejected_all)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        trial, place = np.nonzero(outcome.status != NOT_RUN)
        if not len(trial):
            return
        strings = proposal.architectures[trial, place]
        status = outcome.status[trial, place]
        keys = self._keys(strings)
        _remember(trial, keys, self._seen, self._num_seen)
        # A failed evaluation is seen but teaches nothing, nor does an invalid string.
        good = (status == OK) & ~np.isnan(outcome.accuracy[trial, place]) & (status != FAILED)
        trial, strings, accuracy = trial[good], strings[good], outcome.accuracy[trial, place][good]
        fits = _places(trial, self._known, self._error.shape[1])
        kept = fits >= 0
        trial, strings, accuracy, fits = trial[kept], strings[kept], accuracy[kept], fits[kept]
        self._encodings = self._encodings.written(trial, fits, Sparse.of(self._dense(strings)))
        self._strings[trial, fits] = strings
        self._error[trial, fits] = 100 * (1 - accuracy)

    def _batch(self, trials: np.ndarray) -> np.ndarray:
        """int64[R]: how many architectures each of `trials` proposes."""
        batch: np.ndarray = np.maximum(self.k, (self.growth * self._known[trials]).astype(np.int64))
        return batch

    def _dense(self, strings: np.ndarray) -> np.ndarray:
        """float32[..., F]: the encodings, cut."""
        if self._kind != "path" or self.path_cutoff is None:
            return self._task.space.encode(strings, self._kind)
        # A space may have thousands of paths, of which few are kept.
        rows = strings.reshape(-1, strings.shape[-1])
        parts = [
            self._task.space.encode(rows[begin : begin + PATHS_AT_A_TIME], self._kind)[:, : self.path_cutoff]
            for begin in range(0, max(1, len(rows)), PATHS_AT_A_TIME)
        ]
        return np.concatenate(parts).reshape(*strings.shape[:-1], -1)

    def _keys(self, strings: np.ndarray) -> np.ndarray:
        """int64[...], equal for equal cells: the cell id, or for an invalid string a negative hash of the
        string."""
        ids = self._task.space.cell_id(strings)
        mixers = np.random.Generator(np.random.PCG64(7)).integers(1, 2**62, size=strings.shape[-1]) | 1
        hashed = ((strings + 1) * mixers).sum(axis=-1)
        return np.where(ids >= 0, ids, -2 - (hashed & (2**62 - 1)))

    def _candidates(self, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """New mutants of the best architectures: int64[R, most, N], their numbers int64[R], and how many
        invalid ones were rejected."""
        n = self._strings.shape[-1]
        if not len(trials):
            return np.zeros((0, 1, n), np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
        target = np.maximum(self.candidates, self._batch(trials) * self.candidates // self.k)
        ranked = np.argsort(self._error[trials, : self._known[trials].max()], axis=1, kind="stable")
        parents_left = np.minimum(-(-5 * target // self.mutants), self._known[trials])
        most = int(target.max()) + self.mutants
        strings = np.zeros((len(trials), most, n), dtype=np.int64)
        met = empty_keys(len(trials), most)
        asked, rejected = np.zeros(len(trials), dtype=np.int64), np.zeros(len(trials), dtype=np.int64)
        rank = 0
        while True:
            rows = np.flatnonzero((asked < target) & (rank < parents_left))
            if not len(rows):
                return strings, asked, rejected
            drawn = self._mutants(trials[rows], self._strings[trials[rows], ranked[rows, rank]])
            rejected[rows] += drawn.rejected
            new = _unmet(self._keys(drawn.strings), drawn.given, self._seen[trials[rows]], met, rows)
            _append(rows, drawn.strings, new, strings, asked)
            rank += 1

    def _mutants(self, trials: np.ndarray, parents: np.ndarray) -> Drawn:
        """Mutants of parents int64[R, N], valid ones only if invalid strings are to be rejected."""
        task, generators = self._task, self._task.streams.typed("bananas_mutation")

        def draw(rows: np.ndarray) -> np.ndarray:
            out = np.empty((len(rows), self.mutants, parents.shape[-1]), dtype=np.int64)
            mutate(generators, trials[rows], parents[rows], self._probabilities, task.space.sizes, out)
            return out

        valid = task.space.is_valid if task.reject_invalid else None
        return draw_valid(draw, valid, np.full(len(trials), self.mutants), parents.shape[-1])

    def _choose(
        self, trials: np.ndarray, strings: np.ndarray, asked: np.ndarray, room: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k candidates of each trial with the smallest draws from N(mean, SD) of its networks: int64[R,
        k, N], and their numbers."""
        n = strings.shape[-1]
        if not len(trials):
            return np.zeros((0, 0, n), np.int64), np.zeros(0, np.int64)
        sizes = np.minimum(np.minimum(self._batch(trials), asked), room[trials])
        out = np.zeros((len(trials), int(sizes.max()), n), dtype=np.int64)
        networks, thompson = (
            self._task.streams.typed("bananas_networks"),
            self._task.streams.typed("bananas_thompson"),
        )
        step = max(1, ROWS_AT_A_TIME // int(asked.max()))
        for begin in range(0, len(trials), step):
            part = slice(begin, begin + step)
            most = int(asked[part].max())
            questions = Sparse.of(self._dense(strings[part, :most]))
            fitted = self.ensemble.fit(
                networks, trials[part], self._encodings, self._error, self._known, self._features
            )
            predictions = self.ensemble.predict(fitted, questions, asked[part], self._features)
            _thompson(thompson, trials[part], predictions, asked[part], strings[part], sizes[part], out[part])
        return out, sizes


@njit(cache=True)
def _remember(trial: np.ndarray, keys: np.ndarray, seen: np.ndarray, num_seen: np.ndarray) -> None:
    """Add each key to its trial's table, unless that is half full."""
    for s in range(len(trial)):
        t = trial[s]
        at = slot(seen[t], keys[s])
        if seen[t, at] == EMPTY and 2 * num_seen[t] < seen.shape[1]:
            seen[t, at] = keys[s]
            num_seen[t] += 1


@njit(cache=True)
def _places(trial: np.ndarray, known: np.ndarray, room: int) -> np.ndarray:
    """int64[len(trial)]: the next free place of each one's trial; -1 where the history is full (free repeats
    can fill it)."""
    out = np.full(len(trial), -1, dtype=np.int64)
    for s in range(len(trial)):
        if known[trial[s]] < room:
            out[s] = known[trial[s]]
            known[trial[s]] += 1
    return out


@njit(cache=True)
def _unmet(
    keys: np.ndarray, given: np.ndarray, seen: np.ndarray, met: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """bool[L, C]: which of the first given[i] keys [L, C] are neither in seen[i] nor in met[rows[i]], which
    they then enter."""
    new = np.zeros(keys.shape, dtype=np.bool_)
    for i in range(len(rows)):
        own = met[rows[i]]
        for c in range(given[i]):
            key = keys[i, c]
            at = slot(own, key)
            if own[at] == EMPTY and seen[i, slot(seen[i], key)] == EMPTY:
                own[at] = key
                new[i, c] = True
    return new


@njit(cache=True)
def _append(
    rows: np.ndarray, drawn: np.ndarray, new: np.ndarray, strings: np.ndarray, asked: np.ndarray
) -> None:
    """Append the new ones of drawn [L, C, N] to the strings of each row."""
    for i in range(len(rows)):
        r = rows[i]
        for c in range(drawn.shape[1]):
            if new[i, c]:
                for v in range(drawn.shape[2]):
                    strings[r, asked[r], v] = drawn[i, c, v]
                asked[r] += 1


@njit(cache=True)
def _thompson(
    generators: Any,
    trials: np.ndarray,
    predictions: np.ndarray,
    asked: np.ndarray,
    strings: np.ndarray,
    sizes: np.ndarray,
    out: np.ndarray,
) -> None:
    """Independent Thompson sampling: candidate c's draw is N(mean, SD) of the members' predictions for it;
    the smallest win."""
    members = predictions.shape[1]
    for r in range(len(trials)):
        generator = generators[trials[r]]
        draws = np.empty(asked[r])
        for c in range(asked[r]):
            mean = 0.0
            for e in range(members):
                mean += predictions[r, e, c] / members
            variance = 0.0
            for e in range(members):
                variance += (predictions[r, e, c] - mean) ** 2 / members
            draws[c] = mean + np.sqrt(variance) * generator.standard_normal()
        order = np.argsort(draws, kind="mergesort")
        for q in range(sizes[r]):
            for v in range(strings.shape[2]):
                out[r, q, v] = strings[r, order[q], v]
