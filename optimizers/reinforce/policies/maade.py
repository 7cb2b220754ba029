"""MAADE: masked attention autoregressive density estimator (paper, section 5, equations 3 to 9).

Notation (see `base`): query embeddings q_i, one per variable; value embeddings v, one per value of a family;
width d, M blocks. For an order z of the variables, stream 1 starts at q^(0)_i = q_i and stream 2 at k^(0)_i =
v_i + q_i, and block m = 0 .. M - 1 computes

    q^(m+1)_i = PosFF_m(q^(m)_i + Attention_m(q^(m)_i, {k^(m)_j : j before i}))              (4, 6)
    k^(m+1)_i = PosFF_m(k^(m)_i + Attention_m(k^(m)_i, {k^(m)_j : j before i, and i}))       (5, 7)
    PosFF_m(x) = W2 tanh(W1 x + b1) + b2                                                     (8)

and h_i = q^(M)_i goes to the density layer (9). Attention_m(x, keys) = sum_j softmax_j(score(x, k_j)) k_j
with one head; the keys are the values. `additive`: score(x, k) = w . tanh(A x + B k); `dot_product`: score(x,
k) = (A x) . (B k) / sqrt(d).

Readings of what the paper leaves open: equation 7 prints KV = q where equation 5 and XLNet say k: 5 is
followed. The first variable has nothing to attend to: its attention output is zero. The sum with the query in
equation 6 is kept. Both streams share a block's parameters.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from optimizers.reinforce.policies import maade_kernels
from optimizers.reinforce.policies.base import Init, Layout, Policy, Variable, linear, rows
from optimizers.reinforce.policies.maade_kernels import Attention, Keys, Tables

ATTENTIONS = ("additive", "dot_product")


class MAADE(Policy):
    """The policy of ReMAADE.

    Args:
        layout, width, embedding_sd, dtype, device: as in `Policy`.
        blocks: M.
        attention: one of `ATTENTIONS`.
        compiled: take the compiled form (M = 1 on a processor) where there is one; the same numbers up to
            rounding.
    """

    options: ClassVar[frozenset[str]] = Policy.options | {"blocks", "attention", "compiled"}

    def __init__(
        self,
        layout: Layout,
        *,
        blocks: int = 1,
        attention: str = "additive",
        compiled: bool = True,
        **common: Any,
    ) -> None:
        self.blocks, self.attention = blocks, attention
        super().__init__(layout, **common)
        self.compiled = compiled and blocks == 1 and self.device.type == "cpu"

    def parameters(self) -> dict[str, Init]:
        d = self.width
        inits = {
            "query": Init((self.layout.num_variables, d), True, self.embedding_sd),
            "value": Init((self.layout.num_values, d), True, self.embedding_sd),
        }
        for m in range(self.blocks):
            inits |= {f"A{m}": linear(d, d, fan_in=d), f"B{m}": linear(d, d, fan_in=d)}
            if self.attention == "additive":
                inits[f"w{m}"] = linear(d, fan_in=d)
            inits |= {f"W1_{m}": linear(d, d, fan_in=d), f"b1_{m}": linear(d, fan_in=d)}
            inits |= {f"W2_{m}": linear(d, d, fan_in=d), f"b2_{m}": linear(d, fan_in=d)}
        return inits | self.density_parameters()

    @staticmethod
    def context_parameters(num_variables: int, width: int, blocks: int = 1) -> int:
        """A, B, W1, W2 (d x d), w, b1, b2 (d) per block: O(d^2), whatever N is."""
        return blocks * (4 * width**2 + 3 * width)

    # The steps, for any M and any device.

    def begin(self, theta: Tensor, strings: int) -> dict[str, Any]:
        p = self.unpack(theta)
        keys = p["query"][:, self.key_variable] + p["value"][:, self.key_value]
        # Per block: the keys seen so far and their projections B k, lists of one [T, C, d] per position.
        return {
            "p": p,
            "k0": keys,
            "keys": [[] for _ in range(self.blocks)],
            "projected": [[] for _ in range(self.blocks)],
        }

    def logits(self, state: dict[str, Any], step: int, variable: Variable) -> Tensor:
        x = rows(state["p"]["query"], variable)
        for m in range(self.blocks):
            x = self._block(state, m, x)
        return self.density(state["p"], x, variable)

    def observe(self, state: dict[str, Any], step: int, variable: Variable, choice: Tensor) -> None:
        k = rows(state["k0"], self.key(variable, choice))
        for m in range(self.blocks):
            state["keys"][m].append(k)
            state["projected"][m].append(k @ state["p"][f"B{m}"].transpose(1, 2))
            if m + 1 < self.blocks:
                k = self._block(state, m, k)

    def _block(self, state: dict[str, Any], m: int, x: Tensor) -> Tensor:
        """PosFF(x + Attention(x, the keys seen so far)) for x [T, C or 1, d]."""
        p = state["p"]
        if state["keys"][m]:
            # [T, C, seen, d]
            keys, projected = torch.stack(state["keys"][m], dim=2), torch.stack(state["projected"][m], dim=2)
            query = (x @ p[f"A{m}"].transpose(1, 2))[:, :, None]
            if self.attention == "additive":
                scores = (query + projected).tanh() @ p[f"w{m}"][:, None, :, None]
            else:
                scores = (query * projected).sum(dim=-1, keepdim=True) * self.width**-0.5
            x = x + (scores.softmax(dim=2) * keys).sum(dim=2)
        hidden = torch.baddbmm(p[f"b1_{m}"][:, None], x, p[f"W1_{m}"].transpose(1, 2)).tanh()
        return torch.baddbmm(p[f"b2_{m}"][:, None], hidden, p[f"W2_{m}"].transpose(1, 2))

    # The compiled form: M = 1 on a processor.

    def log_prob(
        self, theta: Tensor, architectures: Tensor, orders: Tensor | None = None, values: bool = True
    ) -> tuple[Tensor, Tensor]:
        if not self.compiled:
            return super().log_prob(theta, architectures, orders)
        both: tuple[Tensor, Tensor] = _LogProb.apply(  # type: ignore[no-untyped-call]
            self.layout,
            architectures.numpy(),
            self._orders(orders),
            values,
            *self.tables(theta, orders is None),
        )
        return both

    @torch.no_grad()
    def sample(self, theta: Tensor, uniforms: Tensor, orders: Tensor | None = None) -> Tensor:
        if not self.compiled:
            return super().sample(theta, uniforms, orders)
        scores, *others = self.tables(theta, orders is None)
        out = np.empty(uniforms.shape, dtype=np.int64)
        maade_kernels.sample_strings(
            Tables(_weights(scores), *(table.numpy() for table in others)),
            Keys(self.layout.key_offset, self.layout.sizes),
            self._orders(orders),
            uniforms.numpy(),
            out,
        )
        return torch.from_numpy(out)

    def tables(self, theta: Tensor, natural: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Scores [T, N, K] and the four tables that `maade_kernels` describes, differentiable in theta.

        Scores of pairs that never meet are 0; in the natural order (`natural`) these are half of all.
        """
        p = self.unpack(theta)
        keys = p["query"][:, self.key_variable] + p["value"][:, self.key_value]
        query, projected = p["query"] @ p["A0"].transpose(1, 2), keys @ p["B0"].transpose(1, 2)
        if self.attention == "additive":
            scores = _AdditiveScores.apply(  # type: ignore[no-untyped-call]
                self.layout.key_variable, natural, query, projected, p["w0"]
            )
        else:
            scores = (query @ projected.transpose(1, 2)) * self.width**-0.5
        key_hidden = keys @ p["W1_0"].transpose(1, 2)
        query_hidden = torch.baddbmm(p["b1_0"][:, None], p["query"], p["W1_0"].transpose(1, 2))
        out_weight = p["density_weight"] @ p["W2_0"]
        out_bias = p["density_bias"] + (p["density_weight"] @ p["b2_0"][:, :, None]).squeeze(2)
        return scores, key_hidden, query_hidden, out_weight, out_bias

    def _orders(self, orders: Tensor | None) -> np.ndarray:
        return np.arange(self.layout.num_variables)[None, None] if orders is None else orders.numpy()


