"""MADE: masked autoencoder for distribution estimation (Germain et al., 2015), as a context layer.

Notation (see `base`): value embeddings v as in MAADE, width d. The autoencoder maps x = (v_1, ..., v_N), N d
numbers, over N d hidden units to (h_1, ..., h_N), N d numbers. Hidden units come in N blocks of d; those of
block b (b = 0 .. N - 1) see the first b variables of the order, and the variable at position t (from 0) sees
blocks 0 .. t:

    u_b = relu(b1_b + sum over j at positions < b of W1[b, j] v_j)
    h_i = b2_i + sum over b <= position of i of W2[i, b] u_b

which is the paper's masking with degrees b. h_i goes to the density layer (9). Embeddings and W1, and W2 and
the density layer, are linear maps in a row and are folded into one table each, once for all strings of a
trial.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from optimizers.reinforce.policies.base import Init, Policy, Variable, linear


class MADE(Policy):
    """The policy of `reinforce_made`: 2 (N d)^2 parameters, so trials come in small blocks."""

    trials_per_block: ClassVar[int] = 50
    trials_at_once: ClassVar[int] = 5

    def parameters(self) -> dict[str, Init]:
        n, d = self.layout.num_variables, self.width
        return {
            "value": Init((self.layout.num_values, d), True, self.embedding_sd),
            "W1": linear(n, d, n * d, fan_in=n * d),  # [variable, input, block and unit]
            "b1": linear(n, d, fan_in=n * d),
            "W2": linear(n, d, n * d, fan_in=n * d),  # [variable, output, block and unit]
            "b2": linear(n, d, fan_in=n * d),
        } | self.density_parameters()

    @staticmethod
    def context_parameters(num_variables: int, width: int, blocks: int = 1) -> int:
        """Two matrices N d x N d, half of them masked, and 2 N d biases: O(N^2 d^2)."""
        return 2 * (num_variables * width) ** 2 + 2 * num_variables * width

    def begin(self, theta: Tensor, strings: int) -> dict[str, Any]:
        p = self.unpack(theta)
        n, d = self.layout.num_variables, self.width
        trials, keys = len(theta), self.layout.num_keys
        values = self.by_variable(p["value"][:, self.key_value])  # [T, N, D, d]
        density = self.by_variable(p["density_weight"])
        return {
            "b1": p["b1"],
            "into": self.by_key(values @ p["W1"]).reshape(trials, keys, n, d),
            "out": self.by_key(density @ p["W2"]).reshape(trials, keys, n, d),
            "seen": theta.new_zeros(trials, strings, keys),  # one-hot keys of the variables observed
            "scores": (p["density_bias"] + self.by_key(density @ p["b2"][..., None]).squeeze(2))[:, None],
        }

    def logits(self, state: dict[str, Any], step: int, variable: Variable) -> Tensor:
        # Block `step` has now seen all that it will see; what it says holds for this variable and all later
        # ones.
        block = torch.baddbmm(state["b1"][:, step, None], state["seen"], state["into"][:, :, step]).relu()
        state["scores"] = state["scores"] + block @ state["out"][:, :, step].transpose(1, 2)
        return self.of_keys(state["scores"], variable)

    def observe(self, state: dict[str, Any], step: int, variable: Variable, choice: Tensor) -> None:
        state["seen"] = state["seen"] + functional.one_hot(self.key(variable, choice), self.layout.num_keys)
