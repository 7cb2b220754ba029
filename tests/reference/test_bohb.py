"""BOHB in lockstep against its plain twin, statsmodels, and hpbandster: the same densities, suggestions and
brackets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from bench.plain import bohb as bohb_plain
from nas_bench_suite import FAILED, INVALID, OK, Outcome, SearchSpace, Streams, Task, load_benchmark
from optimizers.bohb import BOHB
from optimizers.bohb.hyperband import Brackets
from optimizers.bohb.kde import BLOCK_CODES, Models, make_blocks
from tests.optional import package

SIZES = np.array([2] * 7 + [3] * 4 + [6])
N = len(SIZES)
ZERO = np.zeros(1, dtype=np.int64)


def a_model(
    count: int, kind: str, min_bandwidth: float = 0.3, sizes: np.ndarray = SIZES
) -> tuple[Models, np.ndarray, np.ndarray]:
    """A model of `count` observations: with `distinct` losses, `failed` ones, or a `constant` variable and
    one whose last value is unseen."""
    rng = np.random.default_rng(count)
    strings = (rng.random((count, len(sizes))) ** 1.4 * sizes).astype(np.int64)
    if kind == "constant":
        strings[:, 1] = 1
        strings[:, -1] = np.minimum(strings[:, -1], sizes[-1] - 2)
    losses = rng.permutation(count) / count - 0.5 * strings[:, 0] - 0.4 * (strings[:, 2] == strings[:, 3])
    if kind == "failed":
        losses[rng.random(count) < 0.2] = np.inf
        losses += np.arange(count) * 1e-9
    models = Models(1, sizes, 1, len(sizes) + 1, 15, min_bandwidth)
    for string, loss in zip(strings, losses):
        models.observe(ZERO, ZERO, string[None], np.array([loss]))
    return models, strings, losses


def test_blocks_cover_all_variables() -> None:
    sizes = np.array([2] * 21 + [3] * 5 + [40, 2])
    blocks = make_blocks(sizes)
    assert blocks.first[0] == 0 and blocks.first[-1] == len(sizes) and (np.diff(blocks.first) > 0).all()
    for low, high in zip(blocks.first[:-1], blocks.first[1:]):
        codes = int(np.prod(sizes[low:high]))
        assert codes <= BLOCK_CODES or high - low == 1
        strings = np.stack(np.unravel_index(np.arange(codes), sizes[low:high][::-1]), axis=1)[:, ::-1]
        np.testing.assert_array_equal(np.sort(strings @ blocks.weight[low:high]), np.arange(codes))
        np.testing.assert_array_equal(blocks.digit[low:high].T[strings @ blocks.weight[low:high]], strings)


@pytest.mark.parametrize("kind", ["distinct", "failed", "constant"])
@pytest.mark.parametrize("count", [26, 61, 203])
def test_split_bandwidths_and_densities_equal_the_twins(count: int, kind: str) -> None:
    models, strings, losses = a_model(count, kind, min_bandwidth=0.05)
    assert models.level[0] == 0
    queries = (np.random.default_rng(3).random((40, N)) * SIZES).astype(np.int64)
    ours = models.densities(0, queries)
    for which, data in enumerate(bohb_plain.split(strings, losses, N + 1, 15)):
        np.testing.assert_array_equal(models.data(0)[which], data)
        twin = bohb_plain.Density(data, 0.05)
        np.testing.assert_allclose(models.bandwidths(0)[which], twin.bandwidth, rtol=1e-12)
        np.testing.assert_allclose(ours[which], [twin(query) for query in queries], rtol=1e-12)
    assert np.isinf(ours).any() == (kind == "constant")


@pytest.mark.parametrize("count", [54, 120, 700])
def test_densities_equal_statsmodels(count: int) -> None:
    from statsmodels.api import nonparametric

    sizes = np.array([2] * 21 + [3] * 5)
    models, _, _ = a_model(count, "distinct", sizes=sizes)
    queries = (np.random.default_rng(4).random((30, len(sizes))) * sizes).astype(np.int64)
    ours = models.densities(0, queries)
    for which, data in enumerate(models.data(0)):
        kde = nonparametric.KDEMultivariate(
            data=data, var_type="u" * len(sizes), bw="normal_reference", rng=np.random.default_rng(0)
        )
        kde.bw = np.clip(kde.bw, 0.3, None)
        np.testing.assert_allclose(models.bandwidths(0)[which], kde.bw, rtol=1e-10)
        np.testing.assert_allclose(ours[which], kde.pdf(queries), rtol=1e-10)


def same_distribution(a: np.ndarray, b: np.ndarray, sizes: np.ndarray) -> float:
    """Smallest p of chi-square tests of the marginals and the pairs of neighbours of two samples int[., N]
    (times the number of tests)."""
    codes = [(a[:, j], b[:, j], int(sizes[j])) for j in range(len(sizes))]
    codes += [
        tuple(s[:, j] * sizes[j + 1] + s[:, j + 1] for s in (a, b)) + (int(sizes[j] * sizes[j + 1]),)
        for j in range(len(sizes) - 1)
    ]
    smallest = 1.0
    for x, y, count in codes:
        table = np.stack([np.bincount(x, minlength=count), np.bincount(y, minlength=count)])
        rare = table.sum(axis=0) < 0.02 * table.sum()
        table = np.concatenate([table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)], axis=1)
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] > 1:
            smallest = min(smallest, chi2_contingency(table, correction=False).pvalue)
    return smallest * len(codes)


@pytest.mark.parametrize("kind", ["distinct", "constant"])
def test_suggestions_are_distributed_as_the_twins(kind: str) -> None:
    sizes = SIZES[:10]
    models, _, _ = a_model(30, kind, sizes=sizes)
    good, bad = (bohb_plain.Density(data, 0.3) for data in models.data(0))
    rng = np.random.default_rng(5)
    theirs = np.array([bohb_plain.suggest(rng, good, bad, sizes, 6) for _ in range(600)], dtype=np.int64)
    ours, found = models.suggest(np.zeros(20000, dtype=np.int64), Streams(0, 1).typed("model"), 6)
    assert found.all()
    assert same_distribution(ours, theirs, sizes) > 1e-4
    assert same_distribution(ours, (rng.random((600, len(sizes))) * sizes).astype(np.int64), sizes) < 1e-12


@pytest.mark.parametrize(
    ("count", "samples", "kind", "draws"),
    [(24, 64, "distinct", 70), (40, 12, "constant", 150), (120, 8, "distinct", 200)],
)
def test_suggestions_are_distributed_as_hpbandsters(count: int, samples: int, kind: str, draws: int) -> None:
    package("hpbandster")
    from optimizers.bohb_hpbandster import BOHBHpbandster

    space = load_benchmark("planted").space
    models, strings, losses = a_model(count, kind, sizes=space.sizes)
    theirs = BOHBHpbandster(random_fraction=0, num_samples=samples, low_fidelities=False)
    theirs.start(Task(space, 1, 500, Streams(6, 1), fidelities=(108,)))
    for string, loss in zip(strings, losses):
        theirs.observe(0, 108, string, loss)
    drawn = [theirs.suggest(0, 108) for _ in range(draws)]
    assert all(modelled for _, modelled in drawn)
    ours, found = models.suggest(np.zeros(20000, dtype=np.int64), Streams(0, 1).typed("model"), samples)
    assert found.all()
    assert same_distribution(ours, np.stack([string for string, _ in drawn]), space.sizes) > 1e-4
    assert (
        same_distribution(
            ours,
            space.from_uniforms(np.random.default_rng(7).random((draws, space.num_variables))),
            space.sizes,
        )
        < 1e-12
    )


def test_share_of_uniform_draws_and_first_model() -> None:
    """As hpbandster has it: no model before N + 1 good and N + 1 bad observations, then one draw in three is
    uniform."""
    space = load_benchmark("planted").space
    method = BOHB(low_fidelities=False)
    method.start(Task(space, 300, 100, Streams(0, 300), fidelities=(108,)))
    rng = np.random.default_rng(8)
    needed = 2 * (space.num_variables + 1)
    for step in range(needed + 1):
        assert (method.models.level >= 0).all() == (step >= needed) and (method.models.level >= 0).any() == (
            step >= needed
        )
        proposal = method.ask(np.ones(300, dtype=np.int64))
        method.tell(proposal, Outcome(rng.random((300, 1)), np.full((300, 1), OK, dtype=np.int8)))
    # The coin decides which stream moves: the model's generators of trials that drew uniformly are untouched.
    fresh = Streams(0, 300)
    untouched = [
        a.bit_generator.state["state"] == b.bit_generator.state["state"]
        for a, b in zip(method._streams.generators("bohb_model"), fresh.generators("bohb_model"))
    ]
    assert 70 < sum(untouched) < 130  # 100 expected, standard deviation 8


class Evaluations:
    """A loss for every (name, rung), the same whoever asks; `failing` of them are infinite."""

    def __init__(self, seed: int, failing: float) -> None:
        rng = np.random.default_rng(seed)
        self.table = np.where(rng.random((4000, 4)) < failing, np.inf, rng.random((4000, 4)))

    def __call__(self, name: int, rung: int) -> float:
        return float(self.table[name, rung])


def ours_by_bracket(
    losses: list[Evaluations], fidelities: tuple[int, ...], steps: int
) -> list[list[tuple[int, int]]]:
    """What `Brackets` evaluates, (name, rung) by trial; a fresh architecture's string is its name."""
    brackets = Brackets(len(losses), 1, fidelities, 3)
    done: list[list[tuple[int, int]]] = [[] for _ in losses]
    names = [0] * len(losses)
    everyone = np.arange(len(losses))
    for _ in range(steps):
        rung, fresh, strings = brackets.next()
        for t in everyone[fresh]:
            strings[t, 0] = names[t]
            names[t] += 1
        loss = np.array([losses[t](strings[t, 0], rung[t]) for t in everyone])
        for t in everyone:
            done[t].append((int(strings[t, 0]), int(rung[t])))
        brackets.record(everyone, strings, loss)
    return done


