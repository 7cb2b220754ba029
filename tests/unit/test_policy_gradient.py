"""Advantages, objectives, Adam, orders, and what the loop does with invalid strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from nas_bench_suite import (
    FAILED,
    INVALID,
    NOT_RUN,
    OK,
    ConfigError,
    Outcome,
    Protocol,
    Streams,
    Task,
    experiments,
    load_benchmark,
    search,
)
from optimizers.reinforce import Reinforce
from optimizers.reinforce import policy_gradient as pg

USED = np.array([[True, True, True, True], [True, True, False, False], [False, False, False, False]])
REWARDS = np.array([[0.9, 0.1, 0.5, 0.5], [0.2, 0.4, 99.0, 99.0], [7.0, 7.0, 7.0, 7.0]])


def test_baseline_is_the_average_of_earlier_batches() -> None:
    baseline = pg.Baseline(3, 0.75)
    first = np.array([[0.4, -0.4, 0, 0], [-0.1, 0.1, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(baseline.advantage(REWARDS, USED), first, atol=1e-12)
    np.testing.assert_allclose(baseline.value, [0.5, 0.3, np.nan])
    second = baseline.advantage(REWARDS + 0.2 * USED, USED)
    np.testing.assert_allclose(second[:2, :2], [[0.6, -0.2], [0.1, 0.3]], atol=1e-12)
    np.testing.assert_allclose(baseline.value, [0.75 * 0.5 + 0.25 * 0.7, 0.75 * 0.3 + 0.25 * 0.5, np.nan])


def test_ranks_and_normalised_rewards() -> None:
    ranks = np.array([[0.75, -0.75, 0, 0], [-0.5, 0.5, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(pg.centred_ranks(REWARDS, USED), ranks)
    rng = np.random.default_rng(0)
    rewards = rng.integers(0, 6, (5, 20)).astype(float)
    expected = [(2 * stats.rankdata(row) - 1) / 20 - 1 for row in rewards]
    np.testing.assert_allclose(pg.centred_ranks(rewards, np.ones_like(rewards, dtype=bool)), expected)
    normalised = pg.normalised(REWARDS, USED)
    np.testing.assert_allclose(normalised[0], stats.zscore(REWARDS[0]))
    np.testing.assert_allclose(normalised[1], [-1, 1, 0, 0])
    assert not pg.normalised(np.full((1, 4), 0.3), USED[:1]).any()


@pytest.mark.parametrize(
    ("form", "advantage", "ratio", "slope"),
    [
        ("paper", 2.0, 1.0, 2.0),
        ("paper", 2.0, 1.05, 2.0),
        ("paper", 2.0, 1.2, 0.0),
        ("paper", 2.0, 0.5, 2.0),
        # as printed: goes on lowering, cannot bring back down
        ("paper", -2.0, 0.5, -2.0),
        ("paper", -2.0, 1.2, 0.0),
        ("standard", 2.0, 1.2, 0.0),
        ("standard", 2.0, 0.5, 2.0),
        ("standard", -2.0, 0.5, 0.0),
        ("standard", -2.0, 1.2, -2.0),
    ],
)
def test_ppo_slopes_by_the_ratio(form: str, advantage: float, ratio: float, slope: float) -> None:
    log_prob = torch.tensor([np.log(ratio)], requires_grad=True)
    value = pg.objective(
        "ppo", form, log_prob, torch.zeros(1, dtype=torch.float64), torch.tensor([advantage]), 0.1
    )
    (gradient,) = torch.autograd.grad(value.sum(), log_prob)
    assert gradient.item() / ratio == pytest.approx(slope)


def test_ppo_with_one_step_is_reinforce() -> None:
    benchmark = load_benchmark("planted")
    one, other = (
        search(Reinforce(objective=objective, width=8), benchmark, budget=90, trials=3, seed=2).queries[
            "cell_id"
        ]
        for objective in ("reinforce", "ppo")
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("compiled", [True, False])
@torch.no_grad()
def test_adam_is_torchs_for_every_trial_that_steps(compiled: bool) -> None:
    rng = np.random.default_rng(0)
    theta = torch.tensor(rng.standard_normal((3, 4)))
    single = [row.clone().requires_grad_() for row in theta]
    optimizers = [torch.optim.Adam([row], lr=0.05, maximize=True) for row in single]
    adam = pg.Adam(theta, 0.05)
    for rows in ([0, 1, 2], [0, 2], [2], [0, 1, 2]):
        gradient = torch.tensor(rng.standard_normal((len(rows), 4)))
        (adam.ascend if compiled else adam._ascend_in_tensors)(torch.tensor(rows), gradient)
        for row, part in zip(rows, gradient):
            single[row].grad = part
            optimizers[row].step()
    torch.testing.assert_close(theta, torch.stack(single).detach(), rtol=1e-12, atol=1e-12)


def test_orders() -> None:
    rows = np.arange(4)
    assert pg.Orders(Streams(0, 4), 5, 1).pick(rows, np.zeros((4, 3, 0))) is None
    some = pg.Orders(Streams(0, 4), 5, 3)
    assert some.table is not None and all(len(np.unique(table, axis=0)) == 3 for table in some.table)
    picked = some.pick(rows, np.array([[[0.0], [0.34], [0.99]]] * 4))
    np.testing.assert_array_equal(picked, some.table)
    again = pg.Orders(Streams(0, 2, first_trial=2), 5, 3)
    np.testing.assert_array_equal(again.table, some.table[2:])
    fixed = pg.Orders(Streams(0, 4), 5, 1, "random").pick(rows, np.zeros((4, 2, 0)))
    assert fixed is not None and (fixed[:, 0] == fixed[:, 1]).all() and (np.sort(fixed) == np.arange(5)).all()
    fresh = pg.Orders(Streams(0, 1), 3, "all")
    drawn = fresh.pick(np.zeros(1, dtype=int), np.random.default_rng(1).random((1, 6000, 3)))
    assert drawn is not None
    counts = np.unique(drawn[0], axis=0, return_counts=True)[1]
    assert len(counts) == 6 and stats.chisquare(counts).pvalue > 1e-4
    few = pg.Orders(Streams(0, 1), 2, 5).table
    assert few is not None and few.shape == (1, 5, 2)  # only two exist


def start(
    reject: bool = True, trials: int = 3, first_trial: int = 0, **options: Any
) -> tuple[Reinforce, Task]:
    task = Task(
        space=load_benchmark("planted").space,
        trials=trials,
        budget=100,
        streams=Streams(4, trials, first_trial),
        first_trial=first_trial,
        reject_invalid=reject,
    )
    optimizer = Reinforce(**{"policy": "independent", "batch_size": 10, **options})
    optimizer.start(task)
    return optimizer, task


def test_a_collapsed_policy_hands_in_what_it_found() -> None:
    optimizer, task = start(max_rejections=500)
    # only invalid strings
    optimizer.theta[1] = torch.tensor([60.0, 0.0] * 2 + [0.0] * (optimizer.theta.shape[1] - 4))
    optimizer.theta[2, :4] = torch.tensor([4.5, 0.0] * 2)  # mostly
    proposal = optimizer.ask(np.full(3, 100))
    assert proposal.rejected is not None
    assert proposal.wanted[0].all() and not proposal.wanted[1].any()
    assert proposal.rejected[1] == 500 and proposal.rejected[2] > 100
    assert proposal.wanted[2].sum() == 10 or proposal.rejected[2] == 500
    assert task.space.is_valid(proposal.architectures[proposal.wanted]).all()
    status = np.where(proposal.wanted, OK, NOT_RUN)
    before = optimizer.theta.clone()
    optimizer.tell(proposal, Outcome(np.where(proposal.wanted, 0.9, np.nan) + 0.01 * np.arange(10), status))
    assert torch.equal(before[1], optimizer.theta[1]) and not torch.equal(before[0], optimizer.theta[0])


def test_a_collapsed_search_ends() -> None:
    class Collapsed(Reinforce):
        def start(self, task: Task) -> None:
            super().start(task)
            self.theta[:, :4] = torch.tensor([60.0, 0.0] * 2)

    record = search(Collapsed(policy="independent"), load_benchmark("planted"), budget=50, trials=2, seed=1)
    assert set(record.ledger["ended"]) == {"stalled"} and (record.ledger["rejected"] >= 10_000).all()


def test_what_a_trial_draws_depends_on_it_alone() -> None:
    """Rounds of rejection differ between trials; streams and proposals must not feel it."""
    together, _ = start(batch_size=50)
    alone, _ = start(batch_size=50, trials=1, first_trial=2)
    for step in range(3):
        ours, single = together.ask(np.full(3, 100)), alone.ask(np.full(1, 100))
        np.testing.assert_array_equal(ours.architectures[2], single.architectures[0])
        assert ours.rejected is not None and single.rejected is not None
        assert ours.rejected[2] == single.rejected[0]
        for optimizer, proposal in ((together, ours), (alone, single)):
            accuracy = proposal.architectures.sum(axis=2) / 20 + 0.01 * step
            optimizer.tell(proposal, Outcome(accuracy, np.zeros(accuracy.shape, dtype=np.int8)))


def test_invalid_and_failed_strings_earn_the_invalid_reward() -> None:
    optimizer, _ = start(reject=False, invalid_reward=0.25, trials=1, batch_size=4, baseline_decay=0.0)
    proposal = optimizer.ask(np.array([100]))
    assert proposal.rejected is not None
    assert proposal.rejected.sum() == 0 and proposal.wanted.all()
    optimizer.tell(
        proposal,
        Outcome(np.array([[0.75, np.nan, np.nan, np.nan]]), np.array([[OK, INVALID, FAILED, NOT_RUN]])),
    )
    assert optimizer.baseline.value[0] == pytest.approx((0.75 + 0.25 + 0.25) / 3)


def test_charged_invalid_strings_are_learnt_from() -> None:
    """Where they cost a query, a policy proposes fewer and fewer of them."""
    record = search(
        Reinforce(policy="independent", learning_rate=0.3),
        load_benchmark("planted"),
        Protocol(invalid="charge"),
        budget=300,
        trials=10,
        seed=3,
    )
    invalid = record.queries["status"] == INVALID
    early, late = invalid[record.queries["query"] <= 60].mean(), invalid[record.queries["query"] > 240].mean()
    assert early > 0.1 and late < early / 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"orderings": 0}, "optimizer.orderings=0"),
        ({"orderings": "every"}, "optimizer.orderings"),
        ({"policy": "made2"}, "did you mean 'made'"),
        ({"clip": 1.5}, "optimizer.clip=1.5"),
        ({"invalid_reward": -1}, "optimizer.invalid_reward"),
        ({"precision": "float16"}, "float32, float64"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Reinforce(**options)


def test_the_ablation_changes_the_policy_alone() -> None:
    """Table 4's policies run with ReMAADE's values; what a policy has no use for is left out."""
    remaade = experiments.compose({"optimizer": "remaade"})["optimizer"]
    for name in ("reinforce", "reinforce_made", "reinforce_nade", "reinforce_lstm"):
        own = experiments.compose({"optimizer": name})["optimizer"]
        assert own.pop("policy") != "maade"
        assert own == {key: remaade[key] for key in own}


def test_ppo_takes_the_papers_one_step() -> None:
    """Algorithm 1, line 9; more steps are ours."""
    remaade, ppo, medium, steps = (
        experiments.compose({"optimizer": name})["optimizer"]
        for name in ("remaade", "remaade_ppo", "remaade_medium", "remaade_ppo_steps")
    )
    assert remaade["steps"] == medium["steps"] == 1 and medium["objective"] == "ppo"
    assert ppo == remaade | {"objective": "ppo"}
    assert steps == ppo | {"steps": 4}
