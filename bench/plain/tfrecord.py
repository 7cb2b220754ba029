"""Writing and reading files in the format of `nasbench_only108.tfrecord`, one record at a time, with the
standard library alone.

Slow and obvious on purpose: it writes the files of the tests and is the twin that the importer is compared
with, in values and in speed.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import google_crc32c

Point = dict[str, float]  # a run at one number of epochs, with the keys of the `nasbench` library
Fixed = dict[str, dict[str, Any]]  # by hash: what does not depend on the run
Computed = dict[str, dict[int, list[Point]]]  # by hash and epochs

OFFICIAL_NAMES = {"conv1x1": "conv1x1-bn-relu", "conv3x3": "conv3x3-bn-relu"}


def masked(data: bytes) -> int:
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", masked(length)) + payload + struct.pack("<I", masked(payload))


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def evaluation(epoch: float, values: Sequence[float], checkpoint: bytes | None = None) -> bytes:
    """An EvaluationData message; values are (seconds, train, validation, test)."""
    numbered = enumerate((epoch, *values), start=1)
    body = b"".join(bytes([field << 3 | 1]) + struct.pack("<d", value) for field, value in numbered)
    if checkpoint is not None:
        body += b"\x32" + varint(len(checkpoint)) + checkpoint
    return b"\x0a" + varint(len(body)) + body


def metrics(
    parameters: int,
    half: Sequence[float],
    final: Sequence[float],
    epochs: int = 108,
    checkpoint: bytes | None = None,
) -> bytes:
    """A ModelMetrics message; half and final are (seconds, train, validation, test)."""
    message = evaluation(0.0, (0.0, 0.1, 0.1, 0.1), checkpoint)
    message += evaluation(epochs / 2, half, checkpoint) + evaluation(float(epochs), final, checkpoint)
    return message + b"\x10" + varint(parameters) + b"\x19" + struct.pack("<d", final[0] + 60.0)


def payload(
    digest: str,
    epochs: int,
    matrix: Iterable[Iterable[int]],
    ops: Sequence[str],
    parameters: int,
    half: Sequence[float],
    final: Sequence[float],
    checkpoint: bytes | None = None,
) -> bytes:
    """The JSON of a record; matrix [V][V] pruned, ops its labels as in the data ("conv3x3")."""
    adjacency = "".join(str(int(bit)) for row in matrix for bit in row)
    labels = ",".join(OFFICIAL_NAMES.get(op, op) for op in ops)
    message = base64.b64encode(metrics(parameters, half, final, epochs, checkpoint)).decode()
    return json.dumps([digest, epochs, adjacency, labels, message]).encode()


def write(path: str | Path, payloads: Iterable[bytes]) -> None:
    with open(path, "wb") as file:
        for item in payloads:
            file.write(framed(item))


def _message(data: bytes) -> dict[int, list[Any]]:
    """{field: [values]} of a protobuf message without checks."""
    fields: dict[int, list[Any]] = {}
    at = 0

    def number(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 128:
                return value, at

    while at < len(data):
        value: Any
        tag, at = number(at)
        if tag & 7 == 0:
            value, at = number(at)
        elif tag & 7 == 1:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        else:
            length, at = number(at)
            value, at = data[at : at + length], at + length
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def read(path: str | Path, limit: int | None = None) -> tuple[Fixed, Computed]:
    """{hash: (fixed, {epochs: [data point]})} with the keys of the `nasbench` library, of the first `limit`
    records."""
    fixed: Fixed = {}
    computed: Computed = {}
    with open(path, "rb") as file:
        count = 0
        while (header := file.read(12)) and (limit is None or count < limit):
            count += 1
            length, crc = struct.unpack("<QI", header)
            assert crc == masked(header[:8])
            data = file.read(length)
            assert struct.unpack("<I", file.read(4))[0] == masked(data)
            digest, epochs, adjacency, operations, encoded = json.loads(data.decode())
            n = int(len(adjacency) ** 0.5)
            message = _message(base64.b64decode(encoded))
            if digest not in fixed:
                fixed[digest] = {
                    "module_adjacency": [
                        [int(bit) for bit in adjacency[n * u : n * u + n]] for u in range(n)
                    ],
                    "module_operations": operations.split(","),
                    "trainable_parameters": message[2][0],
                }
                computed[digest] = {}
            point = {}
            for index, half in ((1, "halfway"), (2, "final")):
                values = _message(message[1][index])
                for field, name in (
                    (2, "training_time"),
                    (3, "train_accuracy"),
                    (4, "validation_accuracy"),
                    (5, "test_accuracy"),
                ):
                    point[f"{half}_{name}"] = values[field][0]
            computed[digest].setdefault(epochs, []).append(point)
    return fixed, computed
