"""TPE in lockstep against its plain twin, and against hyperopt: the same estimators, the same distribution of
suggestions."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from bench.plain import tpe as tpe_plain
from nas_bench_suite import FAILED, OK, Outcome, Proposal, Streams, Task, load_benchmark
from nas_bench_suite.ask_tell import Suggestion
from optimizers.tpe import TPE
from optimizers.tpe.parzen import Histories

SIZES = np.array([2, 3, 5, 2, 3, 4])


def a_history(
    rng: np.random.Generator, count: int, sizes: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Strings int64[count, N] and losses float64[count]: `distinct`, with `ties`, `failed` (a third
    infinite), `falling` (ever better) ones."""
    strings = (rng.random((count, len(sizes))) ** 1.5 * sizes).astype(np.int64)
    losses = rng.permutation(count) / count + 0.3 * strings[:, 0]
    if kind == "ties":
        losses = np.round(losses * 4) / 4
    elif kind == "failed":
        losses = np.where(rng.random(count) < 0.34, np.inf, losses)
    elif kind == "falling":
        losses = np.sort(losses)[::-1]
    return strings, losses


@pytest.mark.parametrize("kind", ["distinct", "ties", "failed", "falling"])
@pytest.mark.parametrize(("gamma", "flat", "prior_weight"), [(0.25, 25, 1.0), (2.5, 7, 0.5)])
def test_estimators_equal_the_twins_at_every_step(
    kind: str, gamma: float, flat: int, prior_weight: float
) -> None:
    rng = np.random.default_rng(1)
    strings, losses = zip(*(a_history(rng, 150, SIZES, kind) for _ in range(2)))
    histories = Histories(2, SIZES, 4, gamma, flat, prior_weight)
    for i in range(150):
        histories.observe(np.arange(2), np.stack([s[i] for s in strings]), np.array([x[i] for x in losses]))
        good, bad = histories.densities(np.arange(2))
        for t in range(2):
            twin = tpe_plain.densities(
                list(strings[t][: i + 1]), list(losses[t][: i + 1]), SIZES, gamma, prior_weight, flat
            )
            for j, size in enumerate(SIZES):
                np.testing.assert_allclose(good[t, j, :size], twin[j][0], rtol=1e-12)
                np.testing.assert_allclose(bad[t, j, :size], twin[j][1], rtol=1e-12)
                assert not good[t, j, size:].any() and not bad[t, j, size:].any()


def same_distribution(a: np.ndarray, b: np.ndarray, sizes: np.ndarray) -> float:
    """Smallest p of chi-square tests, one a variable, that two samples int[., N] have the same marginals
    (times the number of tests)."""
    smallest = 1.0
    for j, size in enumerate(sizes):
        table = np.stack([np.bincount(sample[:, j], minlength=size) for sample in (a, b)])
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] > 1:
            smallest = min(smallest, chi2_contingency(table, correction=False).pvalue)
    return smallest * len(sizes)


@pytest.mark.parametrize("candidates", [1, 3, 24])
def test_one_uniform_a_variable_equals_many_draws(candidates: int) -> None:
    rng = np.random.default_rng(2)
    strings, losses = a_history(rng, 23, SIZES, "ties")
    histories = Histories(1, SIZES, 30, 0.25, 25, 1.0)
    for string, loss in zip(strings, losses):
        histories.observe(np.zeros(1, dtype=np.int64), string[None], np.array([loss]))
    estimators = tpe_plain.densities(list(strings), list(losses), SIZES, 0.25, 1.0, 25)
    theirs = np.stack([tpe_plain.suggest(rng, estimators, candidates) for _ in range(4000)])
    ours = histories.suggest(np.zeros(20000, dtype=np.int64), Streams(0, 1).typed("tpe"), candidates)
    assert same_distribution(ours, theirs, SIZES) > 1e-4


@pytest.mark.parametrize(
    ("count", "kind"), [(5, "distinct"), (20, "ties"), (45, "failed"), (130, "distinct")]
)
def test_suggestions_are_distributed_as_hyperopts(count: int, kind: str) -> None:
    from optimizers.tpe_hyperopt import TPEHyperopt

    space = load_benchmark("planted").space
    rng = np.random.default_rng(count)
    strings, losses = a_history(rng, count, space.sizes, kind)
    task = Task(space, 1, 500, Streams(5, 1), reject_invalid=False)
    ours, theirs = TPE(), TPEHyperopt()
    ours.start(task)
    theirs.start(task)
    (study,) = theirs._studies
    template = theirs.suggest(study).token
    for i, (string, loss) in enumerate(zip(strings, losses)):
        ok = bool(np.isfinite(loss))
        outcome = Outcome(
            np.array([[-loss if ok else np.nan]]), np.full((1, 1), OK if ok else FAILED, dtype=np.int8)
        )
        ours.tell(Proposal(string[None, None], np.ones((1, 1), dtype=bool)), outcome)
        document = copy.deepcopy(template)
        document["tid"] = document["misc"]["tid"] = i
        document["misc"]["idxs"] = {label: [i] for label in study.labels}
        document["misc"]["vals"] = {label: [int(value)] for label, value in zip(study.labels, string)}
        theirs.observe(study, Suggestion(string, document), -loss if ok else None)
    assert len(study.trials) == ours._histories.count[0] == count
    room = np.ones(1, dtype=np.int64)
    drawn_theirs = np.stack([np.asarray(theirs.suggest(study).string) for _ in range(200)])
    drawn_ours = np.concatenate([ours.ask(room).architectures[:, 0] for _ in range(3000)])
    assert same_distribution(drawn_ours, drawn_theirs, space.sizes) > 1e-4
    if count >= 45:  # and the suggestions are far from uniform, or this would show little
        uniform = space.from_uniforms(rng.random((200, space.num_variables)))
        assert same_distribution(drawn_theirs, uniform, space.sizes) < 1e-12
