"""The compact file: one NASBench-101 table, read by mapping it into memory.

Layout, little-endian: `NASBENCH101TABLE` (16 bytes) | version uint32 | bytes of the header uint32 | CRC-32C
of the header uint32 | 0 uint32 | header, JSON | arrays, each at a multiple of 64 bytes. The header lists the
arrays with type, shape, offset and CRC-32C, and says where the values come from. Arrays, for B budgets
(ascending) and n cells (the rows; ascending ids):

    cells       int32[n]              ids of the cells (`NASBench101Space`)
    accuracies  uint16[B, n, 3, 2, 3] in 1/9984: runs in file order; half-way, end; train, validation, test
    seconds     float32 or float64[B, n, 3, 2]  training time; the narrower where it holds every value exactly
    parameters  int32[n]              trainable parameters
    forms       int32[n]              the matrix as recorded: upper triangle row by row, edge i in bit i,
                                      among the cell's vertices
    codes       uint8[n]              its operations: digits to the base 3
    order       int32[n]              rows in the order in which the cells first appear in the official file
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cache import cache_folder
from nas_bench_suite.benchmarks.nasbench101.cells import CODES, NUM_CELLS
from nas_bench_suite.benchmarks.nasbench101.records import GRID
from nas_bench_suite.checks import ConfigError, open_regular

MAGIC = b"NASBENCH101TABLE"
VERSION = 1
NAME = "nasbench101.table"
_ALIGNMENT = 64
_PIECE = 1 << 22
HOW = (
    "download nasbench_only108.tfrecord (499 MB) or nasbench_full.tfrecord (1.95 GB) from "
    "https://storage.googleapis.com/nasbench/ and run "
    "'python -m nas_bench_suite.benchmarks.nasbench101 import FILE'; benchmark=nasbench101_surrogate needs "
    "no download"
)


def default_path() -> Path:
    """Where the imported table lies: `$NAS_BENCH_SUITE_DATA`, or the cache folder."""
    folder = os.environ.get("NAS_BENCH_SUITE_DATA")
    return (Path(folder).expanduser() if folder else cache_folder()) / NAME


def checksum(arrays: dict[str, np.ndarray]) -> str:
    """First 16 hexadecimal digits of the SHA-256 of names, types, shapes and bytes of all arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        flat = np.ascontiguousarray(array).data.cast("B")
        for start in range(0, len(flat), _PIECE):
            digest.update(flat[start : start + _PIECE])
    return digest.hexdigest()[:16]


