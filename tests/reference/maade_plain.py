"""MAADE for one string at a time, line by line from the equations of the paper's section 5: the twin of `optimizers.parts.policies.maade`.

Slow on purpose: no batches, no tables, no caching of anything that an equation would compute anew. It shares no code with the package;
parameters arrive by name, without a trial axis, in whatever precision the caller wants.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class MAADEPlain:
    """MAADE of one trial.

    Args:
        parameters: query [N, d], value [G, d], and for each block m: A{m}, B{m}, w{m} (additive attention only), W1_{m}, b1_{m}, W2_{m}, b2_{m};
            density_weight [K, d], density_bias [K], where variable i owns rows `sum(sizes[:i])` and the following `sizes[i]`.
        sizes: choices of each variable.
        value_offset: first row of each variable's family in `value`.
        blocks: M.
        attention: "additive" or "dot_product".
    """

    def __init__(
        self, parameters: dict[str, Tensor], sizes: Sequence[int], value_offset: Sequence[int], blocks: int = 1, attention: str = "additive"
    ) -> None:
        self.p, self.sizes, self.value_offset = parameters, list(sizes), list(value_offset)
        self.blocks, self.attention = blocks, attention

    def masked_attention(self, m: int, query: Tensor, keys: list[Tensor]) -> Tensor:
        """softmax over the keys of score(query, key), times the keys; zero where there is no key."""
        if not keys:
            return torch.zeros_like(query)
        scores = []
        for key in keys:
            if self.attention == "additive":  # Bahdanau et al. (2014)
                scores.append(self.p[f"w{m}"] @ torch.tanh(self.p[f"A{m}"] @ query + self.p[f"B{m}"] @ key))
            else:
                scores.append((self.p[f"A{m}"] @ query) @ (self.p[f"B{m}"] @ key) / len(query) ** 0.5)
        weights = torch.softmax(torch.stack(scores), dim=0)
        output = torch.zeros_like(query)
        for weight, key in zip(weights, keys):
            output = output + weight * key
        return output

    def pos_ff(self, m: int, x: Tensor) -> Tensor:
        """Equation 8."""
        return self.p[f"W2_{m}"] @ torch.tanh(self.p[f"W1_{m}"] @ x + self.p[f"b1_{m}"]) + self.p[f"b2_{m}"]

    def context(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        """h of the variable at `position` of the order, given the values of the variables before it (equations 3 to 7)."""
        before = list(order[:position])
        target = order[position]
        q = self.p["query"][target]
        k = [self.p["value"][self.value_offset[j] + values[j]] + self.p["query"][j] for j in before]
        for m in range(self.blocks):
            new_q = self.pos_ff(m, q + self.masked_attention(m, q, k))  # (6)
            new_k = [self.pos_ff(m, k[s] + self.masked_attention(m, k[s], k[: s + 1])) for s in range(len(k))]  # (7), KV as in (5)
            q, k = new_q, new_k
        return q

    def log_conditional(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        """log P(a_{z_t} = . | a_{z_1 : t-1}) of every choice (equation 9)."""
        target = order[position]
        first = sum(self.sizes[:target])
        h = self.context(order, values, position)
        logits = [self.p["density_weight"][first + a] @ h + self.p["density_bias"][first + a] for a in range(self.sizes[target])]
        return torch.log_softmax(torch.stack(logits), dim=0)

    def log_prob(self, values: Sequence[int], order: Sequence[int]) -> Tensor:
        """log P(a_{1:N}) under an order (equation 2; equation 10 without 1/S)."""
        total = torch.zeros((), dtype=self.p["density_bias"].dtype)
        for position, target in enumerate(order):
            total = total + self.log_conditional(order, values, position)[values[target]]
        return total

    def entropy(self, values: Sequence[int], order: Sequence[int]) -> Tensor:
        """Entropies of the conditionals along a string, summed."""
        total = torch.zeros((), dtype=self.p["density_bias"].dtype)
        for position in range(len(order)):
            logs = self.log_conditional(order, values, position)
            total = total - (logs.exp() * logs).sum()
        return total

    @torch.no_grad()
    def sample(self, uniforms: Sequence[float], order: Sequence[int]) -> list[int]:
        """Draw a string; the t-th uniform decides the variable at position t by inverting its distribution function."""
        values = [0] * len(order)
        for position, target in enumerate(order):
            probabilities = self.log_conditional(order, values, position).exp().tolist()
            choice, below = 0, probabilities[0]
            while choice < self.sizes[target] - 1 and uniforms[position] >= below:
                choice += 1
                below += probabilities[choice]
            values[target] = choice
        return values
