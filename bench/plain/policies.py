"""Autoregressive policies for one string at a time, line by line from their equations: the twins of
`optimizers.reinforce.policies`.

Slow on purpose: no batches, no tables, nothing kept from one variable to the next. They share no code with
the package; parameters arrive by name, without a trial axis, in whatever precision the caller wants. `order`
is a list of variables, `values[i]` the choice of variable i.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class PlainPolicy:
    """What the twins share: a string's log-probability, entropy and sample from its conditionals.

    Args:
        parameters: density_weight [K, d] and density_bias [K], where variable i owns rows `sum(sizes[:i])`
            and the following `sizes[i]`; the rest as each twin says.
        sizes: choices of each variable.
        value_offset: first row of each variable's family in `value`.
    """

    def __init__(
        self, parameters: dict[str, Tensor], sizes: Sequence[int], value_offset: Sequence[int]
    ) -> None:
        self.p, self.sizes, self.value_offset = (
            parameters,
            [int(size) for size in sizes],
            [int(offset) for offset in value_offset],
        )

    def context(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        """h of the variable at `position` of the order, given the values of the variables before it."""
        raise NotImplementedError

    def value_embedding(self, variable: int, choice: int) -> Tensor:
        return self.p["value"][self.value_offset[variable] + choice]

    def log_conditional(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        """log P(a_{z_t} = . | a_{z_1 : t-1}) of every choice (equation 9)."""
        target = order[position]
        first = sum(self.sizes[:target])
        h = self.context(order, values, position)
        logits = [
            self.p["density_weight"][first + a] @ h + self.p["density_bias"][first + a]
            for a in range(self.sizes[target])
        ]
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
        """Draw a string; the t-th uniform decides the variable at position t by inverting its distribution
        function."""
        values = [0] * len(order)
        for position, target in enumerate(order):
            probabilities = self.log_conditional(order, values, position).exp().tolist()
            choice, below = 0, probabilities[0]
            while choice < self.sizes[target] - 1 and uniforms[position] >= below:
                choice += 1
                below += probabilities[choice]
            values[target] = choice
        return values


class IndependentPlain(PlainPolicy):
    """Equation 15: parameters density_bias [K] only."""

    def log_conditional(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        first = sum(self.sizes[: order[position]])
        return torch.log_softmax(self.p["density_bias"][first : first + self.sizes[order[position]]], dim=0)


class NADEPlain(PlainPolicy):
    """Uria et al. (2016), eq. 4, with embedded values: parameters value [G, d], weight [N, d, d] (variable,
    input, unit), bias [d]."""

    def context(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        total = self.p["bias"]
        for j in order[:position]:
            total = total + self.p["weight"][j].T @ self.value_embedding(j, values[j])
        return torch.sigmoid(total)


class MADEPlain(PlainPolicy):
    """Germain et al. (2015), eqs 9 to 14, with embedded values: the whole masked autoencoder, anew for every
    variable.

    Parameters value [G, d], W1 [N, d, N d] (variable, input, hidden unit), b1 [N, d], W2 [N, d, N d]
    (variable, output, hidden unit), b2 [N, d]. Hidden unit u has degree u // d.
    """

    def context(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        n, d = self.p["b1"].shape
        x = torch.cat([self.value_embedding(j, values[j]) for j in range(n)])
        place = [list(order).index(j) for j in range(n)]
        degree = [unit // d for unit in range(n * d)]
        # of the N d inputs and outputs, the position of their variable
        inputs = [place[unit // d] for unit in range(n * d)]
        first_mask = torch.tensor(
            [[float(inputs[i] < degree[u]) for i in range(n * d)] for u in range(n * d)], dtype=x.dtype
        )
        second_mask = torch.tensor(
            [[float(degree[u] <= inputs[o]) for u in range(n * d)] for o in range(n * d)], dtype=x.dtype
        )
        w1 = self.p["W1"].reshape(n * d, n * d).T  # [hidden, input]
        w2 = self.p["W2"].reshape(n * d, n * d)  # [output, hidden]
        hidden = torch.relu((w1 * first_mask) @ x + self.p["b1"].reshape(-1))
        output = (w2 * second_mask) @ hidden + self.p["b2"].reshape(-1)
        return output.reshape(n, d)[order[position]]


class LSTMPlain(PlainPolicy):
    """Hochreiter & Schmidhuber (1997) with a forget gate: parameters query [N, d], value [G, d], W, U [4 d,
    d], b [4 d], gates i, f, c, o."""

    def context(self, order: Sequence[int], values: Sequence[int], position: int) -> Tensor:
        d = self.p["U"].shape[1]
        state, cell = torch.zeros_like(self.p["b"][:d]), torch.zeros_like(self.p["b"][:d])
        for t in range(position + 1):
            if t == 0:
                x = torch.zeros_like(state)
            else:
                before = order[t - 1]
                x = self.value_embedding(before, values[before]) + self.p["query"][before]
            gates = self.p["W"] @ x + self.p["U"] @ state + self.p["b"]
            enter, keep, new, show = gates[:d], gates[d : 2 * d], gates[2 * d : 3 * d], gates[3 * d :]
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(new)
            state = torch.sigmoid(show) * torch.tanh(cell)
        return state
