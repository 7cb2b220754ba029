"""Drawing until a string is valid, for R rows at once: the one loop behind every method that rejects.

Notation: R rows, each a place that needs strings (a trial, or a slot of a trial); N variables; D strings
drawn per row and round. A row's strings come from one stream, in the order drawn: it takes the valid ones
until it has what it wants, counts the invalid ones on the way, and gives up after `limit` of them. A round
draws for the rows that still lack strings and for no other, so a row's draws depend on that row alone; what a
round draws past a row's last string is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

INVALID_IN_A_ROW = 10_000  # a search that draws this many invalid strings in a row gives up for this time


class Drawn(NamedTuple):
    """What the rows got."""

    strings: np.ndarray  # int64[R, C, N], C the most that a row wants; those past `given` are zero
    given: np.ndarray  # int64[R], at most what the row wants: fewer where it gave up
    rejected: np.ndarray  # int64[R], invalid strings drawn before the row had what it wants


def draw_valid(
    draw: Callable[[np.ndarray], np.ndarray],
    valid: Callable[[np.ndarray], np.ndarray] | None,
    wanted: np.ndarray,
    num_variables: int,
    limit: int = INVALID_IN_A_ROW,
) -> Drawn:
    """Draw wanted[r] valid strings for each row.

    Args:
        draw: gives D strings int64[L, D, N] for each of the rows int64[L] that it is called with.
        valid: tells valid strings, bool[L, D]; None takes every string.
        wanted: int64[R].
        num_variables: N.
        limit: invalid strings after which a row gives up.
    """
    rows = np.flatnonzero(wanted)
    shape = (len(wanted), int(wanted.max(initial=0)), num_variables)
    drawn = Drawn(
        np.zeros(shape, dtype=np.int64),
        np.zeros(len(wanted), dtype=np.int64),
        np.zeros(len(wanted), dtype=np.int64),
    )
    while len(rows):
        strings = draw(rows)
        accepted = np.ones(strings.shape[:2], dtype=np.bool_) if valid is None else valid(strings)
        _keep(rows, strings, accepted, wanted, limit, drawn)
        rows = rows[(drawn.given[rows] < wanted[rows]) & (drawn.rejected[rows] < limit)]
    return drawn


@njit(cache=True)
def _keep(
    rows: np.ndarray, strings: np.ndarray, valid: np.ndarray, wanted: np.ndarray, limit: int, drawn: Drawn
) -> None:
    """Enter a round's valid strings; a row stops where it has what it wants or gives up."""
    for i in range(len(rows)):
        r = rows[i]
        for c in range(strings.shape[1]):
            if drawn.given[r] == wanted[r] or drawn.rejected[r] == limit:
                break
            if not valid[i, c]:
                drawn.rejected[r] += 1
                continue
            for v in range(strings.shape[2]):
                drawn.strings[r, drawn.given[r], v] = strings[i, c, v]
            drawn.given[r] += 1
