"""The algorithm of the paper's section 7 for one trial, line by line: the twin of `optimizers.reinforce`.

A trial's random numbers come as rows of uniforms, one row a string: N for the values, and after them what
picks the string's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bench.plain.policies import PlainPolicy


class ReinforcePlain:
    """One search.

    Args:
        policy: a plain policy; its parameters are leaves that require gradients, and are trained in place.
        uniforms: returns the next row of the trial's stream.
        orders: Z_S, the orders; "all" for N!; a single one needs no uniform. batch_size, learning_rate,
        objective, ppo_form, clip, steps, entropy, baseline_decay: as in `Reinforce`.
    """

    def __init__(
        self,
        policy: PlainPolicy,
        uniforms: Callable[[], Sequence[float]],
        orders: Sequence[Sequence[int]] | str,
        *,
        batch_size: int = 30,
        learning_rate: float = 1e-2,
        objective: str = "reinforce",
        ppo_form: str = "paper",
        clip: float = 0.1,
        steps: int = 1,
        entropy: float = 0.0,
        baseline_decay: float = 0.9,
    ) -> None:
        self.policy, self.uniforms, self.orders = policy, uniforms, orders
        self.batch_size, self.objective, self.ppo_form, self.clip = batch_size, objective, ppo_form, clip
        self.steps, self.entropy, self.baseline_decay = steps, entropy, baseline_decay
        self.baseline: float | None = None
        self.adam = torch.optim.Adam(list(policy.p.values()), lr=learning_rate, maximize=True)

    def draw(self) -> tuple[list[int], list[int]]:
        """A string and its order, valid or not."""
        n = len(self.policy.sizes)
        row = self.uniforms()
        if isinstance(self.orders, str):  # all: the order that sorts N uniforms
            order = sorted(range(n), key=lambda i: row[n + i])
        elif len(self.orders) == 1:
            order = list(self.orders[0])
        else:
            order = list(self.orders[int(row[n] * len(self.orders))])
        return self.policy.sample(row[:n], order), order

    def search(
        self, accuracy: Callable[[list[int]], float], is_valid: Callable[[list[int]], bool], budget: int
    ) -> list[tuple[list[int], float]]:
        """Every query and its accuracy. The algorithm's loop: lines 5 to 11."""
        history: list[tuple[list[int], float]] = []
        while len(history) < budget:  # line 5
            batch: list[tuple[list[int], list[int]]] = []
            while len(batch) < self.batch_size:  # line 6
                string, order = self.draw()
                if is_valid(string):
                    batch.append((string, order))
            batch = batch[: budget - len(history)]
            rewards = [accuracy(string) for string, _ in batch]  # line 7
            history += list(zip((string for string, _ in batch), rewards))  # line 8 keeps the best of these
            self.update(batch, rewards)  # line 9
        return history

    def update(self, batch: list[tuple[list[int], list[int]]], rewards: list[float]) -> None:
        mean = sum(rewards) / len(rewards)
        baseline = mean if self.baseline is None else self.baseline
        self.baseline = (
            mean
            if self.baseline is None
            else self.baseline_decay * self.baseline + (1 - self.baseline_decay) * mean
        )
        with torch.no_grad():
            old = [self.policy.log_prob(string, order) for string, order in batch]
        for _ in range(self.steps):
            objective = torch.zeros((), dtype=torch.float64)
            for (string, order), reward, log_prob_old in zip(batch, rewards, old):
                # (13)
                objective = objective + self.term(string, order, reward - baseline, log_prob_old) / len(batch)
            self.adam.zero_grad()
            torch.autograd.backward(objective)
            self.adam.step()  # (14)

    def term(self, string: list[int], order: list[int], advantage: float, log_prob_old: Tensor) -> Tensor:
        log_prob = self.policy.log_prob(string, order)
        if self.objective == "reinforce":
            term = advantage * log_prob
        else:
            r = torch.exp(log_prob - log_prob_old)  # (12)
            clipped = torch.clamp(r, 1 - self.clip, 1 + self.clip)
            term = (
                advantage * torch.minimum(r, clipped)
                if self.ppo_form == "paper"
                else torch.minimum(advantage * r, advantage * clipped)
            )
        return term + self.entropy * self.policy.entropy(string, order) if self.entropy else term
