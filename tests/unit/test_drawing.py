"""Drawing until a string is valid, and the hash tables of the kernels: against plain loops."""

from typing import Any

import numpy as np
import pytest

from nas_bench_suite import Streams, hash_table, load_benchmark
from nas_bench_suite.drawing import draw_valid

N = 3


class Source:
    """A row's strings are the row's own sequence, cut into rounds of D; multiples of three are valid."""

    def __init__(self, rows: int, at_once: int) -> None:
        self.sequences = np.random.default_rng(0).integers(0, 6, size=(rows, 1000, N))
        self.at_once, self.next = at_once, np.zeros(rows, dtype=np.int64)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        begin = self.next[rows]
        self.next[rows] += self.at_once
        return np.stack([self.sequences[r, b : b + self.at_once] for r, b in zip(rows, begin)])

    @staticmethod
    def valid(strings: np.ndarray) -> Any:
        return (strings % 3 == 0).all(axis=-1)


def plain(sequence: np.ndarray, wanted: int, limit: int) -> tuple[list[list[int]], int]:
    found: list[list[int]] = []
    rejected = 0
    for string in sequence:
        if len(found) == wanted or rejected == limit:
            break
        if Source.valid(string):
            found.append(string.tolist())
        else:
            rejected += 1
    return found, rejected


@pytest.mark.parametrize("limit", [20, 10_000])
@pytest.mark.parametrize("at_once", [1, 7])
def test_each_row_takes_its_first_valid_strings(at_once: int, limit: int) -> None:
    wanted = np.array([2, 0, 5, 1])
    source = Source(len(wanted), at_once)
    drawn = draw_valid(source, source.valid, wanted, N, limit)
    assert drawn.strings.shape == (4, 5, N) and source.next[1] == 0
    for r in range(len(wanted)):
        found, rejected = plain(source.sequences[r], wanted[r], limit)
        assert drawn.strings[r, : drawn.given[r]].tolist() == found and drawn.rejected[r] == rejected
        assert not drawn.strings[r, drawn.given[r] :].any()


def test_a_row_gives_up_and_the_others_go_on() -> None:
    source = Source(2, 4)
    source.sequences[0] = 1
    source.sequences[1, 10] = 3
    drawn = draw_valid(source, source.valid, np.array([1, 1]), N, 50)
    assert drawn.given.tolist() == [0, 1] and drawn.rejected[0] == 50 and source.next[0] == 52


def test_without_a_check_every_string_is_taken() -> None:
    source = Source(2, 4)
    drawn = draw_valid(source, None, np.array([3, 6]), N)
    assert drawn.given.tolist() == [3, 6] and not drawn.rejected.any() and source.next.tolist() == [4, 8]
    np.testing.assert_array_equal(drawn.strings[1], source.sequences[1, :6])
    assert draw_valid(source, None, np.zeros(2, dtype=np.int64), N).strings.shape == (2, 0, N)


def test_tables_hold_what_was_entered() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.permutation(np.concatenate([np.arange(-40, 40), rng.integers(-(2**62), 2**62, 20)]))
    keys = hash_table.empty_keys(1, 100)
    values = np.zeros(keys.shape, dtype=np.int32)
    for i, key in enumerate(numbers):
        at = hash_table.slot(keys[0], key)
        assert keys[0, at] == hash_table.EMPTY
        keys[0, at], values[0, at] = key, i
    larger = hash_table.empty_keys(1, 1000)
    moved = np.zeros(larger.shape, dtype=np.int32)
    hash_table.move(keys, values, larger, moved)
    places = hash_table.empty_places(1, 100)
    hash_table.fill_places(np.array([len(numbers)]), numbers[None], places)
    for i, key in enumerate(numbers):
        assert values[0, hash_table.slot(keys[0], key)] == i
        assert moved[0, hash_table.slot(larger[0], key)] == i
        assert places[0, hash_table.place_slot(places[0], numbers, key)] == i
    assert places[0, hash_table.place_slot(places[0], numbers, 999)] == -1
    assert keys.shape[1] >= 200 and keys.shape[1] & (keys.shape[1] - 1) == 0


def test_a_space_gives_strings_of_the_promised_shape_also_to_nobody() -> None:
    space, streams = load_benchmark("planted").space, Streams(3, 4)
    for rows in ([], [2], [0, 3]):
        for count in (0, 1, 5):
            strings = space.sample(streams, count, rows=np.array(rows, dtype=np.int64))
            assert strings.shape == (len(rows), count, space.num_variables)
            assert space.is_valid(strings).all()
