"""The payload of an official record: a JSON list `[module_hash, epochs, adjacency, operations, metrics]`.

`adjacency` is the pruned matrix row by row in 0 and 1, `operations` the labels joined by commas, `metrics` a
base64 protobuf `ModelMetrics` (proto2: 1 repeated `EvaluationData`, 2 trainable_parameters int32, 3
total_time double; an evaluation has 1 current_epoch, 2 training_time, 3 train_accuracy, 4
validation_accuracy, 5 test_accuracy, all double, 6 checkpoint_path). There are three evaluations: at the
start, half-way and at the end; the last two are kept.

`parse_payload` reads one with the standard library, says what is wrong, and decides. `parse_block` reads a
block of records as official writers lay them out with one compiled pass, and hands whatever looks different
to `parse_payload`.

Notation: accuracies are kept as k, the number of 1/9984 (39 batches of 256 images). The stored double is
float(float32(k / 9984)) in the official files (*single*), or k / 9984 itself (*double*).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cells import VERTICES
from nas_bench_suite.benchmarks.nasbench101.records_kernel import Alphabet, Parsed, empty, parse_all
from nas_bench_suite.benchmarks.nasbench101.space import OPERATIONS

GRID = 9984
SINGLE = (np.arange(GRID + 1, dtype=np.float64) / GRID).astype(np.float32).astype(np.float64)
DOUBLE = np.arange(GRID + 1, dtype=np.float64) / GRID
OFFICIAL_NAMES = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")
METRICS = ("train_accuracy", "validation_accuracy", "test_accuracy")


class PayloadError(ValueError):
    """What is wrong with a payload, without saying where it stands."""


def parse_block(data: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> tuple[Parsed, int, str]:
    """Parse the payloads data[starts[i] : stops[i]].

    Returns: (the records, how many of them are right before the first wrong one, what is wrong with that one
        or "").
    """
    parsed = empty(len(starts))
    odd = np.zeros(len(starts), dtype=np.bool_)
    parse_all(data, starts, stops, ALPHABET, odd, parsed)
    for i in np.flatnonzero(odd):
        try:
            row = parse_payload(data[starts[i] : stops[i]].tobytes())
        except PayloadError as error:
            return parsed, int(i), str(error)
        for column, value in zip(parsed, row):
            column[i] = value[0]
    return parsed, len(starts), ""


def parse_payload(payload: bytes) -> Parsed:
    """Parse one payload.

    Raises:
        PayloadError: saying what does not fit.
    """
    try:
        fields = json.loads(payload.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise PayloadError("the payload is not JSON") from None
    if not isinstance(fields, list) or len(fields) != 5:
        raise PayloadError("the payload is not a list of five: hash, epochs, adjacency, operations, metrics")
    digest, epochs, adjacency, operations, metrics = fields
    if not (isinstance(digest, str) and len(digest) == 32 and set(digest) <= set("0123456789abcdef")):
        raise PayloadError(f"the hash {str(digest)[:40]!r} is not 32 hexadecimal digits")
    if isinstance(epochs, bool) or not isinstance(epochs, int) or not 0 < epochs < 2**31:
        raise PayloadError(f"the epochs {str(epochs)[:40]!r} are not a positive whole number")
    out = empty(1)
    out.digests[0] = np.frombuffer(bytes.fromhex(digest), dtype=np.uint8)
    out.epochs[0] = epochs
    out.vertices[0], out.forms[0], out.codes[0] = _graph(adjacency, operations)
    if not isinstance(metrics, str):
        raise PayloadError("the metrics are not a base64 text")
    try:
        message = base64.b64decode(metrics)
    except (binascii.Error, ValueError):
        raise PayloadError("the metrics are not a base64 text") from None
    parameters, evaluations = _metrics(message)
    out.parameters[0] = parameters
    single = double = True
    for half in range(2):
        values = evaluations[half + 1]
        name = ("half-way", "final")[half]
        seconds = values.get(2)
        if seconds is None or not math.isfinite(seconds) or seconds < 0:
            raise PayloadError(f"the {name} training time {seconds} is not a finite number of seconds")
        out.seconds[0, half] = seconds
        for metric in range(3):
            value = values.get(metric + 3)
            if value is None:
                raise PayloadError(f"the {name} {METRICS[metric].replace('_', ' ')} is missing")
            k = round(value * GRID) if math.isfinite(value) and abs(value) < 2 else -1
            fits = (0 <= k <= GRID and SINGLE[k] == value, 0 <= k <= GRID and DOUBLE[k] == value)
            if not any(fits):
                raise PayloadError(
                    f"the {name} {METRICS[metric].replace('_', ' ')} {value!r} is no multiple of 1/{GRID} in "
                    "[0, 1]"
                )
            single, double = single and fits[0], double and fits[1]
            out.accuracies[0, half, metric] = k
    if not single and not double:
        raise PayloadError("some accuracies are stored in single and others in double precision")
    out.single[0], out.double[0] = single, double
    return out


def _graph(adjacency: object, operations: object) -> tuple[int, int, int]:
    if (
        not isinstance(adjacency, str)
        or not set(adjacency) <= {"0", "1"}
        or len(adjacency) not in {n * n for n in range(2, VERTICES + 1)}
    ):
        raise PayloadError(
            f"the adjacency {str(adjacency)[:60]!r} is no square matrix of 0 and 1 with 2 to {VERTICES} "
            "vertices"
        )
    n = math.isqrt(len(adjacency))
    form = bit = 0
    for u in range(n):
        for v in range(n):
            present = adjacency[u * n + v] == "1"
            if u < v:
                form |= present << bit
                bit += 1
            elif present:
                raise PayloadError(f"the adjacency {adjacency!r} is not upper triangular")
    labels = operations.split(",") if isinstance(operations, str) else []
    if len(labels) != n or labels[0] != "input" or labels[-1] != "output":
        raise PayloadError(
            f"the operations {str(operations)[:120]!r} do not fit {n} vertices from 'input' to 'output'"
        )
    code = 0
    for v, label in enumerate(labels[1:-1]):
        if label in OFFICIAL_NAMES:
            code += OFFICIAL_NAMES.index(label) * 3**v
        elif label in OPERATIONS:
            code += OPERATIONS.index(label) * 3**v
        else:
            raise PayloadError(f"the operation {label[:40]!r} is none of {', '.join(OFFICIAL_NAMES)}")
    return n, form, code


def _fields(message: bytes) -> Iterator[tuple[int, int, Any]]:
    """Yield (field number, wire type, value) of a protobuf message."""
    at = 0

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            if at >= len(message) or shift > 63:
                raise PayloadError("the metrics are not a protobuf message")
            byte = message[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value & (2**64 - 1), at

    while at < len(message):
        tag, at = varint(at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(at)
            yield tag >> 3, kind, value
            continue
        if kind == 2:
            length, at = varint(at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise PayloadError("the metrics are not a protobuf message")
        if at + length > len(message):
            raise PayloadError("the metrics are not a protobuf message")
        yield tag >> 3, kind, message[at : at + length]
        at += length


def _metrics(message: bytes) -> tuple[int, list[dict[int, float]]]:
    parameters = None
    evaluations = []
    for number, kind, value in _fields(message):
        if number == 1 and kind == 2:
            evaluations.append({n: struct.unpack("<d", v)[0] for n, k, v in _fields(value) if k == 1})
        elif number == 2 and kind == 0:
            parameters = value
    if parameters is None or not 0 < parameters < 2**31:
        raise PayloadError(f"the trainable parameters {parameters} are not a positive 32-bit number")
    if len(evaluations) < 3:
        raise PayloadError(
            f"there are {len(evaluations)} evaluations where three are needed (start, half-way, end)"
        )
    return parameters, evaluations


def _alphabet() -> Alphabet:
    digits = np.full(256, 255, dtype=np.uint8)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    digits[np.frombuffer(letters, dtype=np.uint8)] = np.arange(64)
    names = np.zeros((3, 16), dtype=np.uint8)
    for i, name in enumerate(OFFICIAL_NAMES):
        names[i, : len(name)] = np.frombuffer(name.encode(), dtype=np.uint8)
    lengths = np.array([len(name) for name in OFFICIAL_NAMES], dtype=np.int64)
    return Alphabet(SINGLE, DOUBLE, digits, names, lengths)


ALPHABET = _alphabet()

__all__ = [
    "ALPHABET",
    "DOUBLE",
    "GRID",
    "METRICS",
    "OFFICIAL_NAMES",
    "SINGLE",
    "Parsed",
    "PayloadError",
    "empty",
    "parse_all",
    "parse_block",
    "parse_payload",
]
