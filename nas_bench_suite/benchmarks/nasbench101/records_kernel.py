"""The compiled pass of `records.parse_block`: official payloads as official writers lay them out.

It accepts less than `records.parse_payload` and never anything else: whatever it does not know (escapes,
other field orders of JSON, unknown protobuf fields, values off the grid) makes a record *odd*, and the other
decides. Positions are indices into `data`; -1 stands for odd.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_ROOM = 4096  # bytes of a decoded message; official ones have about 155


@njit(cache=True)
def _expect(data, at, stop, char):
    """Position after white space and `char`, or -1."""
    if at < 0:
        return -1
    while at < stop and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
        at += 1
    return at + 1 if at < stop and data[at] == char else -1


@njit(cache=True)
def _hash(data, at, stop, digests, i):
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
def _whole(data, at, stop):
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
def _adjacency(data, at, stop):
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
def _operations(data, at, stop, n, names, name_lengths):
    """(position after the labels, code)."""
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
def _decode(data, at, stop, base64, room):
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
def _varint(room, at, size):
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
def _message(room, size, bits, values):
    """Parse a ModelMetrics message. values float64[2, 6] receives the fields of the second and third
    evaluation; bits uint64[1] is its scratch.

    Returns:
        the trainable parameters, or -1.
    """
    floats = bits.view(np.float64)
    parameters = np.int64(-1)
    evaluation = 0
    at = 0
    seen = np.int64(0)
    while at < size:
        tag = room[at]
        at += 1
        if tag == 0x0A:
            at, length = _varint(room, at, size)
            if at < 0 or at + length > size:
                return -1
            end = at + length
            while at < end:
                inner = np.int64(room[at])
                at += 1
                number = inner >> 3
                if inner & 7 == 1 and 1 <= number <= 5:
                    if at + 8 > end:
                        return -1
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
                        return -1
                    at += length
                else:
                    return -1
            evaluation += 1
        elif tag == 0x10:
            at, parameters = _varint(room, at, size)
            if at < 0:
                return -1
        elif tag == 0x19:
            if at + 8 > size:
                return -1
            at += 8
        else:
            return -1
    needed = 0b00111100
    if (
        evaluation < 3
        or seen & needed != needed
        or (seen >> 8) & needed != needed
        or not 0 < parameters < 2**31
    ):
        return -1
    return parameters


@njit(cache=True)
def parse_all(
    data,
    starts,
    stops,
    single,
    double,
    base64,
    names,
    name_lengths,
    odd,
    digests,
    epochs,
    vertices,
    forms,
    codes,
    parameters,
    accuracies,
    seconds,
    is_single,
    is_double,
):
    """Fill row i of every output (see `records.Parsed`) from data[starts[i] : stops[i]], or set odd[i]."""
    room = np.zeros(_ROOM, dtype=np.uint8)
    bits = np.zeros(1, dtype=np.uint64)
    values = np.zeros((2, 6), dtype=np.float64)
    for i in range(len(starts)):
        odd[i] = True
        stop = stops[i]
        at = _expect(data, _expect(data, starts[i], stop, 91), stop, 34)
        at = _hash(data, at, stop, digests, i)
        at = _expect(data, at, at + 1, 34)
        at, epochs[i] = _whole(data, _expect(data, at, stop, 44), stop)
        at, vertices[i], forms[i] = _adjacency(
            data, _expect(data, _expect(data, at, stop, 44), stop, 34), stop
        )
        at = _expect(data, at, at + 1, 34)
        at = _expect(data, _expect(data, at, stop, 44), stop, 34)
        at, codes[i] = _operations(data, at, stop, vertices[i], names, name_lengths)
        at = _expect(data, at, at + 1, 34)
        at, size = _decode(data, _expect(data, _expect(data, at, stop, 44), stop, 34), stop, base64, room)
        at = _expect(data, at, stop, 34)
        at = _expect(data, at, stop, 93)
        while 0 <= at < stop and (data[at] == 32 or data[at] == 9 or data[at] == 10 or data[at] == 13):
            at += 1
        if at != stop:
            continue
        parameters[i] = _message(room, size, bits, values)
        if parameters[i] < 0:
            continue
        fits_single = True
        fits_double = True
        sound = True
        for half in range(2):
            time = values[half, 2]
            sound &= 0.0 <= time < np.inf
            seconds[i, half] = time
            for metric in range(3):
                value = values[half, metric + 3]
                k = 0
                if 0.0 <= value <= 1.0:
                    k = int(value * 9984.0 + 0.5)
                fits_single &= single[k] == value
                fits_double &= double[k] == value
                accuracies[i, half, metric] = k
        is_single[i] = fits_single
        is_double[i] = fits_double
        odd[i] = not (sound and (fits_single or fits_double))
