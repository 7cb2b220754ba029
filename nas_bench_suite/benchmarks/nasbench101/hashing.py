"""The official hash of a cell: an MD5 over iterated vertex hashes (the `graph_util.hash_module` of the
official code).

Every vertex starts as the MD5 of "(out-degree, in-degree, label)", labels being -1 for the input, 0, 1, 2 for
conv3x3, conv1x1, maxpool3x3 and -2 for the output. V times over, every vertex takes the MD5 of its sorted
in-neighbours' digests, "|", its sorted out-neighbours' digests, "|", its own digest. The cell's hash is the
MD5 of the sorted list of its vertices' digests, written as Python writes a list.

`graph_hash` does that for one graph with hashlib; `all_digests` does it for all cells. Cells of one form
differ in their operations alone, so their messages have the same lengths, and the MD5s of up to 243 of them
run side by side (L lanes, word by word) in vector registers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.benchmarks.nasbench101.cache import load_arrays, store_arrays
from nas_bench_suite.benchmarks.nasbench101.cells import CODES, NUM_CELLS, Cells, cells

LABELS = (1, 0, 2)  # of conv1x1, conv3x3, maxpool3x3 in the official order
CHECKSUM = "dbe811be51718f04"  # of all digests in id order
_CACHE_NAME = "nasbench101-hashes-1"
_FEW = 64  # hashes that are cheaper to compute one by one than to look up in a table that may have to be made
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8).copy()
_SINES = np.floor(np.abs(np.sin(np.arange(1, 65, dtype=np.float64))) * 2.0**32).astype(np.uint32)
_ROTATIONS = np.array([[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]], dtype=np.uint32)
_LONGEST = 320  # bytes: the final message of 7 vertices has 252, which takes five blocks


def graph_hash(matrix: np.ndarray | list[list[int]], labels: list[int]) -> str:
    """The official hash of a pruned graph [V, V] with V integer labels."""
    n = len(labels)
    into = [[u for u in range(n) if matrix[u][v]] for v in range(n)]
    out = [[w for w in range(n) if matrix[v][w]] for v in range(n)]
    digests = [_md5(str((len(out[v]), len(into[v]), labels[v]))) for v in range(n)]
    for _ in range(n):
        digests = [
            _md5(
                "".join(sorted(digests[u] for u in into[v]))
                + "|"
                + "".join(sorted(digests[w] for w in out[v]))
                + "|"
                + digests[v]
            )
            for v in range(n)
        ]
    return _md5(str(sorted(digests)))


def hex_digests(tables: Cells, ids: np.ndarray) -> np.ndarray:
    """The official hashes of cells int64[n]: str[n]."""
    if len(ids) > _FEW:
        return _to_text(all_digests()[ids])
    out = np.empty(len(ids), dtype="<U32")
    for i, cell in enumerate(ids):
        n = int(tables.vertices[cell])
        matrix = np.zeros((n, n), dtype=np.int64)
        matrix[np.triu_indices(n, k=1)] = (int(tables.forms[cell]) >> np.arange(n * (n - 1) // 2)) & 1
        code = int(tables.codes[cell])
        out[i] = graph_hash(matrix.tolist(), [-1, *(LABELS[code // 3**v % 3] for v in range(n - 2)), -2])
    return out


def find(names: np.ndarray) -> np.ndarray:
    """The ids of cells by their official hashes str[n]: int64[n], -1 where there is none."""
    digests, known = _from_text(names)
    return np.where(known, find_digests(digests), -1)


def find_digests(digests: np.ndarray) -> np.ndarray:
    """The ids of cells by the bytes of their official hashes uint8[n, 16]: int64[n], -1 where there is
    none."""
    order, keys = _sorted_keys()
    wanted = digests[:, :8].copy().view(">u8")[:, 0].astype(np.uint64)
    ids = order[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)]
    return np.where((all_digests()[ids] == digests).all(axis=1), ids, -1)


@lru_cache(maxsize=1)
def all_digests() -> np.ndarray:
    """uint8[423624, 16], the bytes of the official hash of every cell; from the cache folder if it holds
    them."""
    stored = load_arrays(_CACHE_NAME)
    if stored is not None and "digests" in stored:
        kept = stored["digests"]
        fits = kept.dtype == np.uint8 and kept.shape == (NUM_CELLS, 16)
        if fits and digests_checksum(kept) == CHECKSUM:
            return kept
    tables = cells()
    digests = np.empty((NUM_CELLS, 16), dtype=np.uint8)
    starts = np.flatnonzero(np.diff(tables.forms, prepend=-1) | np.diff(tables.vertices, prepend=0))
    _hash_all(np.append(starts, NUM_CELLS), tables, CONSTANTS, digests)
    store_arrays(_CACHE_NAME, {"digests": digests})
    return digests


def digests_checksum(digests: np.ndarray) -> str:
    """First 16 hexadecimal digits of the SHA-256 of digests uint8[n, 16]."""
    return hashlib.sha256(np.ascontiguousarray(digests).tobytes()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _sorted_keys() -> tuple[np.ndarray, np.ndarray]:
    """Cell ids in the order of their digests' first eight bytes, and these as uint64 (no two are equal)."""
    keys = all_digests()[:, :8].copy().view(">u8")[:, 0].astype(np.uint64)
    order = np.argsort(keys)
    return order, keys[order]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _to_text(digests: np.ndarray) -> np.ndarray:
    nibbles = np.stack([digests >> 4, digests & 15], axis=-1).reshape(len(digests), 32)
    return np.ascontiguousarray(_HEX[nibbles]).view("S32")[:, 0].astype("<U32")


