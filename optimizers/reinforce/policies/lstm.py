"""LSTM: a recurrent controller (Zoph & Le, 2017), as a context layer.

Notation (see `base`): query and value embeddings q, v as in MAADE, width d = hidden units. For an order z,

    x_1 = 0,   x_t = v of z_{t-1}'s choice + q of z_{t-1}
    (g_i, g_f, g_c, g_o) = W x_t + U s_{t-1} + b
    c_t = sigmoid(g_f) c_{t-1} + sigmoid(g_i) tanh(g_c),   s_t = sigmoid(g_o) tanh(c_t),   s_0 = c_0 = 0

and h of the variable at position t is s_t, which goes to the density layer (9).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from optimizers.reinforce.policies.base import Init, Policy, Variable, linear, rows


class LSTM(Policy):
    """The policy of `reinforce_lstm`."""

    def parameters(self) -> dict[str, Init]:
        d = self.width
        return {
            "query": Init((self.layout.num_variables, d), True, self.embedding_sd),
            "value": Init((self.layout.num_values, d), True, self.embedding_sd),
            "W": linear(4 * d, d, fan_in=d),  # gates in the order i, f, c, o
            "U": linear(4 * d, d, fan_in=d),
            "b": linear(4 * d, fan_in=d),
        } | self.density_parameters()

    @staticmethod
    def context_parameters(num_variables: int, width: int, blocks: int = 1) -> int:
        """W and U, 4 d x d each, and 4 d biases: O(d^2)."""
        return 8 * width**2 + 4 * width

    def begin(self, theta: Tensor, strings: int) -> dict[str, Any]:
        p = self.unpack(theta)
        keys = p["query"][:, self.key_variable] + p["value"][:, self.key_value]
        state = {
            "p": p,
            "inputs": torch.baddbmm(p["b"][:, None], keys, p["W"].transpose(1, 2)),  # [T, K, 4 d]
            "s": theta.new_zeros(len(theta), strings, self.width),
            "c": theta.new_zeros(len(theta), strings, self.width),
        }
        self._advance(state, p["b"][:, None])
        return state

    def logits(self, state: dict[str, Any], step: int, variable: Variable) -> Tensor:
        return self.density(state["p"], state["s"], variable)

    def observe(self, state: dict[str, Any], step: int, variable: Variable, choice: Tensor) -> None:
        self._advance(state, rows(state["inputs"], self.key(variable, choice)))

    def _advance(self, state: dict[str, Any], inputs: Tensor) -> None:
        """One step of the recurrence; inputs [T, C or 1, 4 d] = W x + b."""
        g_i, g_f, g_c, g_o = (inputs + state["s"] @ state["p"]["U"].transpose(1, 2)).chunk(4, dim=2)
        state["c"] = g_f.sigmoid() * state["c"] + g_i.sigmoid() * g_c.tanh()
        state["s"] = g_o.sigmoid() * state["c"].tanh()
