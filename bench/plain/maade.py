"""MAADE for one string at a time, line by line from the equations of the paper's section 5: the twin of
`optimizers.reinforce.policies.maade`.

As plain as the other twins (`policies_plain`): every equation is computed anew wherever it is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.plain.policies import PlainPolicy


class MAADEPlain(PlainPolicy):
    """MAADE of one trial.

    Args:
        parameters: query [N, d], value [G, d], and for each block m: A{m}, B{m}, w{m} (additive attention
            only), W1_{m}, b1_{m}, W2_{m}, b2_{m}; the density layer as in `PlainPolicy`.
        sizes, value_offset: as in `PlainPolicy`.
        blocks: M.
        attention: "additive" or "dot_product".
    """

    def __init__(
        self,
        parameters: dict[str, Tensor],
        sizes: Sequence[int],
        value_offset: Sequence[int],
        blocks: int = 1,
        attention: str = "additive",
    ) -> None:
        super().__init__(parameters, sizes, value_offset)
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
        """Equations 3 to 7."""
        q = self.p["query"][order[position]]
        k = [self.value_embedding(j, values[j]) + self.p["query"][j] for j in order[:position]]
        for m in range(self.blocks):
            new_q = self.pos_ff(m, q + self.masked_attention(m, q, k))  # (6)
            # (7), KV as in (5)
            new_k = [self.pos_ff(m, k[s] + self.masked_attention(m, k[s], k[: s + 1])) for s in range(len(k))]
            q, k = new_q, new_k
        return q
