"""Libraries that draw from a global generator, kept from each other and from the program.

A `GlobalStream` owns states of the global generators of Python, numpy (the legacy one) and torch. Inside
`with stream:` they go on from where this stream left them; afterwards, also after an exception, they are as
they were before.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np

from nas_bench_suite.checks import check_choice

GENERATORS = ("numpy", "random", "torch")


class GlobalStream:
    """A stream of the global generators named in `kinds`, seeded with `seed` (0 .. 2**32 - 1).

    Raises:
        ConfigError: for a name that is none of `GENERATORS`.
    """

    def __init__(self, seed: int, kinds: Sequence[str] = ("numpy",)) -> None:
        self._kinds = [check_choice("a global generator", kind, GENERATORS) for kind in kinds]
        self._states = {kind: _seeded(kind, seed) for kind in self._kinds}
        self._outer: list[dict[str, Any]] = []

    def __enter__(self) -> GlobalStream:
        self._outer.append({kind: _state(kind) for kind in self._kinds})
        _restore(self._states)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._states = {kind: _state(kind) for kind in self._kinds}
        _restore(self._outer.pop())


def _seeded(kind: str, seed: int) -> Any:
    if kind == "numpy":
        return np.random.RandomState(seed).get_state()
    if kind == "random":
        return random.Random(seed).getstate()
    import torch

    return torch.Generator().manual_seed(seed).get_state()


def _state(kind: str) -> Any:
    if kind == "numpy":
        return np.random.get_state()  # noqa: NPY002
    if kind == "random":
        return random.getstate()
    import torch

    return torch.get_rng_state()


def _restore(states: dict[str, Any]) -> None:
    for kind, state in states.items():
        if kind == "numpy":
            np.random.set_state(state)  # noqa: NPY002
        elif kind == "random":
            random.setstate(state)
        else:
            import torch

            torch.set_rng_state(state)
