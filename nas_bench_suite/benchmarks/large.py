"""A synthetic family of any dimension whose structure, optimum and random-search distribution are known
exactly.

Notation: N variables; variable i has D_i choices. The variables form a tree: variable i > 0 has a parent p(i)
drawn uniformly from 0 .. i - 1 (a random recursive tree), so interactions reach far along the string. A
string scores

    S(a) = sum_i u_i(a_i) + sum_{i > 0} w_i(a_i, a_{p(i)}),
    u_i in {0 .. 4},  w_i in {0 .. 8}, whole numbers drawn once an instance,

its *level* is S(a) - min S, a whole number in 0 .. R with R = max S - min S, and its mean accuracy is 0.5 +
0.4 level / R. Both ends are found by dynamic programming from the leaves to the root: the optimum is exact at
any N, and so is the distribution of S over uniform strings. Every string is valid and no two describe the
same architecture.

Noise: a cell has three runs. Their deviations x_r are normal with standard deviation `noise` and sum to zero
over the runs, so the mean over runs is the mean accuracy itself and the optimum of the means is known.
Validation is mean + x_r, test is mean - 0.006 + 0.9 x_r + 0.3 y_r with y_r like x_r. They are computed by
hashing (cell id, run): there is no table.

Ids: a cell id is a number in 0 .. 2^63 - 1 made of the level (L = bits of R) and H = 63 - L bits of a
tabulation hash of the string (the XOR of one random word a variable and choice), scrambled by a bijection of
63-bit numbers so that ids show neither. Hence a query needs the id alone. Two different strings of one level
share an id with probability 2^-H, two of different levels never do: among n strings a collision has a
probability of at most n (n - 1) / 2^(H + 1), which for n = 1,000 is below 3e-10 at N = 500 (H = 51).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtri

from nas_bench_suite.benchmark import Benchmark, Evaluation, Facts, Lookups
from nas_bench_suite.checks import ConfigError, check_float, check_int
from nas_bench_suite.space import SearchSpace, Variable

LEAST_VARIABLES, MOST_VARIABLES = 8, 10_000
MOST_CHOICES = 16
_UNARY, _PAIR = 4, 8  # highest entries of u and w
_LOW, _SPAN = 0.5, 0.4  # mean accuracy of the worst string, and what the best one has above it
_TEST_GAP = 0.006
_RUNS = 3
_MASK = np.uint64(2**63 - 1)
# odd, hence invertible modulo 2^63
_FACTORS = (0xBF58476D1CE4E5B9 & (2**63 - 1), 0x94D049BB133111EB & (2**63 - 1))
_HALF = np.uint64(32)
OUTSIDE = -1  # the score of what is no string


def _scramble(numbers: np.ndarray) -> np.ndarray:
    """A bijection of uint64[...] below 2^63: xor-shifts by 32 (each its own inverse on 63 bits) and
    multiplications by odd numbers."""
    x = numbers ^ (numbers >> _HALF)
    for factor in _FACTORS:
        x = (x * np.uint64(factor)) & _MASK
        x = x ^ (x >> _HALF)
    scrambled: np.ndarray = x
    return scrambled


def _unscramble(numbers: np.ndarray) -> np.ndarray:
    """The inverse of `_scramble`."""
    x = numbers ^ (numbers >> _HALF)
    for factor in reversed(_FACTORS):
        x = (x * np.uint64(pow(factor, -1, 2**63))) & _MASK
        x = x ^ (x >> _HALF)
    scrambled: np.ndarray = x
    return scrambled


def _uniforms(ids: np.ndarray, counter: int) -> np.ndarray:
    """Uniforms in (0, 1) float64[...], a function of (id, counter): the output function of SplitMix64 (Steele
    et al., 2014)."""
    x = ids.astype(np.uint64) + np.uint64((counter + 1) * 0x9E3779B97F4A7C15 & (2**64 - 1))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x = x ^ (x >> np.uint64(31))
    drawn: np.ndarray = ((x >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return drawn


class _Tables(NamedTuple):
    """What a string's score and hash are made of. D: the most choices of a variable."""

    sizes: np.ndarray  # int64[N]
    parents: np.ndarray  # int64[N], -1 for the root
    unary: np.ndarray  # int64[N, D]
    pair: np.ndarray  # int64[N, D, D], by (own choice, parent's choice)
    words: np.ndarray  # uint64[N, D]


