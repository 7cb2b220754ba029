"""Search by policy gradient (paper, sections 3, 6 and 7): ReMAADE, and the same loop over other policies.

    until the budget is spent:
        sample B valid strings from the policy (each under one of its S orders), fetch their accuracies f
        advantage A = f - b, with b a moving average of the accuracies of earlier batches
        theta <- theta + alpha * gradient of mean_k [objective(A^k, log P(a^k; theta))], by Adam

Notation: T trials, B strings per batch, N variables, theta float[T, P]. All trials move in lockstep as one
program; what a trial draws and learns depends on that trial alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from nas_bench_suite.checks import check_choice, check_float, check_int
from nas_bench_suite.drawing import draw_valid
from nas_bench_suite.optimizer import NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from optimizers.reinforce import policy_gradient as pg
from optimizers.reinforce.policies import POLICIES, make_policy, policy_class

ATTENTIONS = ("additive", "dot_product")
# strings tried at first for each wanted one (0.73 of uniform NASBench-101 strings are valid); changes no
# search
_OVERSAMPLE = 1.6
_MOST_AT_ONCE = 1024  # strings drawn per trial and round


class _Batch(NamedTuple):
    """What each trial drew."""

    strings: np.ndarray  # int64[T, B, N], zeros past `given`
    orders: np.ndarray | None  # int64[T, B, N], the order of each string; None: natural throughout
    given: np.ndarray  # int64[T], how many strings there are
    rejected: np.ndarray  # int64[T], how many invalid ones were drawn


class Reinforce(Optimizer):
    """Policy-gradient search.

    Args:
        policy: one of `optimizers.reinforce.policies.POLICIES`: maade, made, nade, lstm, independent.
        width: d of the policy (`independent` has none).
        blocks: M of maade.
        attention: of maade: additive, dot_product.
        embedding_sd: standard deviation of the initial embeddings.
        learning_rate: alpha.
        batch_size: B.
        objective: reinforce (eq. 1), ppo (eq. 11).
        ppo_form: paper (eq. 11 as printed), standard (Schulman et al., 2017).
        clip: epsilon of eq. 11.
        steps: gradient steps per batch. With one, PPO is REINFORCE (r = 1).
        orderings: S, or "all" for N!.
        order: for S = 1: natural, random (one drawn per trial).
        entropy: coefficient of the entropy term.
        baseline_decay: of b.
        advantage: plain (f - b), ranked (centred ranks within the batch), normalised (batch mean 0 and SD 1).
        reward_scale: factor of the advantage.
        invalid_reward: f of a string that has no accuracy: invalid where those are charged, or failed.
        max_rejections: invalid strings after which a batch is handed in as it is. A collapsed policy may find
            no valid string at all.
        precision: of the policy's numbers: float32, float64.

    Raises:
        ConfigError: for a value out of range.
    """

    def __init__(
        self,
        *,
        policy: str = "maade",
        width: int = 36,
        blocks: int = 1,
        attention: str = "additive",
        embedding_sd: float = 1.0,
        learning_rate: float = 1e-2,
        batch_size: int = 30,
        objective: str = "reinforce",
        ppo_form: str = "paper",
        clip: float = 0.1,
        steps: int = 1,
        orderings: int | str = 1,
        order: str = "natural",
        entropy: float = 0.0,
        baseline_decay: float = 0.9,
        advantage: str = "plain",
        reward_scale: float = 1.0,
        invalid_reward: float = 0.0,
        max_rejections: int = 10_000,
        precision: str = "float32",
    ) -> None:
        self.policy_name = check_choice("optimizer.policy", policy, POLICIES)
        self.policy_options = {
            "width": check_int("optimizer.width", width, 1, 4096),
            "blocks": check_int("optimizer.blocks", blocks, 1, 16),
            "attention": check_choice("optimizer.attention", attention, ATTENTIONS),
            "embedding_sd": check_float("optimizer.embedding_sd", embedding_sd, 0, 1e6),
            "dtype": getattr(torch, check_choice("optimizer.precision", precision, ("float32", "float64"))),
        }
        self.learning_rate = check_float("optimizer.learning_rate", learning_rate, 0, 1e6)
        self.batch_size = check_int("optimizer.batch_size", batch_size, 1, 100_000)
        self.objective = check_choice("optimizer.objective", objective, pg.OBJECTIVES)
        self.ppo_form = check_choice("optimizer.ppo_form", ppo_form, pg.PPO_FORMS)
        self.clip = check_float("optimizer.clip", clip, 0, 1)
        self.steps = check_int("optimizer.steps", steps, 1, 10_000)
        self.orderings = (
            orderings if orderings == "all" else check_int("optimizer.orderings", orderings, 1, 100_000)
        )
        self.order = check_choice("optimizer.order", order, ("natural", "random"))
        self.entropy = check_float("optimizer.entropy", entropy, 0, 1e6)
        self.baseline_decay = check_float("optimizer.baseline_decay", baseline_decay, 0, 1)
        self.advantage = check_choice("optimizer.advantage", advantage, pg.ADVANTAGES)
        self.reward_scale = check_float("optimizer.reward_scale", reward_scale, 0, 1e6)
        self.invalid_reward = check_float("optimizer.invalid_reward", invalid_reward, 0, 1)
        self.max_rejections = check_int("optimizer.max_rejections", max_rejections, 1, 1_000_000_000)
        self._class = policy_class(self.policy_name)

    @property
    def trials_per_block(self) -> int:  # type: ignore[override]
        """As many as the policy's parameters leave memory for."""
        return self._class.trials_per_block

    def uses(self) -> tuple[type, ...]:
        return (self._class,)

    def start(self, task: Task) -> None:
        # one thread per process: results do not depend on the machine's cores, and processes do not fight
        torch.set_num_threads(1)
        self.task = task
        self.policy = make_policy(self.policy_name, task.space, device=task.device, **self.policy_options)
        theta = torch.empty(task.trials, self.policy.num_parameters, dtype=self.policy.dtype)
        for t, generator in enumerate(task.streams.generators("policy initial")):
            theta[t] = torch.from_numpy(self.policy.initial(generator))
        self.theta = theta.to(self.policy.device)
        self.adam = pg.Adam(self.theta, self.learning_rate)
        self.baseline = pg.Baseline(task.trials, self.baseline_decay)
        self.orders = pg.Orders(task.streams, task.space.num_variables, self.orderings, self.order)
        self._at_once = self.policy.trials_at_once if self.policy.device.type == "cpu" else 256

    # Line 6 of the algorithm.

    def ask(self, room: np.ndarray) -> Proposal:
        active = np.flatnonzero(np.asarray(room) > 0)
        batch = self._draw_batch(active)
        self._orders_of_batch = batch.orders
        wanted = np.arange(self.batch_size) < batch.given[:, None]
        return Proposal(batch.strings, wanted, rejected=batch.rejected)

    def _draw_batch(self, active: np.ndarray) -> _Batch:
        """B strings for each active trial, drawn until they are valid.

        A trial's stream, cut into rows of uniforms, gives one string per row; rows past the one that filled
        the batch are put back.
        """
        task, size = self.task, self.batch_size
        variables = task.space.num_variables
        sizes = self._round_sizes()
        taken = np.zeros(len(active), dtype=np.int64)

        def draw(rows: np.ndarray) -> np.ndarray:
            count = next(sizes)
            taken[rows] += count
            return np.concatenate(
                [
                    self._draw(active[rows[start : start + self._at_once]], count)
                    for start in range(0, len(rows), self._at_once)
                ]
            )

        # Each string carries its order behind it, if that is not the natural one.
        ordered = self.orderings != 1 or self.order != "natural"
        drawn = draw_valid(
            draw,
            (lambda strings: task.space.is_valid(strings[..., :variables])) if task.reject_invalid else None,
            np.full(len(active), size),
            variables * (2 if ordered else 1),
            self.max_rejections,
        )
        unused = taken - drawn.given - drawn.rejected
        generators = task.streams.generators("policy")
        for t, rows in zip(active, unused):
            if rows:
                back = int(rows) * (variables + self.orders.uniforms_per_string)
                generators[t].bit_generator.advance(-back)
        batch = _Batch(
            np.zeros((task.trials, size, variables), dtype=np.int64),
            np.tile(np.arange(variables), (task.trials, size, 1)) if ordered else None,
            np.zeros(task.trials, dtype=np.int64),
            np.zeros(task.trials, dtype=np.int64),
        )
        batch.given[active], batch.rejected[active] = drawn.given, drawn.rejected
        row, slot = np.nonzero(np.arange(size) < drawn.given[:, None])
        batch.strings[active[row], slot] = drawn.strings[row, slot, :variables]
        if batch.orders is not None:
            batch.orders[active[row], slot] = drawn.strings[row, slot, variables:]
        return batch

    def _round_sizes(self) -> Iterator[int]:
        """How many strings to draw per trial, round after round; changes no search."""
        batch = self.batch_size
        most = max(_MOST_AT_ONCE, batch)
        yield min(math.ceil(_OVERSAMPLE * batch), most) if self.task.reject_invalid else batch
        # later rounds: few trials lack few strings, unless their policies hardly find valid ones
        following = max(8, batch // 2)
        while True:
            yield min(following, most)
            following *= 2

    def _draw(self, rows: np.ndarray, size: int) -> np.ndarray:
        """int64[R, size, N or 2 N]: strings for each of the trials `rows`, with their orders behind them if
        they have any."""
        device, variables = self.policy.device, self.task.space.num_variables
        shape = (size, variables + self.orders.uniforms_per_string)
        uniforms = self.task.streams.uniforms("policy", shape, rows)
        orders = self.orders.pick(rows, uniforms[..., variables:])
        strings = self.policy.sample(
            self.theta[torch.as_tensor(rows, device=device)],
            torch.as_tensor(uniforms[..., :variables].copy(), device=device),
            None if orders is None else torch.as_tensor(orders, device=device),
        )
        drawn = strings.cpu().numpy()
        return drawn if orders is None else np.concatenate([drawn, orders], axis=2)

    # Line 9.

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        used = outcome.status != NOT_RUN
        rewards = np.where(
            (outcome.status == OK) & ~np.isnan(outcome.accuracy), outcome.accuracy, self.invalid_reward
        )
        advantage = self.baseline.advantage(rewards, used)
        if self.advantage == "ranked":
            advantage = pg.centred_ranks(rewards, used)
        elif self.advantage == "normalised":
            advantage = pg.normalised(rewards, used)
        # The mean over a trial's evaluated strings, as weights.
        weight = used / np.maximum(used.sum(axis=1, keepdims=True), 1)
        learning = np.flatnonzero(used.any(axis=1))
        for start in range(0, len(learning), self._at_once):
            self._learn(
                learning[start : start + self._at_once],
                proposal.architectures,
                self.reward_scale * advantage,
                weight,
            )

    def _learn(
        self, rows: np.ndarray, strings: np.ndarray, advantage: np.ndarray, weight: np.ndarray
    ) -> None:
        """Take `steps` gradient steps for the trials `rows`."""
        policy = self.policy

        def tensor(values: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
            return torch.as_tensor(values[rows], dtype=dtype, device=policy.device)

        architectures = tensor(strings, torch.int64)
        orders = None if self._orders_of_batch is None else tensor(self._orders_of_batch, torch.int64)
        advantages, weights = tensor(advantage, policy.dtype), tensor(weight, policy.dtype)
        index = torch.as_tensor(rows, device=policy.device)
        old = None
        for _ in range(self.steps):
            theta = self.theta[index].requires_grad_()
            log_prob, entropy = policy.log_prob(theta, architectures, orders, values=self.objective == "ppo")
            old = log_prob.detach() if old is None else old
            terms = pg.objective(self.objective, self.ppo_form, log_prob, old, advantages, self.clip)
            if self.entropy:
                terms = terms + self.entropy * entropy
            (gradient,) = torch.autograd.grad((weights * terms).sum(), theta)
            self.adam.ascend(index, gradient)
