"""hyperopt's Parzen estimators for categorical variables, kept up to date for T histories at once.

Notation: T trials, N variables, C the largest number of choices, n observations of a trial so far (in order
of time), LF = 25.

A history is split by loss into *good* ones, the ceil(gamma sqrt(n)) lowest but at most LF (earlier ones first
among equals), and *bad* ones, the rest. A variable's estimator over a set of m observations in order of time
has the probabilities

    p(c) = (prior_weight + sum_{r: x_r = c} w_r) / (C_v prior_weight + sum_r w_r),

with C_v the variable's number of choices (a uniform prior) and linear forgetting: w_r = 1 for the newest LF,
and the M = m - LF older ones rise linearly from 1/m to 1. (Bergstra et al. 2011, section 4; the rules of the
split and of forgetting are those of hyperopt's `tpe.suggest`.)

The newest observation usually just joins the bad ones, which shifts one older observation from the flat part
of the weights onto the ramp. So integer counts are kept of the flat part, of the ramp, and of the ramp
weighted by rank, and w-sums follow from them; only when an observation enters or leaves the middle of the bad
set are they counted anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FLAT, RAMP, RANK = 0, 1, 2  # the three integer counts behind the weighted counts of the bad set


class Histories:
    """Observations of T trials, split and counted.

    Args:
        trials: T.
        sizes: int64[N], choices of each variable.
        capacity: observations to make place for at first; grows as needed.
        gamma: the good ones are the ceil(gamma sqrt(n)) best.
        flat: LF, how many of the newest observations have full weight; also the most that are called good.
        prior_weight: pseudocount of each choice.
    """

    def __init__(
        self, trials: int, sizes: np.ndarray, capacity: int, gamma: float, flat: int, prior_weight: float
    ) -> None:
        n, most = len(sizes), int(sizes.max())
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.gamma, self.flat, self.prior_weight = float(gamma), int(flat), float(prior_weight)
        self.count = np.zeros(trials, dtype=np.int64)
        self._strings = np.zeros((trials, capacity, n), dtype=np.min_scalar_type(most - 1))
        self._loss = np.zeros((trials, capacity))
        self._is_good = np.zeros((trials, capacity), dtype=np.bool_)
        self._good = np.zeros((trials, self.flat), dtype=np.int64)  # indices in order of loss
        self.num_good = np.zeros(trials, dtype=np.int64)
        # index of the oldest bad observation of full weight
        self._first_flat = np.zeros(trials, dtype=np.int64)
        self._good_counts = np.zeros((trials, n, most), dtype=np.int64)
        self._bad_counts = np.zeros((trials, 3, n, most), dtype=np.int64)

    def observe(self, rows: np.ndarray, strings: np.ndarray, loss: np.ndarray) -> None:
        """Append one observation to each of the histories `rows` (int[R]): strings int64[R, N], loss
        float64[R] (inf: failed)."""
        if len(rows) and self.count[rows].max() == self._loss.shape[1]:
            for name in ("_strings", "_loss", "_is_good"):
                array = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros_like(array)], axis=1))
        _observe(
            rows,
            strings,
            loss,
            self.gamma,
            self.flat,
            self.count,
            self._strings,
            self._loss,
            self._is_good,
            self._good,
            self.num_good,
            self._first_flat,
            self._good_counts,
            self._bad_counts,
        )

    def densities(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The estimators over the good and over the bad observations: two float64[R, N, C] (0 past a
        variable's choices)."""
        good = np.zeros((len(rows), *self._good_counts.shape[1:]))
        bad = np.zeros_like(good)
        _densities(
            rows,
            self.sizes,
            self.prior_weight,
            self.flat,
            self.count,
            self.num_good,
            self._good_counts,
            self._bad_counts,
            good,
            bad,
        )
        return good, bad

    def suggest(self, rows: np.ndarray, generators: Any, candidates: int) -> np.ndarray:
        """Draw one suggestion from each of the histories `rows`: int64[R, N].

        For every variable apart, hyperopt draws K = `candidates` choices from the good estimator and keeps
        the first of those with the highest score log p_good - log p_bad. The winner's score is at most s with
        probability F(s)^K, F being the distribution of a single choice's score, and among choices of equal
        score the first drawn is c with probability proportional to p_good(c): one uniform a variable gives
        the same distribution as K draws.
        """
        out = np.empty((len(rows), len(self.sizes)), dtype=np.int64)
        good, bad = self.densities(rows)
        _suggest(rows, generators, self.sizes, candidates, good, bad, out)
        return out


@njit(cache=True)
def _recount(t, flat, count, strings, is_good, num_good, first_flat, bad_counts):
    """Count the bad set of trial t from scratch."""
    bad_counts[t] = 0
    on_ramp = count - num_good - flat
    rank = 0
    first_flat[t] = count
    for i in range(count):
        if is_good[t, i]:
            continue
        if rank < on_ramp:
            for j in range(strings.shape[2]):
                bad_counts[t, RAMP, j, strings[t, i, j]] += 1
                bad_counts[t, RANK, j, strings[t, i, j]] += rank
        else:
            if first_flat[t] == count:
                first_flat[t] = i
            for j in range(strings.shape[2]):
                bad_counts[t, FLAT, j, strings[t, i, j]] += 1
        rank += 1


