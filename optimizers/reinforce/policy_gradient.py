"""The arithmetic of policy-gradient search: advantages, objectives, Adam, orders of the variables.

Notation: T trials, C strings per trial, N variables, P parameters. `used` bool[T, C] marks the strings that
have a reward: the others count for nothing, and a trial without any takes no step.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nas_bench_suite.streams import Streams
from optimizers.reinforce import adam_kernel

ADVANTAGES = ("plain", "ranked", "normalised")
OBJECTIVES = ("reinforce", "ppo")
PPO_FORMS = ("paper", "standard")


class Baseline:
    """b, the exponential moving average of the accuracies of previous batches (paper, section 3).

    The paper does not say where it starts: the first batch is measured against its own mean, and that mean
    starts the average (started at zero, every string of the first batches would look good).

    Args:
        trials: T.
        decay: weight of the past when a batch's mean enters.
    """

    def __init__(self, trials: int, decay: float) -> None:
        self.decay = decay
        self.value = np.full(trials, np.nan)

    def advantage(self, rewards: np.ndarray, used: np.ndarray) -> np.ndarray:
        """rewards - b, float64[T, C]; afterwards the batch enters the average."""
        batch = mean(rewards, used)
        before = np.where(np.isnan(self.value), batch, self.value)
        after = np.where(np.isnan(self.value), batch, self.decay * before + (1 - self.decay) * batch)
        self.value = np.where(used.any(axis=1), after, self.value)
        return np.asarray(np.where(used, rewards - before[:, None], 0.0))


def mean(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    """float64[T], the mean over used entries (0 where there is none)."""
    return np.asarray(np.where(used, values, 0.0).sum(axis=1) / np.maximum(used.sum(axis=1), 1))


def centred_ranks(rewards: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Ranks within each trial's batch, float64[T, C], spread evenly over (-1, 1) with mean 0; equal rewards
    share their mean rank."""
    both = used[:, :, None] & used[:, None, :]
    below = (both & (rewards[:, None, :] < rewards[:, :, None])).sum(axis=2)
    equal = (both & (rewards[:, None, :] == rewards[:, :, None])).sum(axis=2)
    count = np.maximum(used.sum(axis=1), 1)[:, None]
    return np.where(used, (2 * below + equal) / count - 1.0, 0.0)