def _from_text(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes uint8[n, 16] of names of 32 lower-case hexadecimal digits, and which of them are that."""
    known = np.array([len(name) == 32 and name.isascii() for name in names], dtype=bool)
    digits = np.frombuffer(
        "".join(name if fits else "0" * 32 for name, fits in zip(names, known)).encode(), dtype=np.uint8
    )
    table = np.full(256, 255, dtype=np.uint8)
    table[_HEX] = np.arange(16)
    values = table[digits].reshape(-1, 16, 2)
    known &= (values < 16).all(axis=(1, 2))
    return (values[..., 0] << 4 | (values[..., 1] & 15)).astype(np.uint8), known


class Constants(NamedTuple):
    """What every hash needs."""

    labels: np.ndarray  # int64[3], of the operations in the official order
    digits: np.ndarray  # uint8[16], hexadecimal
    sines: np.ndarray  # uint32[64]
    rotations: np.ndarray  # uint32[4, 4], by round, then step


class Scratch(NamedTuple):
    """What the MD5s of L lanes work in."""

    text: np.ndarray  # uint8[L, 320], the messages
    words: np.ndarray  # uint32[16, L], a block of each
    state: np.ndarray  # uint32[4, L]
    work: np.ndarray  # uint32[4, L]


class Digests(NamedTuple):
    """The digests of seven vertices in L lanes: hexadecimal, and as numbers that sort alike."""

    hexes: np.ndarray  # uint8[7, L, 32]
    values: np.ndarray  # uint64[7, L, 2]


CONSTANTS = Constants(np.array(LABELS), _HEX, _SINES, _ROTATIONS)


@njit(cache=True)
def _compress(lanes: int, scratch: Scratch, constants: Constants) -> None:
    """One MD5 block (RFC 1321, section 3.4), `scratch.words`, in every lane."""
    words, state, work = scratch.words, scratch.state, scratch.work
    sines, rotations = constants.sines, constants.rotations
    for i in range(4):
        for lane in range(lanes):
            work[i, lane] = state[i, lane]
    for step in range(64):
        a = work[(64 - step) & 3]
        b = work[(65 - step) & 3]
        c = work[(66 - step) & 3]
        d = work[(67 - step) & 3]
        kind = step >> 4
        sine = sines[step]
        left = rotations[kind, step & 3] & np.uint32(31)
        right = (np.uint32(32) - left) & np.uint32(31)
        if kind == 0:
            m = words[step & 15]
            for lane in range(lanes):
                f = d[lane] ^ (b[lane] & (c[lane] ^ d[lane]))
                x = np.uint32(a[lane] + f + sine + m[lane])
                a[lane] = np.uint32(b[lane] + (np.uint32(x << left) | np.uint32(x >> right)))
        elif kind == 1:
            m = words[(5 * step + 1) & 15]
            for lane in range(lanes):
                f = c[lane] ^ (d[lane] & (b[lane] ^ c[lane]))
                x = np.uint32(a[lane] + f + sine + m[lane])
                a[lane] = np.uint32(b[lane] + (np.uint32(x << left) | np.uint32(x >> right)))
        elif kind == 2:
            m = words[(3 * step + 5) & 15]
            for lane in range(lanes):
                f = b[lane] ^ c[lane] ^ d[lane]
                x = np.uint32(a[lane] + f + sine + m[lane])
                a[lane] = np.uint32(b[lane] + (np.uint32(x << left) | np.uint32(x >> right)))
        else:
            m = words[(7 * step) & 15]
            for lane in range(lanes):
                f = c[lane] ^ (b[lane] | (d[lane] ^ np.uint32(0xFFFFFFFF)))
                x = np.uint32(a[lane] + f + sine + m[lane])
                a[lane] = np.uint32(b[lane] + (np.uint32(x << left) | np.uint32(x >> right)))
    for i in range(4):
        for lane in range(lanes):
            state[i, lane] = np.uint32(state[i, lane] + work[i, lane])


@njit(cache=True)
def _digest(length: int, lanes: int, scratch: Scratch, constants: Constants, into: Digests, v: int) -> None:
    """MD5 of `scratch.text[lane, :length]`, padded in place, for every lane: the digests of vertex v."""
    text, words, state, digits = scratch.text, scratch.words, scratch.state, constants.digits
    hexes, values = into.hexes[v], into.values[v]
    blocks = (length + 9 + 63) // 64
    for lane in range(lanes):
        text[lane, length] = 128
        for i in range(length + 1, 64 * blocks):
            text[lane, i] = 0
        text[lane, 64 * blocks - 8] = (8 * length) & 255
        text[lane, 64 * blocks - 7] = (8 * length) >> 8
        state[0, lane] = 0x67452301
        state[1, lane] = 0xEFCDAB89
        state[2, lane] = 0x98BADCFE
        state[3, lane] = 0x10325476
    typed = text.view(np.uint32)
    for block in range(blocks):
        for lane in range(lanes):
            for w in range(16):
                words[w, lane] = typed[lane, 16 * block + w]
        _compress(lanes, scratch, constants)
    for lane in range(lanes):
        for half in range(2):
            value = np.uint64(0)
            for i in range(8):
                byte = (state[2 * half + (i >> 2), lane] >> np.uint32(8 * (i & 3))) & np.uint32(255)
                value = (value << np.uint64(8)) | np.uint64(byte)
                hexes[lane, 16 * half + 2 * i] = digits[byte >> 4]
                hexes[lane, 16 * half + 2 * i + 1] = digits[byte & 15]
            values[lane, half] = value


@njit(cache=True)
def _put(text: np.ndarray, lane: int, at: int, digests: Digests, v: int) -> None:
    for i in range(32):
        text[lane, at + i] = digests.hexes[v, lane, i]


@njit(cache=True)
def _order(members: np.ndarray, count: int, digests: Digests, lane: int) -> None:
    """Sort members[:count] (vertices) by their digests in one lane."""
    values = digests.values
    for i in range(1, count):
        v = members[i]
        j = i
        while j > 0:
            u = members[j - 1]
            if values[u, lane, 0] != values[v, lane, 0]:
                before = values[u, lane, 0] < values[v, lane, 0]
            else:
                before = values[u, lane, 1] <= values[v, lane, 1]
            if before:
                break
            members[j] = u
            j -= 1
        members[j] = v


@njit(cache=True)
def _hash_all(starts: np.ndarray, tables: Cells, constants: Constants, out: np.ndarray) -> None:
    """Hash the cells starts[g] .. starts[g + 1] - 1, which share a form, for every g: out uint8[n, 16]."""
    vertices, forms, codes, labels = tables.vertices, tables.forms, tables.codes, constants.labels
    size = CODES
    text = np.zeros((size, _LONGEST), dtype=np.uint8)
    scratch = Scratch(
        text,
        np.zeros((16, size), dtype=np.uint32),
        np.zeros((4, size), dtype=np.uint32),
        np.zeros((4, size), dtype=np.uint32),
    )
    old = Digests(np.zeros((7, size, 32), dtype=np.uint8), np.zeros((7, size, 2), dtype=np.uint64))
    new = Digests(np.zeros((7, size, 32), dtype=np.uint8), np.zeros((7, size, 2), dtype=np.uint64))
    into = np.zeros((7, 7), dtype=np.int64)
    onto = np.zeros((7, 7), dtype=np.int64)
    members = np.zeros(7, dtype=np.int64)
    for g in range(len(starts) - 1):
        first = starts[g]
        lanes = starts[g + 1] - first
        n = vertices[first]
        ins = np.zeros(7, dtype=np.int64)
        outs = np.zeros(7, dtype=np.int64)
        bit = 0
        for u in range(n - 1):
            for v in range(u + 1, n):
                if (forms[first] >> bit) & 1:
                    into[v, ins[v]] = u
                    ins[v] += 1
                    onto[u, outs[u]] = v
                    outs[u] += 1
                bit += 1
        power = 1
        for v in range(n):
            end = v == 0 or v == n - 1
            for lane in range(lanes):
                text[lane, 0] = 40
                text[lane, 1] = 48 + outs[v]
                text[lane, 2] = text[lane, 5] = 44
                text[lane, 3] = text[lane, 6] = 32
                text[lane, 4] = 48 + ins[v]
                if end:
                    text[lane, 7] = 45
                    text[lane, 8] = 49 if v == 0 else 50
                    text[lane, 9] = 41
                else:
                    text[lane, 7] = 48 + labels[codes[first + lane] // power % 3]
                    text[lane, 8] = 41
            if not end:
                power *= 3
            _digest(10 if end else 9, lanes, scratch, constants, old, v)
        for _ in range(n):
            for v in range(n):
                for lane in range(lanes):
                    at = 0
                    for side in range(2):
                        count = ins[v] if side == 0 else outs[v]
                        for i in range(count):
                            members[i] = into[v, i] if side == 0 else onto[v, i]
                        _order(members, count, old, lane)
                        for i in range(count):
                            _put(text, lane, at, old, members[i])
                            at += 32
                        text[lane, at] = 124
                        at += 1
                    _put(text, lane, at, old, v)
                length = 32 * (ins[v] + outs[v] + 1) + 2
                _digest(length, lanes, scratch, constants, new, v)
            old, new = new, old
        for lane in range(lanes):
            for v in range(n):
                members[v] = v
            _order(members, n, old, lane)
            at = 0
            for i in range(n):
                text[lane, at] = 91 if i == 0 else 32
                text[lane, at + 1] = 39
                _put(text, lane, at + 2, old, members[i])
                text[lane, at + 34] = 39
                text[lane, at + 35] = 93 if i == n - 1 else 44
                at += 36
        _digest(36 * n, lanes, scratch, constants, new, 0)
        for lane in range(lanes):
            for half in range(2):
                for i in range(8):
                    out[first + lane, 8 * half + i] = (
                        new.values[0, lane, half] >> np.uint64(56 - 8 * i)
                    ) & np.uint64(255)
