"""Checks of what a user wrote, and the sentences that a wrong value gets.

Every complaint is a `ConfigError` whose text says what is wrong, where, and what would be accepted. The
command line prints that sentence and ends with exit code 2; a program that uses the package sees an ordinary
`ValueError`.
"""

from __future__ import annotations

import difflib
import errno
import math
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_LONGEST = 80  # characters of a value that a message shows
_LARGEST = 2**63 - 1  # that compiled code takes


class ConfigError(ValueError):
    """A wrong option, key or file, described in one sentence."""


def shown(value: Any) -> str:
    """A value as a message shows it: on one line, and cut where it is long."""
    try:
        text = str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        text = f"a {type(value).__name__} too long to show"
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def nearest(name: str, accepted: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the accepted name closest to `name`, or an empty string if none is
    close."""
    match = difflib.get_close_matches(str(name), list(accepted), n=1, cutoff=0.6)
    return f" (did you mean '{match[0]}'?)" if match else ""


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read it.

    Raises:
        OSError: if it cannot be read, or is a folder, a pipe or a device: a pipe may have no writer, and a
            device no end.
    """
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return file


def check_choice(where: str, value: Any, accepted: Iterable[Any]) -> Any:
    """Return `value` if it is one of `accepted`.

    Raises:
        ConfigError: naming `where`, the value and what would be accepted.
    """
    accepted = list(accepted)
    if value not in accepted or (isinstance(value, bool) and not any(value is choice for choice in accepted)):
        names = ", ".join(str(choice) for choice in accepted)
        close = nearest(shown(value), map(str, accepted))
        raise ConfigError(f"{where}={shown(value)} is not known{close}; accepted: {names}.")
    return value


def check_int(where: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as an int within [low, high].

    Raises:
        ConfigError: if it is no whole number or lies outside.
    """
    whole = (
        not isinstance(value, bool)
        and isinstance(value, (int, float))
        and (isinstance(value, int) or value.is_integer())
    )
    if whole and high is None and abs(value) > _LARGEST:
        high = _LARGEST
    if not whole or (low is not None and value < low) or (high is not None and value > high):
        accepted = f"a whole number{_interval(low, high)}"
        raise ConfigError(f"{where}={shown(value)} is out of range; accepted: {accepted}.")
    return int(value)


def check_float(
    where: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return `value` as a float within [low, high]; `open_low` and `open_high` exclude the ends.

    Raises:
        ConfigError: if it is no finite number or lies outside.
    """
    number = not isinstance(value, bool) and isinstance(value, (int, float)) and _finite(value)
    if number:
        below = low is not None and (value < low or (open_low and value == low))
        above = high is not None and (value > high or (open_high and value == high))
        number = not (below or above)
    if not number:
        accepted = f"a number{_interval(low, high, open_low, open_high)}"
        raise ConfigError(f"{where}={shown(value)} is out of range; accepted: {accepted}.")
    return float(value)


def check_floats(
    where: str, value: Any, most: int, low: float, high: float, *, open_low: bool = False
) -> list[float]:
    """Return `value` as a list of 1 to `most` floats within [low, high]; `open_low` excludes `low`.

    Raises:
        ConfigError: if it is no such list.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not 1 <= len(value) <= most:
        raise ConfigError(f"{where}={shown(value)} does not fit; accepted: a list of 1 to {most} numbers.")
    return [
        check_float(f"{where}[{i}]", entry, low, high, open_low=open_low) for i, entry in enumerate(value)
    ]


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def check_bool(where: str, value: Any) -> bool:
    """Return `value` if it is a bool; raises `ConfigError` otherwise."""
    if not isinstance(value, bool):
        raise ConfigError(f"{where}={shown(value)} is not a truth value; accepted: true, false.")
    return value


def _interval(low: float | None, high: float | None, open_low: bool = False, open_high: bool = False) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f" {'below' if open_high else 'at most'} {high}"
    if high is None:
        return f" {'above' if open_low else 'of at least'} {low}"
    return f" in {'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
