"""What every policy shares: the layout of a space, parameters of T trials, the step loop, the density layer.

Notation: T trials, C strings per trial, N variables, d the width. Variable i has D_i choices, D at most.
Choices belong to families (edges, ops), and a family's values have embeddings in common: G values in all. A
*key* is a pair (variable, choice): K = sum_i D_i of them, variable by variable. theta float[T, P] holds the
parameters of all trials, one row per trial: trials never mix.

A policy is P(a; theta) = prod_t P(a_{z_t} | a_{z_1}, ..., a_{z_{t-1}}; theta) (paper, eqs 2 and 10) for an
order z of the variables. It is written as steps: `begin`, then for t = 1 .. N `logits` of the next variable
and `observe` of the value it got. `sample` and `log_prob` are the same steps with drawn and with given
values, so they cannot disagree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nas_bench_suite.space import SearchSpace


@dataclass(frozen=True)
class Layout:
    """Where the variables, values and keys of a space lie.

    Attributes:
        sizes: int64[N], D_i.
        value_offset: int64[N], index of the first value of variable i's family among the G values.
        key_offset: int64[N], index of variable i's first key among the K keys.
        key_variable: int64[K], the variable of each key.
        key_value: int64[K], the value (0 .. G - 1) of each key.
        num_values: G.
    """

    sizes: np.ndarray
    value_offset: np.ndarray
    key_offset: np.ndarray
    key_variable: np.ndarray
    key_value: np.ndarray
    num_values: int

    @classmethod
    def of(cls, space: SearchSpace) -> Layout:
        """The layout of `space`."""
        sizes = np.asarray(space.sizes, dtype=np.int64)
        names, family = space.families
        family_size = np.array([sizes[family == f].max() for f in range(len(names))], dtype=np.int64)
        family_offset = np.cumsum(family_size) - family_size
        key_variable = np.repeat(np.arange(len(sizes)), sizes)
        key_offset = np.cumsum(sizes) - sizes
        choice = np.arange(int(sizes.sum())) - key_offset[key_variable]
        return cls(
            sizes=sizes,
            value_offset=family_offset[family],
            key_offset=key_offset,
            key_variable=key_variable,
            key_value=family_offset[family][key_variable] + choice,
            num_values=int(family_size.sum()),
        )

    @property
    def num_variables(self) -> int:
        """N."""
        return len(self.sizes)

    @property
    def num_keys(self) -> int:
        """K."""
        return len(self.key_variable)


class Init(NamedTuple):
    """A parameter's shape (without the trial axis) and initial distribution: N(0, scale^2) or U(-scale,
    scale)."""

    shape: tuple[int, ...]
    normal: bool
    scale: float


def linear(*shape: int, fan_in: int) -> Init:
    """A weight or bias as `torch.nn.Linear` starts it: U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    return Init(shape, False, fan_in**-0.5)


Variable = int | Tensor  # the variable at a position: one for all strings, or int64[T, C]


