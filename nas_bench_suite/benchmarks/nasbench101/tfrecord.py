"""TFRecord framing: a file of byte strings, each with its length and two checksums.

A record is `length uint64 | masked CRC-32C of these 8 bytes uint32 | payload | masked CRC-32C of the payload
uint32`, little-endian; masked means rotated right by 15 bits, plus 0xa282ead8. Every checksum is compared
with google-crc32c's. Records count from 1 in messages.

Notation: a *block* is a run of whole records, read at once; n records a block.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import google_crc32c
import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError

BLOCK_BYTES = 8 << 20
LONGEST = 1 << 20  # bytes of a payload; official records have about 400
_HEADER = 12
_FRAME = 16


class Block(NamedTuple):
    """Whole records: the bytes, uint8; starts and stops int64[n] of the payloads within them; where the block
    starts in the file; the number of its first record; the size of the file."""

    data: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    offset: int
    first: int
    file_bytes: int

    def where(self, record: int) -> str:
        """`record 17, at byte 6543` for a record of the block."""
        return f"record {self.first + record}, at byte {self.offset + int(self.starts[record]) - _HEADER}"


def mask_crc(crc: int) -> int:
    """The masked form in which checksums are stored."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """One record."""
    length = len(payload).to_bytes(8, "little")
    return b"".join(
        (
            length,
            mask_crc(google_crc32c.value(length)).to_bytes(4, "little"),
            payload,
            mask_crc(google_crc32c.value(payload)).to_bytes(4, "little"),
        )
    )


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises:
        ConfigError: if it does not exist, is no file, cannot be read or is empty.
    """
    try:
        if path.is_dir():
            raise ConfigError(
                f"{path} is a folder; accepted: an official NASBench-101 file such as "
                "nasbench_only108.tfrecord."
            )
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
        if os.fstat(file.fileno()).st_size == 0:
            file.close()
            raise ConfigError(f"{path} is empty.")
        return file
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from None


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES, digest: Any = None) -> Iterator[Block]:
    """Read a file block by block, every length and checksum checked. `digest` (of hashlib), if given, is
    updated with all bytes.

    Raises:
        ConfigError: with path, record and offset, for a checksum that does not fit, a file that ends within a
            record, and what is no TFRecord file at all.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        rest = b""
        offset, record = 0, 1
        while True:
            try:
                fresh = file.read(block_bytes)
            except OSError as error:
                raise ConfigError(
                    f"{path} cannot be read beyond byte {offset + len(rest)}: {error.strerror or error}."
                ) from None
            if digest is not None:
                digest.update(fresh)
            raw = rest + fresh if rest else fresh
            if not raw:
                return
            data = np.frombuffer(raw, dtype=np.uint8)
            starts, stops, lengths, crcs, end = _walk(data)
            block = Block(data, starts, stops, offset, record, size)
            _check_lengths(path, block, data, lengths, crcs, end, last=not fresh)
            _check_payloads(path, block, raw)
            if len(starts):
                yield block
            record += len(starts)
            offset += end
            rest = raw[end:]
            if not fresh and rest:
                raise ConfigError(
                    f"{path} ends within record {record}, which starts at byte {offset}: the file is "
                    f"truncated at byte {size}."
                )


@njit(cache=True)
def _number(data: np.ndarray, at: int, count: int) -> np.uint64:
    value = np.uint64(0)
    for i in range(count):
        value |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return value


@njit(cache=True)
def _walk(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Follow the length fields through a block: (starts, stops of payloads; all lengths seen and their stored
    CRCs; bytes of whole records).

    A last length that leads out of the block is among `lengths`, but not among `starts`.
    """
    most = len(data) // 16 + 1
    starts = np.empty(most, dtype=np.int64)
    stops = np.empty(most, dtype=np.int64)
    lengths = np.empty(most, dtype=np.uint64)
    crcs = np.empty(most, dtype=np.uint32)
    at = 0
    whole = 0
    seen = 0
    while at + 12 <= len(data):
        lengths[seen] = _number(data, at, 8)
        crcs[seen] = np.uint32(_number(data, at + 8, 4))
        length = lengths[seen]
        seen += 1
        if length > np.uint64(1 << 20) or at + 16 + np.int64(length) > len(data):
            break
        starts[whole] = at + 12
        stops[whole] = at + 12 + np.int64(length)
        at = stops[whole] + 4
        whole += 1
    return starts[:whole], stops[:whole], lengths[:seen], crcs[:seen], at


def _check_lengths(
    path: Path, block: Block, data: np.ndarray, lengths: np.ndarray, crcs: np.ndarray, end: int, last: bool
) -> None:
    kinds, which = np.unique(lengths, return_inverse=True)  # a file has some fifty different lengths
    expected = np.array(
        [mask_crc(google_crc32c.value(int(kind).to_bytes(8, "little"))) for kind in kinds], dtype=np.uint32
    )
    wrong = np.flatnonzero(expected[which] != crcs)
    if len(wrong):
        record = int(wrong[0])
        at = block.offset + (int(block.starts[record]) - _HEADER if record < len(block.starts) else end)
        if block.first + record == 1:
            raise ConfigError(
                f"{path} is no TFRecord file: its first 12 bytes are not a length and its checksum."
            )
        raise ConfigError(
            f"{path} is damaged at record {block.first + record}, byte {at}: the checksum of the length does "
            "not fit."
        )
    if len(lengths) > len(block.starts) and lengths[-1] > LONGEST:
        raise ConfigError(
            f"{path} holds a payload of {int(lengths[-1])} bytes at record "
            f"{block.first + len(block.starts)}, byte {block.offset + end}; "
            f"records of NASBench-101 have about 400."
        )


def _check_payloads(path: Path, block: Block, raw: bytes) -> None:
    value = google_crc32c.value
    found = np.array(
        [value(raw[a:b]) for a, b in zip(block.starts.tolist(), block.stops.tolist())], dtype=np.uint32
    )
    rotated = (found >> np.uint32(15)) | (found << np.uint32(17))
    expected = rotated + np.uint32(0xA282EAD8)
    places = block.stops[:, None] + np.arange(4)
    stored = np.ascontiguousarray(block.data[places]).view("<u4").reshape(-1)
    wrong = np.flatnonzero(expected != stored)
    if len(wrong):
        raise ConfigError(
            f"{path} is damaged at {block.where(int(wrong[0]))}: the checksum of the payload does not fit."
        )
