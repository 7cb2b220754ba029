"""NADE: neural autoregressive distribution estimator (Larochelle & Murray, 2011; Uria et al., 2016), as a
context layer.

Notation (see `base`): value embeddings v as in MAADE, width d = hidden units. For an order z,

    h_i = sigmoid(c + sum over j before i of W_j v_j),      W_j d x d, one per variable, shared by all h,

goes to the density layer (9). The sum grows by one term per step, so a pass over a string costs N d. As in
the order-agnostic NADE, the same parameters serve every order.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from optimizers.reinforce.policies.base import Init, Policy, Variable, linear, rows


class NADE(Policy):
    """The policy of `reinforce_nade`."""

    def parameters(self) -> dict[str, Init]:
        n, d = self.layout.num_variables, self.width
        return {
            "value": Init((self.layout.num_values, d), True, self.embedding_sd),
            "weight": linear(n, d, d, fan_in=n * d),  # [variable, input, unit]
            "bias": linear(d, fan_in=n * d),
        } | self.density_parameters()

    @staticmethod
    def context_parameters(num_variables: int, width: int, blocks: int = 1) -> int:
        """N matrices d x d and d biases: O(N d^2)."""
        return num_variables * width**2 + width

    def begin(self, theta: Tensor, strings: int) -> dict[str, Any]:
        p = self.unpack(theta)
        values = self.by_variable(p["value"][:, self.key_value])  # [T, N, D, d]
        return {
            "p": p,
            "terms": self.by_key(values @ p["weight"]),
            "sum": p["bias"][:, None].expand(-1, strings, -1),
        }

    def logits(self, state: dict[str, Any], step: int, variable: Variable) -> Tensor:
        return self.density(state["p"], state["sum"].sigmoid(), variable)

    def observe(self, state: dict[str, Any], step: int, variable: Variable, choice: Tensor) -> None:
        state["sum"] = state["sum"] + rows(state["terms"], self.key(variable, choice))
