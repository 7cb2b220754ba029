"""The 423,624 cells of NASBench-101, enumerated from nothing but the rules, and their look-up by direct
address.

A cell (Ying et al. 2019, section 2) is a directed acyclic graph of at most 7 vertices and 9 edges whose inner
vertices carry one of three operations; what lies on no path from input to output is pruned away first.

Notation and shapes
    mask    the 21 edges of the upper triangle of a 7 x 7 adjacency matrix, row by row, edge i in bit i:
            (0,1) is bit 0, (5,6) is bit 20
    code    the 5 operations as digits to the base 3, vertex v in digit v - 1
    keep    5 bits, the inner vertices that survive pruning, vertex v in bit v - 1
    form    a pruned graph: V = k + 2 vertices, all of them on paths, and its V (V - 1) / 2 edge bits, by rows
    a form's entries in `ids` are its 3^k operation codes, vertex by vertex in digit order

    packed  int32[2^21]     offset of the form of each mask in `ids`, times 32, plus keep; 32 E where
                            the mask is invalid
    gather  int32[32, 243]  the code of the kept vertices alone
    ids     int32[E + 1]    the cell of every (form, code), and -1 at the end, where invalid masks lead
    first   int32[n]        entry of each cell's representative in `ids`
    forms   int32[n]        its form's bits;  vertices, codes: int8[n], int16[n]

so `id = ids[(packed[mask] >> 5) + gather[packed[mask] & 31, code]]`, without a branch.

Ids are dense and fixed for good, since shipped tables are indexed by them: cells ascend by (vertices, form
bits, code) of their representative, which is the least (form bits, code) over all orders of the inner
vertices that keep the matrix upper triangular.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.benchmarks.nasbench101.cache import load_arrays, store_arrays

VERTICES = 7
EDGES = 21
INNER = 5
MAX_EDGES = 9
CODES = 3**INNER
STRINGS = (1 << EDGES) * CODES  # 509,607,936
NUM_CELLS = 423_624
CHECKSUM = "848a25016f4904cb"  # of the enumeration: see `Cells.checksum`
_CACHE_NAME = "nasbench101-cells-2"


@njit(cache=True)
def _edge(u: int, v: int, n: int) -> int:
    """Bit of edge (u, v), u < v, among n vertices."""
    return u * n - (u * (u + 1)) // 2 + v - u - 1


@njit(cache=True)
def _prune(mask: int, succ: np.ndarray) -> int:
    """Write the pruned rows of a mask to `succ` (int64[7], bit sets of successors); return keep, or -1 where
    no path leads to the output."""
    bit = 0
    succ[6] = 0
    for u in range(6):
        succ[u] = 0
        for v in range(u + 1, 7):
            if (mask >> bit) & 1:
                succ[u] |= 1 << v
            bit += 1
    forward = 1
    for u in range(6):
        if (forward >> u) & 1:
            forward |= succ[u]
    if not (forward >> 6) & 1:
        return -1
    backward = 1 << 6
    for u in range(5, -1, -1):
        if succ[u] & backward:
            backward |= 1 << u
    alive = forward & backward
    for u in range(7):
        succ[u] = succ[u] & alive if (alive >> u) & 1 else 0
    return (alive >> 1) & 31


@njit(cache=True)
def _form_bits(rows: np.ndarray, keep: int, place: np.ndarray) -> tuple[int, int]:
    """Edge bits of the pruned form, and how many there are; `place` is int64[7] to work in."""
    n = 1
    for v in range(1, 6):
        if (keep >> (v - 1)) & 1:
            place[v] = n
            n += 1
    place[6] = n
    n += 1
    bits = 0
    edges = 0
    for u in range(6):
        for v in range(u + 1, 7):
            if (rows[u] >> v) & 1:
                bits |= 1 << _edge(place[u], place[v], n)
                edges += 1
    return bits, edges


@njit(cache=True)
def _scan() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prune every mask.

    Returns:
        (form bits int32[2^21], -1 where invalid; keep int8[2^21]; number of inner vertices int8[2^21]).
    """
    bits = np.full(1 << EDGES, -1, dtype=np.int32)
    keeps = np.zeros(1 << EDGES, dtype=np.int8)
    inner = np.zeros(1 << EDGES, dtype=np.int8)
    rows = np.zeros(7, dtype=np.int64)
    place = np.zeros(7, dtype=np.int64)
    for mask in range(1 << EDGES):
        keep = _prune(mask, rows)
        if keep < 0:
            continue
        form, edges = _form_bits(rows, keep, place)
        if edges > MAX_EDGES:
            continue
        bits[mask] = form
        keeps[mask] = keep
        k = 0
        for v in range(5):
            k += (keep >> v) & 1
        inner[mask] = k
    return bits, keeps, inner