@njit(cache=True)
def _append(t, i, flat, strings, is_good, num_bad, first_flat, bad_counts):
    """Count observation i, the newest, as bad; `num_bad` includes it."""
    n = strings.shape[2]
    for j in range(n):
        bad_counts[t, FLAT, j, strings[t, i, j]] += 1
    if num_bad == 1:
        first_flat[t] = i
    if num_bad > flat:
        moved = first_flat[t]
        rank = num_bad - flat - 1
        for j in range(n):
            c = strings[t, moved, j]
            bad_counts[t, FLAT, j, c] -= 1
            bad_counts[t, RAMP, j, c] += 1
            bad_counts[t, RANK, j, c] += rank
        moved += 1
        while is_good[t, moved]:
            moved += 1
        first_flat[t] = moved


@njit(cache=True)
def _observe(
    rows,
    new_strings,
    new_loss,
    gamma,
    flat,
    counts,
    strings,
    loss,
    is_good,
    good,
    num_good,
    first_flat,
    good_counts,
    bad_counts,
):
    n = strings.shape[2]
    for r in range(len(rows)):
        t = rows[r]
        i = counts[t]
        counts[t] += 1
        strings[t, i] = new_strings[r]
        loss[t, i] = new_loss[r]
        is_good[t, i] = False
        target = min(np.int64(np.ceil(gamma * np.sqrt(counts[t]))), flat, counts[t])
        held = num_good[t]
        disturbed = False  # whether the bad set changed elsewhere than at its end
        if held > 0 and new_loss[r] < loss[t, good[t, held - 1]]:
            if held == target:
                worst = good[t, held - 1]
                is_good[t, worst] = False
                for j in range(n):
                    good_counts[t, j, strings[t, worst, j]] -= 1
                held -= 1
                disturbed = True
            entering = i
        elif held < target:
            # The split has room for one more: the best of the bad ones, the earliest among equals.
            entering = -1
            for k in range(counts[t]):
                if not is_good[t, k] and (entering < 0 or loss[t, k] < loss[t, entering]):
                    entering = k
            disturbed = entering != i
        else:
            entering = -1
        while entering >= 0:
            is_good[t, entering] = True
            for j in range(n):
                good_counts[t, j, strings[t, entering, j]] += 1
            place = held
            while place > 0 and loss[t, good[t, place - 1]] > loss[t, entering]:
                good[t, place] = good[t, place - 1]
                place -= 1
            good[t, place] = entering
            held += 1
            entering = -1
            if held < target:
                disturbed = True
                for k in range(counts[t]):
                    if not is_good[t, k] and (entering < 0 or loss[t, k] < loss[t, entering]):
                        entering = k
        num_good[t] = held
        if disturbed:
            _recount(t, flat, counts[t], strings, is_good, held, first_flat, bad_counts)
        elif not is_good[t, i]:
            _append(t, i, flat, strings, is_good, counts[t] - held, first_flat, bad_counts)


@njit(cache=True)
def _densities(rows, sizes, prior_weight, flat, counts, num_good, good_counts, bad_counts, good, bad):
    for r in range(len(rows)):
        t = rows[r]
        m = counts[t] - num_good[t]
        on_ramp = m - flat
        start = 1.0 / m if m > 0 else 0.0
        step = (1.0 - start) / (on_ramp - 1) if on_ramp > 1 else 0.0
        for j in range(len(sizes)):
            good_sum = bad_sum = 0.0
            for c in range(sizes[j]):
                good[r, j, c] = good_counts[t, j, c] + prior_weight
                bad[r, j, c] = (
                    bad_counts[t, FLAT, j, c]
                    + start * bad_counts[t, RAMP, j, c]
                    + step * bad_counts[t, RANK, j, c]
                    + prior_weight
                )
                good_sum += good[r, j, c]
                bad_sum += bad[r, j, c]
            for c in range(sizes[j]):
                good[r, j, c] /= good_sum
                bad[r, j, c] /= bad_sum


@njit(cache=True)
def _suggest(rows, generators, sizes, candidates, good, bad, out):
    most = good.shape[2]
    order = np.empty(most, dtype=np.int64)
    score = np.empty(most)
    for r in range(len(rows)):
        generator = generators[rows[r]]
        for j in range(len(sizes)):
            size = sizes[j]
            for c in range(size):
                score[c] = np.log(good[r, j, c]) - np.log(bad[r, j, c])
                place = c
                while place > 0 and score[order[place - 1]] > score[c]:
                    order[place] = order[place - 1]
                    place -= 1
                order[place] = c
            u = generator.random()
            first = 0  # order[first:last] is a group of choices of equal score
            below, lower = 0.0, 0.0
            while True:
                last = first + 1
                mass = good[r, j, order[first]]
                while last < size and score[order[last]] == score[order[first]]:
                    mass += good[r, j, order[last]]
                    last += 1
                upper = 1.0 if last == size else (below + mass) ** candidates
                if u < upper or last == size:
                    break
                below, lower, first = below + mass, upper, last
            chosen = order[first]
            if last > first + 1:
                left = (u - lower) / (upper - lower) * mass
                k = first
                while k < last - 1 and left >= good[r, j, order[k]]:
                    left -= good[r, j, order[k]]
                    k += 1
                chosen = order[k]
            out[r, j] = chosen
