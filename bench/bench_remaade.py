"""ReMAADE: all trials as one program against the plain twin run trial by trial, and against an ordinary
program run trial by trial.

The twin goes through strings, variables and pairs of variables one by one; its cost is proportional to its
queries, so it is timed on a batch of 15 and scaled. The ordinary program is the policy in steps, a batch's
strings as one tensor, for a single trial: what a search written with torch does.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from bench.plain.maade import MAADEPlain
from bench.plain.reinforce import ReinforcePlain
from nas_bench_suite import Lookups, Protocol, load_benchmark, search
from nas_bench_suite.streams import Streams
from optimizers.reinforce import Reinforce
from optimizers.reinforce.policies import make_policy
from optimizers.reinforce.policy_gradient import Orders

SHORT: dict[str, Any] = {"width": 36, "batch_size": 30, "learning_rate": 1e-2}
MEDIUM: dict[str, Any] = {"width": 45, "batch_size": 64, "learning_rate": 1e-3, "orderings": 4}


def _fast(options: dict[str, Any], benchmark: Any, budget: int, trials: int) -> float:
    """Processor seconds a trial of the searches, loop and look-ups included."""
    search(Reinforce(**options), benchmark, Protocol(), budget=options["batch_size"], trials=2, seed=0)
    began = time.thread_time()
    search(Reinforce(**options), benchmark, Protocol(), budget=budget, trials=trials, seed=0)
    return (time.thread_time() - began) / trials


def _ordinary(options: dict[str, Any], benchmark: Any, budget: int) -> float:
    """Processor seconds of one trial, its batches as tensors."""
    optimizer = Reinforce(**options)
    optimizer.policy_options["compiled"] = False
    search(optimizer, benchmark, Protocol(), budget=options["batch_size"], trials=1, seed=0)
    began = time.thread_time()
    search(optimizer, benchmark, Protocol(), budget=budget, trials=1, seed=0)
    return time.thread_time() - began


def _plain(options: dict[str, Any], benchmark: Any, queries: int) -> float:
    """Processor seconds of the twin for `queries` queries of one trial."""
    space, streams = benchmark.space, Streams(0, 1)
    policy = make_policy("maade", space, width=options["width"])
    theta = torch.tensor(policy.initial(streams.generators("policy initial")[0]), dtype=torch.float32)
    parameters = {key: value[0].clone().requires_grad_() for key, value in policy.unpack(theta[None]).items()}
    orders = Orders(streams, space.num_variables, options.get("orderings", 1))
    table = [list(range(space.num_variables))] if orders.table is None else orders.table[0].tolist()
    generator, width = streams.generators("policy")[0], space.num_variables + orders.uniforms_per_string
    twin = ReinforcePlain(
        MAADEPlain(parameters, space.sizes.tolist(), policy.layout.value_offset.tolist()),
        lambda: generator.random(width),
        table,
        batch_size=queries,
        learning_rate=options["learning_rate"],
    )

    def accuracy(string: list[int]) -> float:
        return float(benchmark.query(Lookups(space.cell_id(np.array(string)), 0)).validation)

    began = time.thread_time()
    twin.search(accuracy, lambda string: bool(space.is_valid(np.array(string))), queries)
    return time.thread_time() - began


def run() -> list[tuple[str, str]]:
    torch.set_num_threads(1)
    benchmark = load_benchmark("nasbench101_surrogate")
    rows = []
    for options, budget, trials, what in ((SHORT, 150, 100, ""), (MEDIUM, 3200, 25, ", one step a batch")):
        fast = _fast(options, benchmark, budget, trials)
        plain = _plain(options, benchmark, 15) * budget / 15
        ordinary = _ordinary(options, benchmark, budget)
        rows += [
            (
                f"ReMAADE, {budget:,} queries{what}",
                f"{fast * 1e3:.1f} ms a trial, {plain / fast:,.0f} times as fast as the plain twin "
                f"({plain:.1f} s a trial)",
            ),
            (
                "  beside an ordinary program, a trial at a time",
                f"{ordinary / fast:,.0f} times as fast ({ordinary:.2f} s a trial)",
            ),
        ]
    return rows