@njit(cache=True)
def _canonical(form: int, orders: np.ndarray, best: np.ndarray) -> tuple[np.int64, int]:
    """Find the least relabelling of a form.

    Args:
        form: edge bits of a form with k inner vertices.
        orders: int64[k!, k], all orders of 0 .. k - 1.
        best: int64[k!], receives the rows of `orders` that reach the least bits; order[i] is where inner
            vertex i + 1 goes, less one.

    Returns:
        (the least bits, how many orders reach them).
    """
    k = orders.shape[1]
    n = k + 2
    tail = np.empty(MAX_EDGES, dtype=np.int64)
    head = np.empty(MAX_EDGES, dtype=np.int64)
    edges = 0
    for u in range(n - 1):
        for v in range(u + 1, n):
            if (form >> _edge(u, v, n)) & 1:
                tail[edges] = u
                head[edges] = v
                edges += 1
    least = np.int64(1) << 40
    count = 0
    place = np.zeros(7, dtype=np.int64)
    place[n - 1] = n - 1
    for row in range(len(orders)):
        for i in range(k):
            place[i + 1] = orders[row, i] + 1
        bits = 0
        for e in range(edges):
            u = place[tail[e]]
            v = place[head[e]]
            if u >= v:
                bits = -1
                break
            bits |= 1 << _edge(u, v, n)
        if bits < 0:
            continue
        if bits < least:
            least = np.int64(bits)
            count = 0
        if bits == least:
            best[count] = row
            count += 1
    return least, count


class _Forms(NamedTuple):
    """All F forms with k inner vertices."""

    bits: np.ndarray  # int64[F], ascending
    offsets: np.ndarray  # int64[F], their entries in `ids`
    orders: np.ndarray  # int64[k!, k], all orders of 0 .. k - 1


class _Numbered(NamedTuple):
    """What the enumeration fills: E entries, at most as many cells."""

    ids: np.ndarray  # int32[E + 1]
    first: np.ndarray  # int32[E]
    forms: np.ndarray  # int32[E]
    codes: np.ndarray  # int16[E]


@njit(cache=True)
def _enumerate(forms: _Forms, start: int, out: _Numbered) -> int:
    """Give ids to all cells with k inner vertices, the first of which is `start`, and return the next free
    id."""
    orders = forms.orders
    k = orders.shape[1]
    size = 3**k
    best = np.empty(len(orders), dtype=np.int64)
    powers = np.empty(5, dtype=np.int64)
    for i in range(5):
        powers[i] = 3**i
    # Two passes: a form's canonical form may come later or earlier, but representatives take their ids in
    # ascending order.
    for fill in range(2):
        for f in range(len(forms.bits)):
            least, count = _canonical(forms.bits[f], orders, best)
            own = least == forms.bits[f]
            if (fill == 0) != own:
                continue
            base = forms.offsets[np.searchsorted(forms.bits, least)]
            for code in range(size):
                small = size
                for b in range(count):
                    moved = 0
                    rest = code
                    for i in range(k):
                        moved += (rest % 3) * powers[orders[best[b], i]]
                        rest //= 3
                    small = min(small, moved)
                if own and small == code:
                    out.first[start] = base + code
                    out.forms[start] = least
                    out.codes[start] = code
                    out.ids[base + code] = start
                    start += 1
                else:
                    out.ids[forms.offsets[f] + code] = out.ids[base + small]
    return start


@njit(cache=True)
def _gather_table() -> np.ndarray:
    table = np.zeros((32, CODES), dtype=np.int32)
    for keep in range(32):
        for code in range(CODES):
            rest = code
            power = 1
            short = 0
            for v in range(5):
                if (keep >> v) & 1:
                    short += (rest % 3) * power
                    power *= 3
                rest //= 3
            table[keep, code] = short
    return table


def _orders(k: int) -> np.ndarray:
    return np.array(list(permutations(range(k))), dtype=np.int64).reshape(math.factorial(k), k)