@njit(cache=True)
def _score(strings: np.ndarray, tables: _Tables, scores: np.ndarray, hashes: np.ndarray) -> None:
    """S int64[n] and tabulation hashes uint64[n] of strings int64[n, N]; S is `OUTSIDE` where a value is out
    of its range."""
    for row in range(strings.shape[0]):
        total = np.int64(0)
        code = np.uint64(0)
        for i in range(strings.shape[1]):
            a = strings[row, i]
            if a < 0 or a >= tables.sizes[i]:
                total = np.int64(OUTSIDE)
                break
            total += tables.unary[i, a]
            code ^= tables.words[i, a]
            if i > 0:  # a parent comes before its children
                total += tables.pair[i, a, strings[row, tables.parents[i]]]
        scores[row] = total
        hashes[row] = code


class LargeSpace(SearchSpace):
    """N variables, every string valid (a value out of its range makes none), ids by hash.

    Args:
        num_variables: N.
        choices: D, the same for every variable; None: the first 21/26 of the variables are binary and the
            others ternary, as NASBench-101's are.
        instance: which tree and which tables.

    Attributes:
        parents: int64[N], p(i); -1 for the root, variable 0.
        unary: int64[N, D], u_i.
        pair: int64[N, D, D], w_i by (own choice, parent's choice); zero for the root and beyond a variable's
            choices.
        highest, lowest: the extremes of S over all strings.
    """

    exact_ids = False

    def __init__(self, num_variables: int, choices: int | None, instance: int) -> None:
        self.name = f"large-{num_variables}-{'mixed' if choices is None else choices}"
        edges = round(num_variables * 21 / 26)
        names = tuple(str(choice) for choice in range(choices or 3))
        if choices is None:
            variables = [Variable(f"edge{i}", names[:2], "edge") for i in range(edges)]
            variables += [Variable(f"op{i}", names, "op") for i in range(num_variables - edges)]
        else:
            variables = [Variable(f"x{i}", names, "x") for i in range(num_variables)]
        self.variables = tuple(variables)
        rng = np.random.default_rng([instance, num_variables, choices or 0, 101])
        most = int(self.sizes.max())
        self.parents = np.array(
            [-1, *(int(rng.integers(i)) for i in range(1, num_variables))], dtype=np.int64
        )
        self.unary = rng.integers(0, _UNARY + 1, (num_variables, most))
        self.pair = rng.integers(0, _PAIR + 1, (num_variables, most, most))
        is_choice = np.arange(most) < self.sizes[:, None]
        self.unary[~is_choice] = 0
        self.pair[~is_choice] = 0
        self.pair[0] = 0
        for i in range(1, num_variables):
            self.pair[i, :, self.sizes[self.parents[i]] :] = 0
        self._words = rng.integers(0, 2**64, (num_variables, most), dtype=np.uint64)
        self._tables = _Tables(self.sizes, self.parents, self.unary, self.pair, self._words)
        self.best, self.highest = self._extreme(1)
        self.worst, self.lowest = self._extreme(-1)
        self._level_bits = self.range.bit_length()

    @property
    def range(self) -> int:
        """R = max S - min S."""
        return self.highest - self.lowest

    @property
    def hash_bits(self) -> int:
        """H, the bits of a string's hash in its id."""
        return 63 - self._level_bits

    def _extreme(self, sign: int) -> tuple[np.ndarray, int]:
        """A string int64[N] with the highest (sign 1) or lowest (-1) S, and that S: max-sum from the leaves
        to the root."""
        message = sign * self.unary.copy()  # of variable i's subtree, by its own choice
        choose = np.zeros(self.unary.shape, dtype=np.int64)  # variable i's best choice by its parent's
        for i in range(self.num_variables - 1, 0, -1):
            own = message[i, : self.sizes[i], None] + sign * self.pair[i, : self.sizes[i]]
            choose[i] = own.argmax(axis=0)
            message[self.parents[i]] += own.max(axis=0)
        root = message[0, : self.sizes[0]]
        string = np.zeros(self.num_variables, dtype=np.int64)
        string[0] = root.argmax()
        for i in range(1, self.num_variables):
            string[i] = choose[i, string[self.parents[i]]]
        return string, sign * int(root.max())

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        rows = np.asarray(architectures)
        return np.asarray(((rows >= 0) & (rows < self.sizes)).all(axis=-1))

    def _scores(self, architectures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        strings = np.ascontiguousarray(architectures, dtype=np.int64)
        shape = strings.shape[:-1]
        strings = strings.reshape(-1, self.num_variables)
        scores, hashes = np.empty(len(strings), dtype=np.int64), np.empty(len(strings), dtype=np.uint64)
        _score(strings, self._tables, scores, hashes)
        return scores.reshape(shape), hashes.reshape(shape)

    def score(self, architectures: np.ndarray) -> np.ndarray:
        """S int64[...] of strings int[..., N]; -1 where a value is out of its range."""
        return self._scores(architectures)[0]

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        scores, hashes = self._scores(architectures)
        level = (scores - self.lowest).astype(np.uint64)
        ids = _scramble((level << np.uint64(self.hash_bits)) | (hashes >> np.uint64(64 - self.hash_bits)))
        return np.where(scores == OUTSIDE, -1, ids.astype(np.int64))

    def level(self, cell_id: np.ndarray | int) -> np.ndarray:
        """The level int64[...], 0 .. R, that each cell id carries.

        Raises:
            ConfigError: for a number that is no id of this space.
        """
        ids = np.asarray(cell_id, dtype=np.int64)
        level = (_unscramble(np.maximum(ids, 0).astype(np.uint64)) >> np.uint64(self.hash_bits)).astype(
            np.int64
        )
        foreign = (ids < 0) | (level > self.range)
        if foreign.any():
            raise ConfigError(
                f"{ids[foreign].flat[0]} is no cell id of space '{self.name}'; accepted: what its cell_id "
                "returns."
            )
        return level

    def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
        """Always refused: an id holds a hash of its string, which cannot be turned back.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"space '{self.name}' has ids by hash, so a cell id cannot be turned back into an architecture; "
            "accepted: the strings themselves, "
            "which a search hands on with its proposals."
        )


class LargeFacts(Facts, total=False):
    """`Facts`, with mean and SD of a uniform string's mean validation accuracy, the number of levels, and the
    width of the ids that are hashes."""

    random_mean_validation: float
    random_sd_validation: float
    levels: int
    hash_bits: int


class Large(Benchmark):
    """The family.

    Args:
        variables: N.
        choices: of every variable, or "mixed": 21 of 26 binary, the others ternary.
        noise: standard deviation of a run's accuracy about its cell's mean.
        instance: which tree, tables, hash and noise.

    Raises:
        ConfigError: for an option out of range.
    """

    name = "large"
    num_runs = _RUNS

    def __init__(
        self, variables: int = 100, choices: int | str = "mixed", noise: float = 0.004, instance: int = 0
    ) -> None:
        self.noise = check_float("benchmark.noise", noise, 0, 0.02)
        self.instance = check_int("benchmark.instance", instance, 0)
        number = check_int("benchmark.variables", variables, LEAST_VARIABLES, MOST_VARIABLES)
        if isinstance(choices, str) and choices != "mixed":
            raise ConfigError(
                f"benchmark.choices={choices} is not known; accepted: mixed, or a whole number in [2, "
                f"{MOST_CHOICES}]."
            )
        size = None if isinstance(choices, str) else check_int("benchmark.choices", choices, 2, MOST_CHOICES)
        self.space: LargeSpace = LargeSpace(number, size, self.instance)

    def mean_accuracy(self, level: np.ndarray | float) -> np.ndarray:
        """A cell's validation accuracy averaged over its runs, float64[...], from its level; test lies 0.006
        below."""
        accuracy: np.ndarray = _LOW + _SPAN * np.asarray(level) / self.space.range
        return accuracy

    def _deviations(self, ids: np.ndarray, first_counter: int) -> np.ndarray:
        """float64[..., 3]: deviations of a cell's runs, each of standard deviation `noise`, that sum to
        zero."""
        drawn = np.stack([ndtri(_uniforms(ids, first_counter + r)) for r in range(_RUNS)], axis=-1)
        scale = self.noise * (_RUNS / (_RUNS - 1)) ** 0.5
        deviations: np.ndarray = scale * (drawn - drawn.mean(axis=-1, keepdims=True))
        return deviations

    def look_up(self, lookups: Lookups) -> Evaluation:
        ids, runs = lookups.cells, lookups.runs
        mean = self.mean_accuracy(self.space.level(ids))
        seconds = 1000.0 * (0.5 + _uniforms(ids, 2 * _RUNS))
        if isinstance(runs, str):
            return Evaluation(mean, mean - _TEST_GAP, seconds)
        x, y = self._deviations(ids, 0), self._deviations(ids, _RUNS)
        which = np.broadcast_to(runs, ids.shape)[..., None].astype(np.int64)
        x, y = (np.take_along_axis(values, which, axis=-1)[..., 0] for values in (x, y))
        # Only deviations of more than five standard deviations reach the ends, and only at the highest noise.
        return Evaluation(
            np.clip(mean + x, 0, 1), np.clip(mean - _TEST_GAP + 0.9 * x + 0.3 * y, 0, 1), seconds
        )

    def random_distribution(self) -> tuple[np.ndarray, np.ndarray]:
        """The mean validation accuracies that exist, float64[R + 1] ascending, and float64[R + 1], their
        probability for a uniform string: exact but for rounding, by convolution from the leaves to the
        root."""
        space = self.space
        # Of variable i's subtree by its own choice: P(partial sum = 0, 1, ...) over uniform choices below.
        messages: list[list[np.ndarray]] = []
        for i in range(space.num_variables):
            messages.append(
                [
                    np.eye(1, int(space.unary[i, a]) + 1, int(space.unary[i, a]))[0]
                    for a in range(space.sizes[i])
                ]
            )
        for i in range(space.num_variables - 1, 0, -1):
            parent = messages[space.parents[i]]
            longest = max(map(len, messages[i])) + _PAIR
            for b in range(len(parent)):
                below = np.zeros(longest)
                for a, own in enumerate(messages[i]):
                    shift = int(space.pair[i, a, b])
                    below[shift : shift + len(own)] += own / space.sizes[i]
                parent[b] = np.convolve(parent[b], below)
            messages[i] = []
        total = np.zeros(max(max(map(len, messages[0])), space.highest + 1))
        for own in messages[0]:
            total[: len(own)] += own / space.sizes[0]
        levels = np.arange(space.range + 1)
        return self.mean_accuracy(levels), total[space.lowest : space.highest + 1]

    def random_search_cdf(self, queries: int) -> tuple[np.ndarray, np.ndarray]:
        """Distribution of random search's incumbent validation accuracy after `queries` uniform queries of
        the mean over runs.

        Returns:
            The attainable accuracies, ascending, and P(incumbent <= each).
        """
        values, mass = self.random_distribution()
        return values, np.cumsum(mass) ** queries

    def random_moments(self) -> tuple[float, float]:
        """Mean and standard deviation of a uniform string's mean validation accuracy, in closed form.

        Under independent uniform choices S splits into orthogonal parts (a main effect a variable, the rest
        of w_i a pair); their variances add.
        """
        space = self.space
        mean = variance = 0.0
        main = [space.unary[i, : space.sizes[i]].astype(float) for i in range(space.num_variables)]
        for i in range(space.num_variables - 1, 0, -1):
            pair = space.pair[i, : space.sizes[i], : space.sizes[space.parents[i]]].astype(float)
            own, others = pair.mean(axis=1) - pair.mean(), pair.mean(axis=0) - pair.mean()
            main[i] = main[i] + own
            main[space.parents[i]] = main[space.parents[i]] + others
            mean += float(pair.mean())
            variance += float(np.var(pair - own[:, None] - others))
        mean += sum(float(effect.mean()) for effect in main)
        variance += sum(float(np.var(effect)) for effect in main)
        return float(self.mean_accuracy(mean - space.lowest)), _SPAN * variance**0.5 / space.range

    @cached_property
    def _checksum(self) -> str:
        space = self.space
        arrays = (space.sizes, space.parents, space.unary, space.pair, space._words)
        return hashlib.sha256(
            b"".join(array.tobytes() for array in arrays) + repr(self.noise).encode()
        ).hexdigest()

    def facts(self) -> LargeFacts:
        mean, sd = self.random_moments()
        return {
            "name": self.name,
            "description": f"synthetic tree-structured family, {self.space.num_variables} variables, "
            f"instance {self.instance}, "
            f"run noise {self.noise}",
            "source": "synthetic (nas_bench_suite.benchmarks.large)",
            "checksum": self._checksum,
            "surrogate": False,
            "best_mean_test": float(self.mean_accuracy(self.space.range)) - _TEST_GAP,
            "random_mean_validation": mean,
            "random_sd_validation": sd,
            "levels": self.space.range,
            "hash_bits": self.space.hash_bits,
        }