def normalised(rewards: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Rewards less their batch's mean, in units of its standard deviation, float64[T, C] (0 where all are
    equal)."""
    centred = np.where(used, rewards - mean(rewards, used)[:, None], 0.0)
    spread = np.sqrt(mean(centred**2, used))[:, None]
    out = np.zeros_like(centred)
    np.divide(centred, spread, out=out, where=spread > 1e-12)
    return out


def objective(
    kind: str, form: str, log_prob: Tensor, old_log_prob: Tensor | None, advantage: Tensor, clip: float
) -> Tensor:
    """What a string adds to the objective that is ascended, [T, C].

    Args:
        kind: `reinforce`: A log P, whose gradient is the REINFORCE estimate of eq. 1's; `ppo`: with r = P /
            P_old (12),
            form `paper`: A min(r, clip(r, 1 - eps, 1 + eps)) (11, as printed); `standard`: min(r A, clip(r)
                A) (Schulman et al., 2017).
        form: of `ppo`. For A >= 0 the two agree. For A < 0 the printed form never stops lowering a string's
            probability and cannot raise it again above 1 + eps; the standard one stops at 1 - eps.
        log_prob, old_log_prob: log P under theta, and under the theta that sampled the strings (`ppo` only).
        advantage: A.
        clip: eps.
    """
    if kind == "reinforce":
        return advantage * log_prob
    assert old_log_prob is not None
    ratio = (log_prob - old_log_prob).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    if form == "paper":
        return advantage * torch.minimum(ratio, clipped)
    return torch.minimum(advantage * ratio, advantage * clipped)


class Adam:
    """Adam (Kingma & Ba, 2015; its default decays) ascending T objectives at once, each trial with a step
    count of its own.

    Args:
        theta: [T, P], changed in place.
        learning_rate: alpha.
    """

    def __init__(
        self,
        theta: Tensor,
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        self.theta, self.learning_rate, self.betas, self.epsilon = theta, learning_rate, betas, epsilon
        self.first, self.second = torch.zeros_like(theta), torch.zeros_like(theta)
        self.steps = torch.zeros(len(theta), 1, dtype=torch.float64, device=theta.device)

    @torch.no_grad()
    def ascend(self, rows: Tensor, gradient: Tensor) -> None:
        """Move the trials `rows` int64[R] along `gradient` [R, P]."""
        beta1, beta2 = self.betas
        if self.theta.device.type == "cpu":
            tables = (self.theta, self.first, self.second, self.steps)
            adam_kernel.ascend(
                adam_kernel.Ascent(*(table.numpy() for table in tables)),
                rows.numpy(),
                gradient.contiguous().numpy(),
                adam_kernel.Rates(self.learning_rate, beta1, beta2, self.epsilon),
            )
        else:
            self._ascend_in_tensors(rows, gradient)

    def _ascend_in_tensors(self, rows: Tensor, gradient: Tensor) -> None:
        """The same for any device."""
        beta1, beta2 = self.betas
        steps = self.steps[rows] + 1
        first = beta1 * self.first[rows] + (1 - beta1) * gradient
        second = beta2 * self.second[rows] + (1 - beta2) * gradient.square()
        scale = (self.learning_rate / (1 - beta1**steps)).to(gradient.dtype)
        unbias = (1 - beta2**steps).sqrt().to(gradient.dtype)
        self.theta[rows] += scale * first / (second.sqrt() / unbias + self.epsilon)
        self.first[rows], self.second[rows], self.steps[rows] = first, second, steps


class Orders:
    """The S autoregressive orders of each trial (paper, section 6): Z_S drawn once per trial, and one of them
    uniformly for every string.

    Args:
        streams: of T trials.
        num_variables: N.
        count: S, or "all" for S = N!, where every string gets a fresh uniform order.
        single: for S = 1, `natural` (the space's) or `random` (one drawn per trial).

    Attributes:
        uniforms_per_string: how many uniforms `pick` takes for a string.
    """

    def __init__(
        self, streams: Streams, num_variables: int, count: int | str, single: str = "natural"
    ) -> None:
        self.num_variables, self.count = num_variables, count
        self.table: np.ndarray | None = None  # int64[T, S, N]
        if isinstance(count, int) and (count > 1 or single == "random"):
            self.table = np.stack(
                [
                    _distinct_orders(generator, num_variables, count)
                    for generator in streams.generators("orders")
                ]
            )
        self.uniforms_per_string = num_variables if count == "all" else int(count != 1)

    def pick(self, rows: np.ndarray, uniforms: np.ndarray) -> np.ndarray | None:
        """int64[R, C, N], an order for each of C strings of the trials `rows`, from uniforms [R, C,
        uniforms_per_string].

        None says that all have the natural order.
        """
        if self.count == "all":
            return np.argsort(uniforms, axis=-1)
        if self.table is None:
            return None
        if self.count == 1:
            return np.repeat(self.table[rows], uniforms.shape[1], axis=1)
        which = np.minimum((uniforms[..., 0] * self.table.shape[1]).astype(np.int64), self.table.shape[1] - 1)
        picked: np.ndarray = self.table[rows[:, None], which]
        return picked


def _distinct_orders(generator: np.random.Generator, num_variables: int, count: int) -> np.ndarray:
    """int64[count, N]: different orders, each uniform (fewer than `count` exist only for tiny N; then orders
    repeat)."""
    found: dict[tuple[int, ...], np.ndarray] = {}
    tries = 0
    orders: list[np.ndarray] = []
    while len(orders) < count:
        order = generator.permutation(num_variables)
        tries += 1
        if tuple(order) in found and tries < 100 * count:
            continue
        found[tuple(order)] = order
        orders.append(order)
    return np.stack(orders)