@pytest.mark.parametrize("failing", [0.0, 0.3, 0.95])
def test_brackets_equal_the_twins(failing: float) -> None:
    losses = [Evaluations(seed, failing) for seed in range(4)]
    done = ours_by_bracket(losses, (4, 12, 36, 108), 400)
    for t, evaluate in enumerate(losses):
        plain: list[tuple[int, int]] = []
        for bracket in bohb_plain.hyperband(4, 3, evaluate):
            plain += bracket
            if len(plain) >= 400:
                break
        assert done[t] == plain[:400]


@pytest.mark.parametrize("failing", [0.0, 0.3])
def test_brackets_equal_hpbandsters(failing: float) -> None:
    package("hpbandster")
    import logging

    from hpbandster.optimizers.bohb import BOHB as Master

    class Sampler:
        names = 0

        def get_config(self, budget: float) -> tuple[int, dict[str, float]]:
            self.names += 1
            return self.names - 1, {}

    class Settings:  # what get_next_iteration reads of a master
        max_SH_iter, eta, budgets = 4, 3, np.array([4.0, 12.0, 36.0, 108.0])
        config_generator = Sampler()

    class Job:
        timestamps: Any = None
        exception: Any = None

        def __init__(self, name: Any, config: int, budget: float, loss: float) -> None:
            self.id, self.kwargs = name, {"config": config, "budget": budget}
            self.result = {"loss": loss}

    def evaluations(evaluate: Evaluations) -> Iterator[tuple[int, int]]:
        for i in range(100):
            iteration = Master.get_next_iteration(Settings(), i, {"logger": logging.getLogger("quiet")})
            while (run := iteration.get_next_run()) is not None:
                name, config, budget = run
                rung = int(np.argmin(np.abs(Settings.budgets - budget)))
                iteration.register_result(Job(name, config, budget, evaluate(config, rung)))
                yield config, rung

    evaluate = Evaluations(9, failing)
    theirs = [done for done, _ in zip(evaluations(evaluate), range(300))]
    assert ours_by_bracket([evaluate], (4, 12, 36, 108), 300)[0] == theirs