class Cells(NamedTuple):
    """The tables described above."""

    packed: np.ndarray  # int32[2^21]
    gather: np.ndarray  # int32[32, 243]
    ids: np.ndarray  # int32[E + 1]
    first: np.ndarray  # int32[n]
    forms: np.ndarray  # int32[n]
    vertices: np.ndarray  # int8[n]
    codes: np.ndarray  # int16[n]

    @property
    def invalid(self) -> int:
        """What `packed` holds for an invalid mask."""
        return 32 * (len(self.ids) - 1)

    def is_sound(self) -> bool:
        """Whether no look-up can leave the tables and the cells are those of this enumeration. For what comes
        out of a file: kernels do not check where they read."""
        count = len(self.vertices)
        expected = {
            "packed": (np.int32, (1 << EDGES,)),
            "gather": (np.int32, (32, CODES)),
            "ids": (np.int32, (len(self.ids),)),
            "first": (np.int32, (count,)),
            "forms": (np.int32, (count,)),
            "vertices": (np.int8, (count,)),
            "codes": (np.int16, (count,)),
        }
        if any(
            (table.dtype, table.shape) != expected[name] or not table.flags.c_contiguous
            for name, table in self._asdict().items()
        ):
            return False
        # An entry of `packed` starts a form, of which the last one and the invalid one come last.
        return bool(
            0 <= self.packed.min() <= self.packed.max() == self.invalid
            and 0 <= self.gather.min() <= self.gather.max() < CODES
            and -1 == self.ids.min() <= self.ids.max() == count - 1
            and len(self.ids) > CODES
            and not self.gather[0].any()
            and (self.packed[self.packed < self.invalid] >> 5).max() <= len(self.ids) - 1 - CODES
            and self.checksum() == CHECKSUM
        )

    def checksum(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of (vertices, form bits, code) of all cells in id
        order."""
        rows = np.stack(
            [self.vertices.astype("<i4"), self.forms.astype("<i4"), self.codes.astype("<i4")], axis=1
        )
        return hashlib.sha256(rows.tobytes()).hexdigest()[:16]


def enumerate_cells() -> Cells:
    """Enumerate all cells; a fraction of a second once the kernels are compiled."""
    bits, keeps, inner = _scan()
    valid = bits >= 0
    base = np.full(1 << EDGES, -1, dtype=np.int64)
    parts = []
    total = 0
    for k in range(INNER + 1):
        rows = np.flatnonzero(valid & (inner == k))
        seen = np.zeros(1 << EDGES, dtype=bool)
        seen[bits[rows]] = True
        forms = np.flatnonzero(seen)
        offsets = total + np.arange(len(forms), dtype=np.int64) * 3**k
        place = np.zeros(1 << EDGES, dtype=np.int64)
        place[forms] = offsets
        base[rows] = place[bits[rows]]
        total += len(forms) * 3**k
        parts.append((forms, offsets))
    numbered = _Numbered(
        ids=np.full(total + 1, -1, dtype=np.int32),
        first=np.zeros(total, dtype=np.int32),
        forms=np.zeros(total, dtype=np.int32),
        codes=np.zeros(total, dtype=np.int16),
    )
    bounds = [0]
    for k, (forms, offsets) in enumerate(parts):
        bounds.append(_enumerate(_Forms(forms, offsets, _orders(k)), bounds[-1], numbered))
    count = bounds[-1]
    vertices = np.repeat(np.arange(2, 8, dtype=np.int8), np.diff(bounds))
    packed = np.where(base >= 0, base * 32 + keeps, 32 * total).astype(np.int32)
    return Cells(
        packed,
        _gather_table(),
        numbered.ids,
        numbered.first[:count].copy(),
        numbered.forms[:count].copy(),
        vertices,
        numbered.codes[:count].copy(),
    )


@lru_cache(maxsize=1)
def cells() -> Cells:
    """Return the tables, from the cache folder if it holds them, else enumerated (and kept there if it can be
    written)."""
    stored = load_arrays(_CACHE_NAME)
    if stored is not None and stored.keys() == set(Cells._fields):
        found = Cells(**stored)
        if found.is_sound():
            return found
    # no file, or one of another make: enumerate again
    found = enumerate_cells()
    store_arrays(_CACHE_NAME, found._asdict())
    return found
