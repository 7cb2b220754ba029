"""Search by policy gradient (paper, sections 3, 6 and 7): ReMAADE, and the same loop over other policies.

    until the budget is spent:
        sample B valid strings from the policy (each under one of its S orders), fetch their accuracies f
        advantage A = f - b, with b a moving average of the accuracies of earlier batches
        theta <- theta + alpha * gradient of mean_k [objective(A^k, log P(a^k; theta))], by Adam

Notation: T trials, B strings a batch, N variables, theta float[T, P]. All trials move in lockstep as one
program; what a trial draws and learns depends on that trial alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nas_bench_suite.checks import check_choice, check_float, check_int
from nas_bench_suite.optimizer import NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from optimizers.reinforce import policy_gradient as pg
from optimizers.reinforce.policies import POLICIES, make_policy, policy_class

ATTENTIONS = ("additive", "dot_product")
# strings tried at first for each wanted one (0.73 of uniform NASBench-101 strings are valid); changes no
# search
_OVERSAMPLE = 1.6
_MOST_AT_ONCE = 1024  # strings drawn a trial and round


@dataclass
class _Drawn:
    """A batch in the making: strings int64[T, B, N], their orders likewise (None: natural), how many there
    are, how many were rejected."""

    strings: np.ndarray
    orders: np.ndarray | None
    count: np.ndarray
    rejected: np.ndarray


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
        steps: gradient steps a batch. With one, PPO is REINFORCE (r = 1).
        orderings: S, or "all" for N!.
        order: for S = 1: natural, random (one drawn a trial).
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
            "embedding_sd": check_float("optimizer.embedding_sd", embedding_sd, 0),
            "dtype": getattr(torch, check_choice("optimizer.precision", precision, ("float32", "float64"))),
        }
        self.learning_rate = check_float("optimizer.learning_rate", learning_rate, 0)
        self.batch_size = check_int("optimizer.batch_size", batch_size, 1, 100_000)
        self.objective = check_choice("optimizer.objective", objective, pg.OBJECTIVES)
        self.ppo_form = check_choice("optimizer.ppo_form", ppo_form, pg.PPO_FORMS)
        self.clip = check_float("optimizer.clip", clip, 0, 1)
        self.steps = check_int("optimizer.steps", steps, 1, 10_000)
        self.orderings = (
            orderings if orderings == "all" else check_int("optimizer.orderings", orderings, 1, 100_000)
        )
        self.order = check_choice("optimizer.order", order, ("natural", "random"))
        self.entropy = check_float("optimizer.entropy", entropy, 0)
        self.baseline_decay = check_float("optimizer.baseline_decay", baseline_decay, 0, 1)
        self.advantage = check_choice("optimizer.advantage", advantage, pg.ADVANTAGES)
        self.reward_scale = check_float("optimizer.reward_scale", reward_scale, 0)
        self.invalid_reward = check_float("optimizer.invalid_reward", invalid_reward, 0, 1)
        self.max_rejections = check_int("optimizer.max_rejections", max_rejections, 1)
        self._class = policy_class(self.policy_name)

    @property
    def trials_per_block(self) -> int:  # type: ignore[override]
        """As many as the policy's parameters leave memory for."""
        return self._class.trials_per_block

    def start(self, task: Task) -> None:
        # one thread a process: results do not depend on the machine's cores, and processes do not fight
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
        drawn = self._draw_batch(active)
        self._orders_of_batch = drawn.orders
        wanted = np.arange(self.batch_size) < drawn.count[:, None]
        return Proposal(drawn.strings, wanted, rejected=drawn.rejected)

    def _draw_batch(self, active: np.ndarray) -> _Drawn:
        """B strings for each active trial, drawn until they are valid.

        A trial's stream, cut into rows of uniforms, gives one string a row; rows past the one that filled the
        batch are put back.
        """
        trials, batch, variables = self.task.trials, self.batch_size, self.task.space.num_variables
        strings = np.zeros((trials, batch, variables), dtype=np.int64)
        has_orders = self.orderings != 1 or self.order != "natural"
        drawn = _Drawn(
            strings,
            np.zeros_like(strings) + np.arange(variables) if has_orders else None,
            np.zeros(trials, dtype=np.int64),
            np.zeros(trials, dtype=np.int64),
        )
        rows, size = active, (int(np.ceil(_OVERSAMPLE * batch)) if self.task.reject_invalid else batch)
        # later rounds: few trials lack few strings, unless their policies hardly find valid ones
        following = max(8, batch // 2)
        while len(rows):
            for start in range(0, len(rows), self._at_once):
                self._draw(rows[start : start + self._at_once], min(size, max(_MOST_AT_ONCE, batch)), drawn)
            rows = rows[(drawn.count[rows] < batch) & (drawn.rejected[rows] < self.max_rejections)]
            size, following = following, 2 * following
        return drawn

    def _draw(self, rows: np.ndarray, size: int, drawn: _Drawn) -> None:
        """Draw `size` strings for each of `rows` and keep the valid ones, in the order drawn, until the batch
        is full."""
        task, device = self.task, self.policy.device
        variables = task.space.num_variables
        uniforms = task.streams.uniforms("policy", (size, variables + self.orders.uniforms_per_string), rows)
        orders = self.orders.pick(rows, uniforms[..., variables:])
        strings = self.policy.sample(
            self.theta[torch.as_tensor(rows, device=device)],
            torch.as_tensor(uniforms[..., :variables].copy(), device=device),
            None if orders is None else torch.as_tensor(orders, device=device),
        ).cpu().numpy()  # fmt: skip
        valid = (
            task.space.is_valid(strings) if task.reject_invalid else np.ones(strings.shape[:2], dtype=bool)
        )
        count, rejected = drawn.count[rows][:, None], drawn.rejected[rows][:, None]
        accepted, refused = np.cumsum(valid, axis=1), np.cumsum(~valid, axis=1)
        # A string counts if the batch was neither full nor given up before it; these are the first ones of
        # each row.
        counts = (count + accepted - valid < self.batch_size) & (
            rejected + refused - ~valid < self.max_rejections
        )
        row, column = np.nonzero(valid & counts)
        slot = drawn.count[rows][row] + accepted[row, column] - 1
        drawn.strings[rows[row], slot] = strings[row, column]
        if drawn.orders is not None and orders is not None:
            drawn.orders[rows[row], slot] = orders[row, column]
        drawn.count[rows] += (valid & counts).sum(axis=1)
        drawn.rejected[rows] += (~valid & counts).sum(axis=1)
        generators = task.streams.generators("policy")
        for t, unused in zip(rows, size - counts.sum(axis=1)):
            if unused:
                generators[t].bit_generator.advance(-int(unused) * uniforms.shape[2])  # type: ignore[attr-defined]

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
        tensor = lambda values, dtype: torch.as_tensor(values[rows], dtype=dtype, device=policy.device)  # noqa: E731
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