def test_lower_fidelities_stop_counting_once_there_is_a_model() -> None:
    models = Models(2, SIZES, 2, N + 1, 15, 0.3)
    rng = np.random.default_rng(1)
    both = np.arange(2)
    for level in (0, 1, 0):
        for _ in range(2 * (N + 1)):
            models.observe(
                both, np.array([level, 0]), (rng.random((2, N)) * SIZES).astype(np.int64), rng.random(2)
            )
        np.testing.assert_array_equal(models.level, [1 if level or models.count[0, 1] else 0, 0])
    assert models.count.tolist() == [[2 * (N + 1), 2 * (N + 1)], [6 * (N + 1), 0]]


def statuses(space: SearchSpace, method: Any, status: int, steps: int) -> Any:
    method.start(Task(space, 2, 100, Streams(0, 2), fidelities=(4, 12, 36, 108)))
    for _ in range(steps):
        proposal = method.ask(np.ones(2, dtype=np.int64))
        method.tell(proposal, Outcome(np.full((2, 1), np.nan), np.full((2, 1), status, dtype=np.int8)))
    return method


@pytest.mark.parametrize("status", [INVALID, FAILED])
def test_nothing_but_failures_is_survived(status: int) -> None:
    space = load_benchmark("planted").space
    method = statuses(space, BOHB(), status, 120)
    assert (method.models.level >= 0).all()
    assert method.ask(np.ones(2, dtype=np.int64)).wanted.all()