def write(path: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write a table, whole or not at all.

    Raises:
        ConfigError: if the folder cannot be made or written, or the disk is full.
    """
    described = {}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    offset = 0
    for name, array in arrays.items():
        described[name] = {
            "type": array.dtype.str,
            "shape": list(array.shape),
            "offset": offset,
            "crc32c": _crc(array.data.cast("B")),
        }
        offset += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    text = json.dumps({**header, "arrays": described}, allow_nan=False).encode()
    text += b" " * (-(32 + len(text)) % _ALIGNMENT)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(
                MAGIC
                + b"".join(
                    word.to_bytes(4, "little") for word in (VERSION, len(text), google_crc32c.value(text), 0)
                )
            )
            file.write(text)
            for array in arrays.values():
                file.write(array.data.cast("B"))
                file.write(bytes(-array.nbytes % _ALIGNMENT))
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from None
        raise


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Map a table: (header, arrays), the arrays read-only and shared by all processes that map the file.
    Checksums of header and arrays are checked.

    Raises:
        ConfigError: if there is no such file, or it is no table, of another version, cut short or damaged.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except FileNotFoundError:
        raise ConfigError(f"no NASBench-101 table at {path}: {HOW}.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if mapped[: len(MAGIC)] != MAGIC or size < 32:
        hint = " An official .tfrecord file has to be imported first: " + HOW if size else ""
        raise ConfigError(f"{path} is no NASBench-101 table of this package.{hint}.".replace("..", "."))
    version, length, crc = (int.from_bytes(mapped[16 + 4 * i : 20 + 4 * i], "little") for i in range(3))
    if version != VERSION:
        raise ConfigError(
            f"{path} is a table of format {version}; accepted: {VERSION}. Import the official file again."
        )
    text = mapped[32 : 32 + length]
    if len(text) != length or google_crc32c.value(text) != crc:
        raise ConfigError(
            f"{path} is damaged: the checksum of its header does not fit. Import the official file again."
        )
    arrays = {}
    try:
        header = json.loads(text)
        _check_header(header)
        described = header.pop("arrays")
        for name, (kind, shape) in _expected(header, described).items():
            count = int(np.prod(shape, dtype=np.int64))
            start = 32 + length + described[name]["offset"]
            stop = start + count * np.dtype(kind).itemsize
            if stop > size:
                raise ValueError(f"it ends within the array '{name}'")
            if _crc(mapped, start, stop) != described[name]["crc32c"]:
                raise ValueError(f"the checksum of the array '{name}' does not fit")
            arrays[name] = np.frombuffer(mapped, dtype=kind, count=count, offset=start).reshape(shape)
        _check_values(arrays)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is damaged: {error}. Import the official file again.") from None
    return header, arrays


_HEADER: dict[str, type] = {
    "budgets": list,
    "partial": bool,
    "precision": str,
    "enumeration": str,
    "source": dict,
    "found": dict,
    "checked": list,
    "checksum": str,
    "arrays": dict,
}
_FOUND = ("best_mean_test", "best_single_test", "best_mean_validation")


def _check_header(header: Any) -> None:
    """Raise `ValueError` unless everything that is read from a header is there and of its type."""
    if not isinstance(header, dict):
        raise ValueError("its header is no mapping")
    for key, kind in _HEADER.items():
        if not isinstance(header.get(key), kind):
            raise ValueError(f"'{key}' is missing in its header or of another type")
    budgets = header["budgets"]
    if not budgets or any(type(b) is not int or b < 1 for b in budgets) or budgets != sorted(set(budgets)):
        raise ValueError("the budgets in its header do not ascend")
    if header["precision"] not in ("single", "double"):
        raise ValueError("the precision in its header is neither single nor double")
    source = header["source"]
    if not isinstance(source.get("name"), str) or any(
        type(source.get(k)) is not int for k in ("records", "bytes")
    ):
        raise ValueError("the source in its header is incomplete")
    if any(not isinstance(header["found"].get(key), (int, float)) for key in _FOUND):
        raise ValueError("the facts in its header are incomplete")
    for entry in header["checked"]:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("fact"), str)
            or not isinstance(entry.get("holds"), bool)
            or any(not isinstance(entry.get(key), (int, float, str)) for key in ("found", "expected"))
        ):
            raise ValueError("the checks in its header are incomplete")
    if not header["checked"]:
        raise ValueError("the checks in its header are incomplete")


def _expected(header: dict[str, Any], described: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each array, as the module says them for the budgets and cells of this table; raises
    `ValueError` for a description of another form."""
    for name, entry in described.items():
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("shape"), list)
            or any(type(entry.get(key)) is not int for key in ("offset", "crc32c"))
            or any(type(length) is not int for length in entry["shape"])
            or entry["offset"] < 0
            or entry["offset"] % _ALIGNMENT
        ):
            raise ValueError(f"its header describes the array '{name}' in another form")
    shape = described.get("cells", {}).get("shape", [])
    if len(shape) != 1 or not 0 < shape[0] <= NUM_CELLS:
        raise ValueError("its header has no number of cells")
    budgets, cells = len(header["budgets"]), shape[0]
    wide = described.get("seconds", {}).get("type")
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        "cells": ("<i4", (cells,)),
        "accuracies": ("<u2", (budgets, cells, 3, 2, 3)),
        "seconds": (wide if wide in ("<f4", "<f8") else "<f8", (budgets, cells, 3, 2)),
        "parameters": ("<i4", (cells,)),
        "forms": ("<i4", (cells,)),
        "codes": ("|u1", (cells,)),
        "order": ("<i4", (cells,)),
    }
    if described.keys() != expected.keys():
        raise ValueError(f"its arrays are {', '.join(sorted(described))}")
    for name, (kind, shape) in expected.items():
        if (described[name].get("type"), tuple(described[name]["shape"])) != (kind, shape):
            raise ValueError(f"the array '{name}' is of another type or shape")
    return expected


def _check_values(arrays: dict[str, np.ndarray]) -> None:
    """Raise `ValueError` for values that would lead a look-up out of an array."""
    cells, order = arrays["cells"], arrays["order"]
    if not 0 <= cells[0] <= cells[-1] < NUM_CELLS or (np.diff(cells) < 1).any():
        raise ValueError("its cells do not ascend")
    if not 0 <= order.min() <= order.max() < len(cells):
        raise ValueError("the order of its cells leads out of the table")
    if arrays["accuracies"].max() > GRID:
        raise ValueError("an accuracy is above 1")
    if arrays["codes"].max() >= CODES:
        raise ValueError("a cell has unknown operations")


def _crc(data: Any, start: int = 0, stop: int | None = None) -> int:
    stop = len(data) if stop is None else stop
    crc = 0
    for at in range(start, stop, _PIECE):
        crc = google_crc32c.extend(crc, bytes(data[at : min(at + _PIECE, stop)]))
    return crc
