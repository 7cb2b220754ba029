"""A search space of your own, from a dictionary of choices.

Notation: N variables, S the product of their numbers of choices. The *code* of a string is its index among
all S (`space.string_codes`). A *configuration* is a string as its owner writes it: a dictionary from the
names of variables to values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nas_bench_suite.checks import ConfigError, check_bool, check_float, check_int, nearest, shown
from nas_bench_suite.space import SearchSpace, Variable, string_codes

Configuration = dict[str, Any]
MOST_STRINGS = 2**53  # a code has to leave room for the fidelity in a 64-bit key
ENUMERATED = 200_000  # up to this many strings, `valid` and `same_as` are asked about all of them at once


class Ordered(tuple[Any, ...]):
    """Values in their order; `ordered` and `grid` make them."""


def ordered(values: Sequence[Any]) -> Ordered:
    """Choices whose order means something, as in `ordered([16, 32, 64])`."""
    return Ordered(values)


def grid(low: float, high: float, count: int, log: bool = False) -> Ordered:
    """`count` numbers from `low` to `high`, evenly spaced, or with even ratios if `log`; whole numbers where
    both ends are whole and the steps come out so.

    Raises:
        ConfigError: for ends that are no numbers or not in order, or fewer than two numbers.
    """
    count = check_int("grid: count", count, 2, 1_000_000)
    check_bool("grid: log", log)
    start = check_float("grid: low", low, 0 if log else None, open_low=log)
    end = check_float("grid: high", high, start, open_low=True)
    values = np.geomspace(start, end, count) if log else np.linspace(start, end, count)
    whole = isinstance(low, int) and isinstance(high, int) and np.allclose(values, np.round(values))
    return Ordered([round(float(v)) for v in values] if whole else [float(v) for v in values])


class CategoricalSpace(SearchSpace):
    """Named variables with a few values each.

    Args:
        choices: name -> values; `ordered(...)` and `grid(...)` say that their order means something. Values
            may be anything; those of one variable differ from each other.
        valid: takes a configuration and says whether it can be evaluated. None: all can.
        same_as: takes a configuration and returns the one that it is the same as, so that both are one
            architecture. A variable that has no effect takes one fixed value there: `lambda c: c if
            c["layers"] > 1 else c | {"width_2": 16}`. It must not change what it has returned.
        name: of the space, for captions and journals.

    Raises:
        ConfigError: for choices that do not fit, a space without a valid configuration, or one of more than
            2**53 strings; while searching, for a `same_as` that returns no configuration of the space.
    """

    def __init__(
        self,
        choices: Mapping[str, Sequence[Any]],
        valid: Callable[[Configuration], bool] | None = None,
        same_as: Callable[[Configuration], Mapping[str, Any]] | None = None,
        name: str = "own",
    ) -> None:
        if not isinstance(choices, Mapping) or not choices:
            raise ConfigError(
                "CategoricalSpace has no variables; accepted: a dictionary from names to lists of values."
            )
        self.name = name
        self.values = tuple(_values(str(variable), given) for variable, given in choices.items())
        self._ordered = tuple(isinstance(given, Ordered) for given in choices.values())
        self.variables = tuple(
            Variable(str(variable), tuple(str(value) for value in values), str(variable))
            for variable, values in zip(choices, self.values)
        )
        self._valid, self._same_as = valid, same_as
        self._strings = math.prod(len(values) for values in self.values)
        if self._strings > MOST_STRINGS:
            raise ConfigError(
                f"space '{name}' has {self._strings:.2g} combinations; accepted: up to {MOST_STRINGS:.2g}."
            )
        self._known: dict[int, int] = {}  # code -> the code that it is the same as, or -1
        self._dense: tuple[np.ndarray, np.ndarray] | None = None  # code -> id, and id -> code
        if (valid or same_as) and self._strings <= ENUMERATED:
            self._enumerate()

    def _enumerate(self) -> None:
        codes = np.array([self._canonical(code) for code in range(self._strings)], dtype=np.int64)
        cells = np.unique(codes[codes >= 0])
        if not len(cells):
            raise ConfigError(f"space '{self.name}' has no valid configuration; accepted: at least one.")
        ids = np.where(codes >= 0, np.searchsorted(cells, codes), -1)
        self._dense = ids, cells

    @property
    def ordered(self) -> tuple[bool, ...]:
        return self._ordered

    @property
    def num_cells(self) -> int | None:
        if self._dense is not None:
            return len(self._dense[1])
        return None if self._valid or self._same_as else self._strings

    def configuration(self, architecture: np.ndarray) -> Configuration:
        """The dictionary of one string int[N]."""
        return {
            variable.name: values[int(choice)]
            for variable, values, choice in zip(self.variables, self.values, architecture)
        }

    present = configuration  # what a user's function gets

    def string(self, configuration: Mapping[str, Any]) -> np.ndarray:
        """int64[N]: the string of a dictionary.

        Raises:
            ConfigError: for a name that is missing or unknown, and a value that is none of the variable's.
        """
        names = [variable.name for variable in self.variables]
        for name in configuration:
            if name not in names:
                raise ConfigError(
                    f"'{shown(name)}' is no variable of space '{self.name}'{nearest(str(name), names)}; "
                    f"accepted: {', '.join(names)}."
                )
        out = np.empty(len(names), dtype=np.int64)
        for i, (name, values) in enumerate(zip(names, self.values)):
            if name not in configuration:
                raise ConfigError(f"a configuration lacks '{name}'; accepted: a value of {shown(values)}.")
            place = _place(values, configuration[name])
            if place < 0:
                raise ConfigError(
                    f"{name}={shown(configuration[name])} is no value of space '{self.name}'; accepted: "
                    f"{', '.join(shown(value) for value in values)}."
                )
            out[i] = place
        return out

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        valid: np.ndarray = self.cell_id(architectures) != -1
        return valid

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        codes = string_codes(architectures, self.sizes)
        if self._dense is not None:
            return np.where(codes >= 0, self._dense[0][codes], -1)
        if self._valid is None and self._same_as is None:
            return codes
        flat = np.array([self._canonical(code) for code in codes.ravel().tolist()], dtype=np.int64)
        return flat.reshape(codes.shape)

    def architecture(self, cell_id: np.ndarray | int) -> np.ndarray:
        codes = self.check_ids(cell_id)
        if self._dense is not None:
            codes = self._dense[1][codes]
        return self._decode(codes)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        out = np.empty((*np.shape(codes), self.num_variables), dtype=np.int64)
        for i in range(self.num_variables - 1, -1, -1):
            codes, out[..., i] = np.divmod(codes, self.sizes[i])
        return out

    def _canonical(self, code: int) -> int:
        """The code of the string that a string is the same as; -1 if it is invalid."""
        if code < 0:
            return -1
        found = self._known.get(code)
        if found is None:
            given = self.configuration(self._decode(np.asarray(code)))
            if self._valid is not None and not self._valid(dict(given)):
                found = -1
            elif self._same_as is None:
                found = code
            else:
                other = self._same_as(dict(given))
                if not isinstance(other, Mapping):
                    raise ConfigError(
                        f"same_as returned {shown(other)} for {shown(given)}; accepted: a configuration."
                    )
                found = int(string_codes(self.string(other), self.sizes))
            self._known[code] = found
        return found

    def encodings(self) -> tuple[str, ...]:
        return ("one_hot", "ordinal")

    def _encode(self, architectures: np.ndarray, kind: str) -> np.ndarray:
        """`ordinal`: an ordered variable is one number in [0, 1], another its one-hot choices."""
        if kind == "one_hot":
            return super()._encode(architectures, kind)
        parts = []
        for i, (values, in_order) in enumerate(zip(self.values, self.ordered)):
            column = architectures[..., i]
            if in_order:
                parts.append((column / max(len(values) - 1, 1))[..., None])
            else:
                parts.append(column[..., None] == np.arange(len(values)))
        return np.concatenate([part.astype(np.float32) for part in parts], axis=-1)


def _values(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, (Sequence, np.ndarray)):
        raise ConfigError(f"variable '{name}' has {shown(given)}; accepted: a list of values.")
    values = tuple(given.tolist() if isinstance(given, np.ndarray) else given)
    if not values:
        raise ConfigError(f"variable '{name}' has no values; accepted: a list of values.")
    for i, value in enumerate(values):
        if _place(values[:i], value) >= 0:
            raise ConfigError(f"variable '{name}' has {shown(value)} twice; accepted: each value once.")
    return values


def _place(values: Sequence[Any], wanted: Any) -> int:
    """Where a value stands, -1 if nowhere; True is not 1."""
    for i, value in enumerate(values):
        if isinstance(value, bool) == isinstance(wanted, bool) and value == wanted:
            return i
    return -1