def _weights(scores: Tensor) -> np.ndarray:
    """exp(scores - highest of their row); the floor keeps a sum over low scores alone from vanishing (e^-80
    is no weight beside any other)."""
    return (scores - scores.amax(dim=2, keepdim=True)).clamp_min(-80.0).exp().numpy()


class _AdditiveScores(torch.autograd.Function):
    """w . tanh(query_i + projected_k) [T, N, K] as a differentiable function of query [T, N, d], projected
    [T, K, d] and w [T, d]."""

    @staticmethod
    def forward(
        ctx: Any, key_variable: np.ndarray, natural: bool, query: Tensor, projected: Tensor, w: Tensor
    ) -> Tensor:
        attention = Attention(*(table.contiguous().numpy() for table in (query, projected, w)))
        scores = np.zeros((*query.shape[:2], len(key_variable)), dtype=attention.query.dtype)
        maade_kernels.scores_forward(attention, key_variable, natural, scores)
        ctx.given = attention, key_variable, natural
        return torch.from_numpy(scores)

    @staticmethod
    def backward(ctx: Any, d_scores: Tensor) -> Any:
        attention, key_variable, natural = ctx.given
        gradients = Attention(*(np.zeros_like(table) for table in attention))
        maade_kernels.scores_backward(
            attention, key_variable, natural, d_scores.contiguous().numpy(), gradients
        )
        return (None, None, *(torch.from_numpy(gradient) for gradient in gradients))


class _LogProb(torch.autograd.Function):
    """`maade_kernels` as a differentiable function of its tables; `values` False computes the gradient only
    and returns zeros."""

    @staticmethod
    def forward(
        ctx: Any,
        layout: Layout,
        strings: np.ndarray,
        orders: np.ndarray,
        values: bool,
        scores: Tensor,
        *tables: Tensor,
    ) -> Any:
        folded = Tables(_weights(scores), *(table.contiguous().numpy() for table in tables))
        keys = Keys(layout.key_offset, layout.sizes)
        log_prob, entropy = (np.zeros(strings.shape[:2], dtype=folded.weight.dtype) for _ in range(2))
        if values:
            maade_kernels.log_prob_forward(folded, keys, orders, strings, log_prob, entropy)
        ctx.given = folded, keys, orders, strings
        return torch.from_numpy(log_prob), torch.from_numpy(entropy)

    @staticmethod
    def backward(ctx: Any, d_log_prob: Tensor, d_entropy: Tensor) -> Any:
        tables, keys, orders, strings = ctx.given
        gradients = Tables(*(np.zeros_like(table) for table in tables))
        maade_kernels.log_prob_backward(
            tables,
            keys,
            orders,
            strings,
            d_log_prob.contiguous().numpy(),
            d_entropy.contiguous().numpy(),
            gradients,
        )
        return (None, None, None, None, *(torch.from_numpy(gradient) for gradient in gradients))
