"""Libraries that draw from numpy's global generator, kept from each other and from the program.

A `GlobalStream` owns a state of numpy's legacy generator. Inside `with stream:` the global generator goes on
from where this stream left it; afterwards, also after an exception, it is as it was before.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np


class GlobalStream:
    """A stream of numpy's global generator, seeded with `seed` (0 .. 2**32 - 1)."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed).get_state()
        self._outer: list[Any] = []

    def __enter__(self) -> GlobalStream:
        self._outer.append(np.random.get_state())  # noqa: NPY002
        np.random.set_state(self._state)  # noqa: NPY002
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._state = np.random.get_state()  # noqa: NPY002
        np.random.set_state(self._outer.pop())  # noqa: NPY002