class Policy(ABC):
    """A distribution over strings with parameters theta.

    Args:
        layout: of the space.
        width: d.
        embedding_sd: standard deviation of the initial embeddings.
        dtype, device: of the parameters.
    """

    options: ClassVar[frozenset[str]] = frozenset({"width", "embedding_sd", "dtype", "device"})
    trials_per_block: ClassVar[int] = 500
    trials_at_once: ClassVar[int] = 25  # that many trials' intermediate values stay in the processor's caches

    def __init__(
        self,
        layout: Layout,
        *,
        width: int = 36,
        embedding_sd: float = 1.0,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self.layout, self.width, self.embedding_sd = layout, width, embedding_sd
        self.dtype, self.device = dtype, torch.device(device)
        self.inits = self.parameters()
        self._lengths = [int(np.prod(init.shape)) for init in self.inits.values()]
        self.sizes, self.key_offset, self.value_offset, self.key_variable, self.key_value = (
            torch.as_tensor(index, dtype=torch.int64, device=self.device)
            for index in (
                layout.sizes,
                layout.key_offset,
                layout.value_offset,
                layout.key_variable,
                layout.key_value,
            )
        )
        choices = torch.arange(int(layout.sizes.max()), device=self.device)
        # The keys of each variable side by side, [N, D]; a variable with fewer choices repeats its last key
        # there.
        self._is_choice = choices < self.sizes[:, None]  # bool[N, D]
        self._padded_keys = self.key_offset[:, None] + torch.minimum(choices, self.sizes[:, None] - 1)
        # int64[K], where the keys lie in [N * D]
        self._places = torch.nonzero(self._is_choice.reshape(-1)).squeeze(1)

    # Parameters.

    @abstractmethod
    def parameters(self) -> dict[str, Init]:
        """Every parameter, in the order in which it is drawn and lies in theta."""

    def density_parameters(self) -> dict[str, Init]:
        """Those of the density layer (eq. 9): an affine map of its own for every variable, stored key by
        key."""
        keys = self.layout.num_keys
        return {
            "density_weight": linear(keys, self.width, fan_in=self.width),
            "density_bias": linear(keys, fan_in=self.width),
        }

    @staticmethod
    @abstractmethod
    def context_parameters(num_variables: int, width: int, blocks: int = 1) -> int:
        """The number of parameters of the context layer (table 2), embeddings and density layer left out.

        Args:
            num_variables: N.
            width: d.
            blocks: M, where the policy has blocks.
        """

    @property
    def num_parameters(self) -> int:
        """P."""
        return sum(self._lengths)

    def initial(self, generator: np.random.Generator) -> np.ndarray:
        """Draw one trial's initial parameters: float64[P]."""
        parts = []
        for init, length in zip(self.inits.values(), self._lengths):
            drawn = generator.standard_normal(length) if init.normal else 2 * generator.random(length) - 1
            parts.append(init.scale * drawn)
        return np.concatenate(parts)

    def unpack(self, theta: Tensor) -> dict[str, Tensor]:
        """Views of theta [T, P] as the named parameters, [T, *shape] each."""
        pieces = torch.split(theta, self._lengths, dim=1)
        return {
            name: piece.reshape(len(theta), *init.shape)
            for (name, init), piece in zip(self.inits.items(), pieces)
        }

    # The distribution.

    @abstractmethod
    def begin(self, theta: Tensor, strings: int) -> Any:
        """The state before the first step, for C = `strings` strings per trial."""

    @abstractmethod
    def logits(self, state: Any, step: int, variable: Variable) -> Tensor:
        """Unnormalised log-probabilities of the variable's choices: [T, C or 1, choices], -inf for what is no
        choice."""

    @abstractmethod
    def observe(self, state: Any, step: int, variable: Variable, choice: Tensor) -> None:
        """Take note that `variable` got `choice` int64[T, C]."""

    def log_prob(
        self, theta: Tensor, architectures: Tensor, orders: Tensor | None = None, values: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities of strings, differentiable in theta.

        Args:
            theta: [T, P].
            architectures: int64[T, C, N].
            orders: int64[T, C, N], z of each string; None: the natural order for all.
            values: False says that only gradients will be used; a policy may then return anything for values
                that cost it extra.

        Returns: [T, C] log P(a; theta), and [T, C] the entropies of the conditionals along each string,
            summed over its variables.
        """
        state = self.begin(theta, architectures.shape[1])
        log_prob: Any = 0.0
        entropy: Any = 0.0
        for step in range(self.layout.num_variables):
            variable = step if orders is None else orders[..., step]
            logs = functional.log_softmax(self.logits(state, step, variable), dim=-1)
            logs = logs.expand(*architectures.shape[:2], -1)
            choice = (
                architectures[..., step]
                if orders is None
                else architectures.gather(2, orders[..., step : step + 1]).squeeze(2)
            )
            log_prob = log_prob + logs.gather(2, choice[..., None]).squeeze(2)
            finite = logs.masked_fill(logs == -torch.inf, 0.0)
            entropy = entropy - (logs.exp() * finite).sum(dim=-1)
            if step + 1 < self.layout.num_variables:
                self.observe(state, step, variable, choice)
        return log_prob, entropy

    @torch.no_grad()
    def sample(self, theta: Tensor, uniforms: Tensor, orders: Tensor | None = None) -> Tensor:
        """Draw strings, each by inverting its conditionals' distribution functions one after another.

        Args:
            theta: [T, P].
            uniforms: float64[T, C, N]; the t-th decides the variable at position t of the order.
            orders: int64[T, C, N] or None, as in `log_prob`.

        Returns:
            int64[T, C, N].
        """
        state = self.begin(theta, uniforms.shape[1])
        out = torch.empty(uniforms.shape, dtype=torch.int64, device=theta.device)
        for step in range(self.layout.num_variables):
            variable = step if orders is None else orders[..., step]
            below = self.logits(state, step, variable).softmax(dim=-1).cumsum(dim=-1)[..., :-1]
            choice = (uniforms[..., step, None] >= below).sum(dim=-1)
            # A last partial sum rounded below 1 must not let a uniform fall past the last choice.
            choice = torch.minimum(choice, self.sizes[variable] - 1)
            if orders is None:
                out[..., step] = choice
            else:
                out.scatter_(2, orders[..., step : step + 1], choice[..., None])
            if step + 1 < self.layout.num_variables:
                self.observe(state, step, variable, choice)
        return out

    # Helpers.

    def density(self, parameters: dict[str, Tensor], context: Tensor, variable: Variable) -> Tensor:
        """Eq. 9: logits [T, C, choices] of `variable` from its context h [T, C, d]."""
        weight, bias = parameters["density_weight"], parameters["density_bias"]
        if isinstance(variable, int):
            keys = slice(
                int(self.layout.key_offset[variable]),
                int(self.layout.key_offset[variable] + self.layout.sizes[variable]),
            )
            return torch.baddbmm(bias[:, None, keys], context, weight[:, keys].transpose(1, 2))
        weight = rows(self.by_variable(weight).flatten(2), variable)
        bias = rows(self.by_variable(bias).flatten(2), variable)
        scores = (weight.reshape(*variable.shape, -1, self.width) * context[:, :, None]).sum(dim=-1) + bias
        return scores.masked_fill(~self._is_choice[variable], -torch.inf)

    def of_keys(self, scores: Tensor, variable: Variable) -> Tensor:
        """Logits [T, C, choices] of `variable` out of scores [T, C, K] of all keys."""
        if isinstance(variable, int):
            first = int(self.layout.key_offset[variable])
            return scores[..., first : first + int(self.layout.sizes[variable])]
        return scores.gather(2, self._padded_keys[variable]).masked_fill(
            ~self._is_choice[variable], -torch.inf
        )

    def by_variable(self, of_keys: Tensor) -> Tensor:
        """[T, K, d] as [T, N, D, d]."""
        return of_keys[:, self._padded_keys.reshape(-1)].reshape(len(of_keys), *self._padded_keys.shape, -1)

    def by_key(self, of_variables: Tensor) -> Tensor:
        """[T, N, D, ...] as [T, K, ...]."""
        return of_variables.flatten(1, 2)[:, self._places]

    def key(self, variable: Variable, choice: Tensor) -> Tensor:
        """int64[T, C]: the index of the key (variable, choice)."""
        return self.key_offset[variable] + choice

    def value(self, variable: Variable, choice: Tensor) -> Tensor:
        """int64[T, C]: the index of the value among the G of all families."""
        return self.value_offset[variable] + choice


def rows(table: Tensor, index: Variable) -> Tensor:
    """Rows of a table [T, R, d]: [T, C, d] for index int64[T, C] (of the same trial), [T, 1, d] for an int.

    Written as an embedding look-up because its gradient adds whole rows; the gradient of plain indexing adds
    element by element.
    """
    if isinstance(index, int):
        return table[:, index : index + 1]
    trials, count, width = table.shape
    flat = index + count * torch.arange(trials, device=index.device)[:, None]
    return functional.embedding(flat, table.reshape(trials * count, width))
