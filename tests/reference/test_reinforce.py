"""The policy-gradient loop against its plain twin: whole searches, string by string, and the parameters at
their end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.plain.maade import MAADEPlain
from bench.plain.policies import IndependentPlain, LSTMPlain, MADEPlain, NADEPlain, PlainPolicy
from bench.plain.reinforce import ReinforcePlain
from nas_bench_suite import Lookups, Outcome, Streams, Task
from nas_bench_suite.benchmarks.planted import Planted
from optimizers.reinforce import Reinforce
from optimizers.reinforce.policies import make_policy

BENCHMARK = Planted(noise=0.0)
SPACE = BENCHMARK.space
TRIALS, SEED = 2, 3
PLAIN: dict[str, type[PlainPolicy]] = {
    "made": MADEPlain,
    "nade": NADEPlain,
    "lstm": LSTMPlain,
    "independent": IndependentPlain,
}
# The learning rate is high so that three batches change the policy a lot.
COMMON: dict[str, Any] = {"width": 4, "batch_size": 6, "learning_rate": 0.1, "precision": "float64"}
CASES: dict[str, dict[str, Any]] = {
    "remaade": {},
    "decay": {"baseline_decay": 0.3},
    "entropy": {"entropy": 0.01},
    "ppo_paper": {"objective": "ppo", "steps": 4},
    "ppo_standard": {"objective": "ppo", "steps": 4, "ppo_form": "standard", "clip": 0.3},
    "three_orders": {"orderings": 3},
    "all_orders": {"orderings": "all", "objective": "ppo", "steps": 2, "entropy": 0.01},
    "two_blocks": {"blocks": 2, "orderings": 2},
    "dot_product": {"attention": "dot_product", "order": "random"},
    "made": {"policy": "made", "width": 2},
    "nade": {"policy": "nade"},
    "lstm": {"policy": "lstm", "orderings": 2},
    "independent": {"policy": "independent"},
}


def accuracy(strings: np.ndarray) -> np.ndarray:
    return BENCHMARK.query(Lookups(SPACE.cell_id(strings), 0)).validation


def plain_search(
    options: dict[str, Any], optimizer: Reinforce, trial: int, budget: int
) -> tuple[list[tuple[list[int], float]], torch.Tensor]:
    """The twin's history and its final parameters, from the same streams."""
    streams = Streams(SEED, TRIALS)
    name = options.get("policy", "maade")
    policy = make_policy(name, SPACE, **optimizer.policy_options)
    theta = torch.tensor(policy.initial(streams.generators("policy initial")[trial]))
    parameters = {key: value[0].clone().requires_grad_() for key, value in policy.unpack(theta[None]).items()}
    sizes, offsets = SPACE.sizes.tolist(), policy.layout.value_offset.tolist()
    plain: PlainPolicy
    if name == "maade":
        plain = MAADEPlain(
            parameters,
            sizes,
            offsets,
            options.get("blocks", 1),
            options.get("attention", "additive"),
        )
    else:
        plain = PLAIN[name](parameters, sizes, offsets)
    orders: Any = (
        [list(range(SPACE.num_variables))]
        if optimizer.orders.table is None
        else optimizer.orders.table[trial].tolist()
    )
    if optimizer.orderings == "all":
        orders = "all"
    generator = streams.generators("policy")[trial]
    width = SPACE.num_variables + optimizer.orders.uniforms_per_string
    own = {
        key: options[key]
        for key in ("objective", "ppo_form", "clip", "steps", "entropy", "baseline_decay")
        if key in options
    }
    twin = ReinforcePlain(
        plain,
        lambda: generator.random(width).tolist(),
        orders,
        batch_size=options["batch_size"],
        learning_rate=options["learning_rate"],
        **own,
    )
    history = twin.search(
        lambda s: float(accuracy(np.array(s))), lambda s: bool(SPACE.is_valid(np.array(s))), budget
    )
    return history, torch.cat([parameter.detach().reshape(-1) for parameter in parameters.values()])


@pytest.mark.parametrize("case", CASES)
def test_whole_searches_equal_the_twins(case: str) -> None:
    options = COMMON | CASES[case]
    optimizer = Reinforce(**options)
    batches, batch = 3, options["batch_size"]
    budget = batches * batch - 2  # the last batch is cut short by the budget
    optimizer.start(Task(space=SPACE, trials=TRIALS, budget=budget, streams=Streams(SEED, TRIALS)))
    asked, rejected = [], np.zeros(TRIALS, dtype=int)
    for i in range(batches):
        proposal = optimizer.ask(np.full(TRIALS, budget - i * batch))
        assert proposal.wanted.all() and SPACE.is_valid(proposal.architectures).all()
        asked.append(proposal.architectures)
        rejected += proposal.rejected
        status = np.zeros((TRIALS, batch), dtype=np.int8)
        status[:, budget - i * batch :] = 3
        optimizer.tell(
            proposal, Outcome(np.where(status == 0, accuracy(proposal.architectures), np.nan), status)
        )
    strings = np.concatenate(asked, axis=1)[:, :budget]
    assert rejected.sum() > 0
    trial = 1  # the twin is slow, and trials are alike
    history, parameters = plain_search(options, optimizer, trial, budget)
    assert strings[trial].tolist() == [string for string, _ in history]
    torch.testing.assert_close(optimizer.theta[trial], parameters, rtol=1e-7, atol=1e-8)
