"""The compiled pass of `records.parse_block`: official payloads as official writers lay them out.

It accepts less than `records.parse_payload` and never anything else: whatever it does not know (escapes,
other field orders of JSON, unknown protobuf fields, values off the grid) makes a record *odd*, and the other
decides. Positions are indices into `data`; -1 stands for odd.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

_ROOM = 4096  # bytes of a decoded message; official ones have about 155


class Alphabet(NamedTuple):
    """What payloads are written in."""

    single: np.ndarray  # float64[9985], accuracies k / 9984 as single-precision files store them
    double: np.ndarray  # float64[9985], the same in double precision
    base64: np.ndarray  # uint8[256], the value of each digit; 255 for what is none
    names: np.ndarray  # uint8[3, 16], the operations' official names
    name_lengths: np.ndarray  # int64[3]


class Parsed(NamedTuple):
    """n records, one row each."""

    digests: np.ndarray  # uint8[n, 16], the hash's bytes
    epochs: np.ndarray  # int64[n]
    vertices: np.ndarray  # int64[n]
    forms: np.ndarray  # int64[n], the upper triangle row by row, edge i in bit i
    codes: np.ndarray  # int64[n], the inner operations as digits to the base 3
    parameters: np.ndarray  # int64[n]
    accuracies: np.ndarray  # uint16[n, 2, 3] in 1/9984 (half-way, end; train, validation, test)
    seconds: np.ndarray  # float64[n, 2]
    single: np.ndarray  # bool[n], whether all of a record's accuracies are stored in single precision
    double: np.ndarray  # bool[n], whether in double precision


def empty(count: int) -> Parsed:
    """Room for `count` records."""
    return Parsed(
        digests=np.zeros((count, 16), dtype=np.uint8),
        epochs=np.zeros(count, dtype=np.int64),
        vertices=np.zeros(count, dtype=np.int64),
        forms=np.zeros(count, dtype=np.int64),
        codes=np.zeros(count, dtype=np.int64),
        parameters=np.zeros(count, dtype=np.int64),
        accuracies=np.zeros((count, 2, 3), dtype=np.uint16),
        seconds=np.zeros((count, 2), dtype=np.float64),
        single=np.zeros(count, dtype=np.bool_),
        double=np.zeros(count, dtype=np.bool_),
    )


@njit(cache=True)
def _expect(data: np.ndarray, at: int, stop: int, char: int) -> int:
    """Position after white space and `char`, or -1."""
    if at < 0:
        return -1
    while at < stop and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
        at += 1
    return at + 1 if at < stop and data[at] == char else -1


@njit(cache=True)
def _hash(data: np.ndarray, at: int, stop: int, digests: np.ndarray, i: int) -> int:
    if at < 0 or at + 32 > stop:
        return -1
    for j in range(32):
        char = data[at + j]
        if 48 <= char <= 57:
            nibble = char - 48
        elif 97 <= char <= 102:
            nibble = char - 87
        else:
            return -1
        if j & 1:
            digests[i, j >> 1] |= nibble
        else:
            digests[i, j >> 1] = nibble << 4
    return at + 32


@njit(cache=True)
def _whole(data: np.ndarray, at: int, stop: int) -> tuple[int, int]:
    """(position after a positive number of at most nine digits, the number)."""
    while 0 <= at < stop and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
        at += 1
    if at < 0 or at >= stop or data[at] == 48:
        return -1, 0
    first = at
    value = 0
    while at < stop and 48 <= data[at] <= 57:
        value = 10 * value + data[at] - 48
        at += 1
        if at - first > 9:
            return -1, 0
    return (at, value) if at > first else (-1, 0)


@njit(cache=True)
def _adjacency(data: np.ndarray, at: int, stop: int) -> tuple[int, int, np.int64 | int]:
    """(position after the matrix, vertices, form)."""
    if at < 0:
        return -1, 0, 0
    first = at
    while at < stop and (data[at] == 48 or data[at] == 49):
        at += 1
    n = 2
    while n * n < at - first:
        n += 1
    if n > 7 or n * n != at - first:
        return -1, 0, 0
    form = np.int64(0)
    bit = 0
    for u in range(n):
        for v in range(n):
            present = np.int64(data[first + u * n + v]) & 1
            if v > u:
                form |= present << bit
                bit += 1
            elif present:
                return -1, 0, 0
    return at, n, form


@njit(cache=True)
def _operations(data: np.ndarray, at: int, stop: int, n: int, alphabet: Alphabet) -> tuple[int, int]:
    """(position after the labels, code)."""
    names, name_lengths = alphabet.names, alphabet.name_lengths
    if at < 0 or at + 5 > stop:
        return -1, 0
    if not (
        data[at] == 105
        and data[at + 1] == 110
        and data[at + 2] == 112
        and data[at + 3] == 117
        and data[at + 4] == 116
    ):
        return -1, 0
    at += 5
    code = 0
    power = 1
    for _ in range(n - 2):
        if at >= stop or data[at] != 44:
            return -1, 0
        at += 1
        found = -1
        for name in range(3):
            length = name_lengths[name]
            if at + length <= stop:
                same = True
                for j in range(length):
                    same &= data[at + j] == names[name, j]
                if same:
                    found = name
                    break
        if found < 0:
            return -1, 0
        at += name_lengths[found]
        code += found * power
        power *= 3
    if at + 7 > stop or data[at] != 44 or data[at + 1] != 111 or data[at + 2] != 117 or data[at + 3] != 116:
        return -1, 0
    if data[at + 4] != 112 or data[at + 5] != 117 or data[at + 6] != 116:
        return -1, 0
    return at + 7, code


@njit(cache=True)
def _decode(data: np.ndarray, at: int, stop: int, base64: np.ndarray, room: np.ndarray) -> tuple[int, int]:
    """(position of the closing quote, bytes decoded into `room`)."""
    if at < 0:
        return -1, 0
    size = 0
    held = np.int64(0)
    count = 0
    padding = 0
    while at < stop and data[at] != 34:
        char = data[at]
        # the two characters \n, which some encoders put after every 76
        if char == 92 and at + 1 < stop and data[at + 1] == 110:
            at += 2
            continue
        at += 1
        if char == 61:
            padding += 1
            continue
        digit = np.int64(base64[char])
        if digit > 63 or padding or size + 3 >= len(room):
            return -1, 0
        held = (held << 6) | digit
        count += 1
        if count & 3 == 0:
            room[size] = (held >> 16) & 255
            room[size + 1] = (held >> 8) & 255
            room[size + 2] = held & 255
            size += 3
            held = np.int64(0)
    tail = count & 3
    if at >= stop or padding > 2 or (tail + padding) & 3 or (padding and not tail):
        return -1, 0
    if tail == 2:
        room[size] = (held >> 4) & 255
        size += 1
    elif tail == 3:
        room[size] = (held >> 10) & 255
        room[size + 1] = (held >> 2) & 255
        size += 2
    return at, size


@njit(cache=True)
def _varint(room: np.ndarray, at: int | np.int64, size: int | np.int64) -> tuple[int | np.int64, np.int64]:
    """(position after a number below 2^35, the number)."""
    value = np.int64(0)
    for shift in range(0, 35, 7):
        if at >= size:
            return -1, value
        byte = np.int64(room[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return at, value
    return -1, value


@njit(cache=True)
def _message(room: np.ndarray, size: int, bits: np.ndarray, values: np.ndarray) -> np.int64:
    """Parse a ModelMetrics message. values float64[2, 6] receives the fields of the second and third
    evaluation; bits uint64[1] is its scratch.

    Returns:
        the trainable parameters, or -1.
    """
    floats = bits.view(np.float64)
    parameters = np.int64(-1)
    evaluation = 0
    at: int | np.int64 = 0
    seen = np.int64(0)
    while at < size:
        tag = room[at]
        at += 1
        if tag == 0x0A:
            at, length = _varint(room, at, size)
            if at < 0 or at + length > size:
                return np.int64(-1)
            end = at + length
            while at < end:
                inner = np.int64(room[at])
                at += 1
                number = inner >> 3
                if inner & 7 == 1 and 1 <= number <= 5:
                    if at + 8 > end:
                        return np.int64(-1)
                    word = np.uint64(0)
                    for j in range(8):
                        word |= np.uint64(room[at + j]) << np.uint64(8 * j)
                    at += 8
                    if 1 <= evaluation <= 2:
                        bits[0] = word
                        values[evaluation - 1, number] = floats[0]
                        seen |= 1 << (8 * (evaluation - 1) + number)
                elif inner == 0x32:
                    at, length = _varint(room, at, end)
                    if at < 0 or at + length > end:
                        return np.int64(-1)
                    at += length
                else:
                    return np.int64(-1)
            evaluation += 1
        elif tag == 0x10:
            at, parameters = _varint(room, at, size)
            if at < 0:
                return np.int64(-1)
        elif tag == 0x19:
            if at + 8 > size:
                return np.int64(-1)
            at += 8
        else:
            return np.int64(-1)
    needed = 0b00111100
    if (
        evaluation < 3
        or seen & needed != needed
        or (seen >> 8) & needed != needed
        or not 0 < parameters < 2**31
    ):
        return np.int64(-1)
    return parameters


@njit(cache=True)
def parse_all(
    data: np.ndarray, starts: np.ndarray, stops: np.ndarray, alphabet: Alphabet, odd: np.ndarray, out: Parsed
) -> None:
    """Fill row i of `out` from data[starts[i] : stops[i]], or set odd[i]."""
    room = np.zeros(_ROOM, dtype=np.uint8)
    bits = np.zeros(1, dtype=np.uint64)
    values = np.zeros((2, 6), dtype=np.float64)
    for i in range(len(starts)):
        odd[i] = True
        stop = stops[i]
        at = _expect(data, _expect(data, starts[i], stop, 91), stop, 34)
        at = _hash(data, at, stop, out.digests, i)
        at = _expect(data, at, at + 1, 34)
        at, out.epochs[i] = _whole(data, _expect(data, at, stop, 44), stop)
        at, out.vertices[i], out.forms[i] = _adjacency(
            data, _expect(data, _expect(data, at, stop, 44), stop, 34), stop
        )
        at = _expect(data, at, at + 1, 34)
        at = _expect(data, _expect(data, at, stop, 44), stop, 34)
        at, out.codes[i] = _operations(data, at, stop, out.vertices[i], alphabet)
        at = _expect(data, at, at + 1, 34)
        at = _expect(data, _expect(data, at, stop, 44), stop, 34)
        at, size = _decode(data, at, stop, alphabet.base64, room)
        at = _expect(data, at, stop, 34)
        at = _expect(data, at, stop, 93)
        while 0 <= at < stop and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
            at += 1
        if at != stop:
            continue
        out.parameters[i] = _message(room, size, bits, values)
        if out.parameters[i] < 0:
            continue
        fits_single = True
        fits_double = True
        sound = True
        for half in range(2):
            time = values[half, 2]
            sound &= 0.0 <= time < np.inf
            out.seconds[i, half] = time
            for metric in range(3):
                value = values[half, metric + 3]
                k = 0
                if 0.0 <= value <= 1.0:
                    k = int(value * 9984.0 + 0.5)
                fits_single &= alphabet.single[k] == value
                fits_double &= alphabet.double[k] == value
                out.accuracies[i, half, metric] = k
        out.single[i] = fits_single
        out.double[i] = fits_double
        odd[i] = not (sound and (fits_single or fits_double))
