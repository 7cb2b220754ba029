"""What a line of a journal is: a JSON object that ends with its checksum, and what an entry may hold."""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import Any

Entry = dict[str, Any]
SEALED = re.compile(rb'(\{.*), "crc32": "([0-9a-f]{8})"\}', re.DOTALL)


def seal(members: dict[str, Any], crc: int) -> bytes:
    """A line with its checksum; `crc` is that of the bytes before it."""
    content = json.dumps(members, allow_nan=False).encode().removesuffix(b"}")
    return content + f', "crc32": "{zlib.crc32(content, crc):08x}"}}\n'.encode()


def wrong_seal(content: bytes, crc: int) -> str:
    """What is wrong with the checksum of a line, or ""; `crc` is that of the bytes before it."""
    sealed = SEALED.fullmatch(content)
    if sealed is None:
        return "it does not end with its checksum"
    if sealed[2].decode() != f"{zlib.crc32(sealed[1], crc):08x}":
        return "its checksum differs: it was changed, or a line before it was removed"
    return ""


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        ValueError: if it is none; also for NaN, Infinity and repeated names, which no line has.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands there twice")
        return found

    def constant(name: str) -> None:
        raise ValueError(f"{name} is no number here")

    try:
        found = json.loads(content.decode(), parse_constant=constant, object_pairs_hook=members)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"it is a {type(found).__name__}")
    return found


def wrong_type(entry: Entry) -> str:
    """What is wrong with the members of an entry and their types, or ""."""

    def whole(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def number(value: Any) -> bool:
        return value is None or whole(value) or isinstance(value, float)

    def strings(value: Any) -> bool:
        return isinstance(value, list) and value != [] and all(map(whole, value))

    kinds = {
        **dict.fromkeys(("trial", "query", "fidelity", "run"), (whole, "a whole number")),
        "architecture": (strings, "a list of whole numbers"),
        **dict.fromkeys(("validation", "test", "seconds"), (number, "a number or null")),
        "reason": (lambda value: isinstance(value, str), "text"),
    }
    for name in kinds.keys() - {"reason"} - entry.keys():
        return f"it has no {name}"
    for name, value in entry.items():
        if name not in kinds:
            return f"{name} is no member of an entry"
        fits, expected = kinds[name]
        if not fits(value):
            return f"{name} is {json.dumps(value)[:80]}, not {expected}"
    return ""


def wrong_value(entry: Entry) -> str:
    """Which value of an entry is out of range, or ""."""
    for name, low in (("trial", 0), ("query", 1), ("fidelity", 0), ("run", -1)):
        if entry[name] < low:
            return f"{name} is {entry[name]}, less than {low}"
    if min(entry["architecture"]) < 0:
        return "a value of the architecture is negative"
    for name in ("validation", "test"):
        if entry[name] is not None and not 0 <= entry[name] <= 1:
            return f"{name} is {entry[name]}, outside [0, 1]"
    if entry["seconds"] is not None and not 0 <= entry["seconds"] < math.inf:
        return f"seconds are {entry['seconds']}"
    if "reason" in entry and entry["validation"] is not None:
        return "it has a validation accuracy and a reason of failure"
    return ""
