"""Independent variables: P(a) = prod_i P(a_i) (paper, equation 15), 'plain vanilla REINFORCE'.

Notation (see `base`): K keys. The parameters are the biases of equation 9, one per key; they start at zero,
so the first batch is uniform.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from optimizers.reinforce.policies.base import Init, Policy, Variable


class Independent(Policy):
    """One categorical distribution per variable; width and embeddings play no part."""

    trials_at_once: ClassVar[int] = 500

    def parameters(self) -> dict[str, Init]:
        return {"density_bias": Init((self.layout.num_keys,), True, 0.0)}

    @staticmethod
    def context_parameters(num_variables: int, width: int, blocks: int = 1) -> int:
        """There is no context."""
        return 0

    def begin(self, theta: Tensor, strings: int) -> dict[str, Any]:
        return {"bias": self.unpack(theta)["density_bias"], "strings": strings}

    def logits(self, state: dict[str, Any], step: int, variable: Variable) -> Tensor:
        return self.of_keys(state["bias"][:, None].expand(-1, state["strings"], -1), variable)

    def observe(self, state: dict[str, Any], step: int, variable: Variable, choice: Tensor) -> None:
        """Nothing depends on it."""
