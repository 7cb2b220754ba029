"""Search spaces of categorical variables.

Notation: N variables; an architecture is int[..., N], the index of the chosen value of each variable (0 ..
choices - 1). A *string* is any such row; a *valid* string describes an architecture of the space; a *cell* is
an architecture up to isomorphism and has an id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, check_choice
from nas_bench_suite.drawing import draw_valid
from nas_bench_suite.streams import Streams

NEVER = 2**63 - 1  # a limit that is never reached


class Variable(NamedTuple):
    """One categorical variable: its name, the names of its choices, and the family that shares these choices
    ("edge", "op")."""

    name: str
    choices: tuple[str, ...]
    family: str


class SearchSpace(ABC):
    """Variables, validity, sampling, ids and encodings. All methods are vectorised over leading axes."""

    name: str
    variables: tuple[Variable, ...]
    exact_ids: bool = True  # False: ids are 64-bit hashes, equal for equal architectures

    @cached_property
    def sizes(self) -> np.ndarray:
        """int64[N], the number of choices of each variable."""
        return np.array([len(variable.choices) for variable in self.variables], dtype=np.int64)

    @cached_property
    def families(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The family names in order of appearance, and int64[N], the family of each variable as an index into
        them."""
        names = tuple(dict.fromkeys(variable.family for variable in self.variables))
        return names, np.array([names.index(variable.family) for variable in self.variables], dtype=np.int64)

    @property
    def ordered(self) -> tuple[bool, ...]:
        """For each variable whether the order of its choices means something."""
        return (False,) * self.num_variables

    @property
    def num_variables(self) -> int:
        """N."""
        return len(self.variables)

    @property
    def num_cells(self) -> int | None:
        """The number of distinct cells where the space is enumerable (ids are then 0 .. num_cells - 1), else
        None."""
        return None

    @abstractmethod
    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        """bool[...]: whether each row of int[..., N] is a valid string."""

    @abstractmethod
    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        """int64[...]: equal ids mean the same architecture up to isomorphism; -1 marks an invalid string."""

    def check_ids(self, cell_id: np.ndarray | int) -> np.ndarray:
        """int64[...]: the same ids, all of cells of this space.

        Raises:
            ConfigError: for an id outside 0 .. num_cells - 1 (below 0 where the space is not enumerable).
        """
        ids = np.asarray(cell_id)
        count = self.num_cells
        if ids.dtype.kind not in "iu" or (
            ids.size and not (ids.min() >= 0 and (count is None or ids.max() < count))
        ):
            flat = ids.reshape(-1)
            if ids.dtype.kind in "iu":
                flat = flat[(flat < 0) | (flat >= (2**63 - 1 if count is None else count))]
            wrong = flat[0] if len(flat) else "[]"
            accepted = "of at least 0" if count is None else f"from 0 to {count - 1}"
            raise ConfigError(
                f"cell id {wrong} is out of range in space '{self.name}'; accepted: whole numbers {accepted}."
            )
        return ids.astype(np.int64, copy=False)

    def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
        """int64[..., N]: a representative string of each cell. Enumerable spaces only.

        Raises:
            ConfigError: if the space cannot be enumerated, or for an id that is none of a cell.
        """
        raise ConfigError(
            f"space '{self.name}' is not enumerable, so a cell id cannot be turned back into an architecture."
        )

    def sample(
        self, streams: Streams, count: int, purpose: str = "sample", rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw valid strings uniformly, by rejection, each trial from its own stream.

        Args:
            streams: the streams of T trials.
            count: strings per trial.
            purpose: which stream.
            rows: indices of the trials that draw (all, if left out).

        Returns:
            int64[T or len(rows), count, N].
        """
        drawing = np.arange(streams.trials) if rows is None else np.asarray(rows, dtype=np.int64)
        shape = (count, self.num_variables)

        # Always `count` strings per trial and round, so that what a trial draws depends on its own stream
        # alone.
        def draw(places: np.ndarray) -> np.ndarray:
            return self.from_uniforms(streams.uniforms(purpose, shape, drawing[places]))

        wanted = np.full(len(drawing), count, dtype=np.int64)
        drawn = draw_valid(draw, self.is_valid, wanted, self.num_variables, limit=NEVER).strings
        return drawn.reshape(len(drawing), *shape)  # also where nobody draws

    def sample_rng(self, rng: np.random.Generator, shape: int | tuple[int, ...] = ()) -> np.ndarray:
        """Draw valid strings uniformly from a single generator: int64[*shape, N]."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        total = int(np.prod(shape, dtype=np.int64))
        parts: list[np.ndarray] = []
        have = 0
        while have < total:
            drawn = self.from_uniforms(rng.random((max(64, 2 * (total - have)), self.num_variables)))
            drawn = drawn[self.is_valid(drawn)]
            parts.append(drawn)
            have += len(drawn)
        rows = np.concatenate(parts)[:total] if parts else np.empty((0, self.num_variables), dtype=np.int64)
        return rows.reshape(*shape, self.num_variables)

    def from_uniforms(self, uniforms: np.ndarray) -> np.ndarray:
        """Map uniforms [..., N] to strings int64[..., N] with every choice of a variable equally likely."""
        strings: np.ndarray = np.minimum((uniforms * self.sizes).astype(np.int64), self.sizes - 1)
        return strings

    def present(self, architecture: np.ndarray) -> Any:
        """One string int64[N] as a user's function gets it; spaces with names and values of their own give a
        dictionary."""
        return architecture

    def encodings(self) -> tuple[str, ...]:
        """The names that `encode` takes."""
        return ("one_hot",)

    def encode(self, architectures: np.ndarray, kind: str = "one_hot") -> np.ndarray:
        """Encode strings int[..., N] as float32[..., F].

        Raises:
            ConfigError: for a `kind` that this space does not have.
        """
        check_choice(f"encoding of space '{self.name}'", kind, self.encodings())
        return self._encode(np.asarray(architectures), kind)

    def _encode(self, architectures: np.ndarray, kind: str) -> np.ndarray:
        offsets = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        out = np.zeros((*architectures.shape[:-1], int(self.sizes.sum())), dtype=np.float32)
        np.put_along_axis(out, architectures + offsets, np.float32(1), axis=-1)
        return out


def string_codes(architectures: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """int64[...]: the *codes* of strings int[..., N], that is, their indices among all strings, mixed radix,
    the first variable most significant; -1 where a value is out of its range.

    Raises:
        ConfigError: for an array that does not hold strings of len(sizes) variables.
    """
    rows = np.asarray(architectures)
    if rows.ndim < 1 or rows.shape[-1] != len(sizes) or rows.dtype.kind not in "iub":
        raise ConfigError(
            f"architectures of shape {rows.shape} and type {rows.dtype} do not fit; accepted: int[..., "
            f"{len(sizes)}]."
        )
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    out = np.empty(rows.shape[:-1], dtype=np.int64)
    _codes(rows.reshape(-1, rows.shape[-1]), sizes, out.reshape(-1))
    return out


@njit(cache=True)
def _codes(rows: np.ndarray, sizes: np.ndarray, out: np.ndarray) -> None:
    for r in range(len(rows)):
        code = np.int64(0)
        for i in range(len(sizes)):
            value = rows[r, i]
            if value < 0 or value >= sizes[i]:
                code = np.int64(-1)
                break
            code = code * sizes[i] + value
        out[r] = code


class GraphSpace(SearchSpace):
    """A space whose cells are labelled directed acyclic graphs."""

    @abstractmethod
    def graph(self, architecture: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The pruned graph of one valid string int[N]: adjacency int8[V, V] (upper triangular) and V labels,
        "input" ... "output".

        Raises:
            ConfigError: for an invalid string.
        """

    @abstractmethod
    def from_graph(self, matrix: np.ndarray, ops: list[str]) -> np.ndarray:
        """A string int64[N] of the graph with adjacency [V, V] and labels `ops` (with the ends, as in the
        data).

        Raises:
            ConfigError: for a matrix that is not upper triangular, an unknown label or too many vertices.
        """
