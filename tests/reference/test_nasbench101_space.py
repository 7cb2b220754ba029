"""The space against its plain twin and against published hashes and counts."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.plain import nasbench101 as plain
from nas_bench_suite.benchmarks.nasbench101 import cells as cell_tables
from nas_bench_suite.benchmarks.nasbench101 import hashing
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space, enumeration_checksum
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.streams import Streams

strings = st.builds(
    lambda edges, ops: np.array(edges + ops),
    st.lists(st.integers(0, 1), min_size=21, max_size=21),
    st.lists(st.integers(0, 2), min_size=5, max_size=5),
)


@pytest.fixture(scope="module")
def space() -> NASBench101Space:
    return NASBench101Space()


def test_counts(space: NASBench101Space) -> None:
    assert space.num_cells == 423_624
    assert np.bincount(space.cell_vertices)[2:].tolist() == [1, 6, 84, 2_441, 62_010, 359_082]
    valid = int((space._cells.packed != space._cells.invalid).sum()) * 243
    assert valid == 373_754_169
    raw = NASBench101Space("raw")
    assert abs(int((raw._packed != raw._cells.invalid).sum()) / 2**21 - 0.273) < 1e-3


def test_enumeration_is_the_one_that_artefacts_rely_on() -> None:
    fresh = cell_tables.enumerate_cells()
    assert fresh.checksum() == cell_tables.CHECKSUM == enumeration_checksum()
    for name, array in cell_tables.cells()._asdict().items():
        np.testing.assert_array_equal(array, getattr(fresh, name), err_msg=name)


@pytest.mark.parametrize("edge_limit", ["pruned", "raw"])
def test_representatives_map_to_themselves(edge_limit: str) -> None:
    space = NASBench101Space(edge_limit)
    ids = np.arange(space.num_cells)
    rows = space.architecture(ids)
    np.testing.assert_array_equal(space.cell_id(rows), ids)
    np.testing.assert_array_equal(space.cell_id(rows.astype(np.int8)), ids)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(strings)
def test_validity_and_hash_equal_the_plain_procedure(row: np.ndarray) -> None:
    for edge_limit in ("pruned", "raw"):
        space = NASBench101Space(edge_limit)
        wanted = plain.hash_string(row.tolist(), edge_limit)
        cell = int(space.cell_id(row))
        assert (cell >= 0) == (wanted is not None) == bool(space.is_valid(row))
        if wanted is not None:
            assert space.official_hash(cell) == wanted
            assert space.from_official_hash(wanted) == cell


def test_random_strings_equal_the_plain_procedure(space: NASBench101Space) -> None:
    rows = space.sample_rng(np.random.default_rng(3), 400)
    wanted = [plain.hash_string(row) for row in rows.tolist()]
    hashes = space.official_hash(space.cell_id(rows))
    assert isinstance(hashes, np.ndarray)
    assert hashes.tolist() == wanted
    again = space.from_official_hash(hashes.tolist())
    np.testing.assert_array_equal(again, space.cell_id(rows))


def test_every_order_of_the_inner_vertices_gives_the_same_cell(space: NASBench101Space) -> None:
    rng = np.random.default_rng(5)
    for row in space.sample_rng(rng, 30):
        rows_of_matrix, labels = plain.graph_of_string(row.tolist())
        matrix = np.array(rows_of_matrix)
        for inner in itertools.permutations(range(1, 6)):
            order = [0, *inner, 6]
            moved = matrix[np.ix_(order, order)]
            if not np.tril(moved).any():
                assert space.cell_id(space.from_graph(moved, [labels[v] for v in order])) == space.cell_id(
                    row
                )


def test_published_hashes_of_25000_cells(space: NASBench101Space, shared_data: Path) -> None:
    rows, hashes = [], []
    with gzip.open(shared_data / "nasbench101" / "observed_25000_cells.csv.gz", "rt") as file:
        for line in csv.DictReader(file):
            n = int(line["n_vertices"])
            matrix = np.array(list(line["adjacency"]), dtype=int).reshape(n, n)
            rows.append(space.from_graph(matrix, line["ops"].split(",")))
            hashes.append(line["hash"])
    ids = space.cell_id(np.array(rows))
    assert len(np.unique(ids)) == 25_000
    found = space.official_hash(ids)
    assert isinstance(found, np.ndarray)
    assert found.tolist() == hashes
    np.testing.assert_array_equal(space.from_official_hash(hashes), ids)


def test_published_hashes_of_the_91_small_cells(space: NASBench101Space, shared_data: Path) -> None:
    seen = {}
    with open(shared_data / "nasbench101" / "mean_of_3_all_91_four_vertex_cells.csv") as file:
        for line in csv.DictReader(file):
            n = int(len(line["adjacency"]) ** 0.5)
            row = space.from_graph(
                np.array(list(line["adjacency"]), dtype=int).reshape(n, n), line["ops"].split(",")
            )
            seen[int(space.cell_id(row))] = line["hash"]
    assert sorted(seen) == list(range(91))
    assert [space.official_hash(cell) for cell in range(91)] == [seen[cell] for cell in range(91)]


def test_all_hashes_differ_and_equal_hashlib(space: NASBench101Space) -> None:
    digests = hashing.all_digests()
    assert len(np.unique(digests, axis=0)) == 423_624
    assert hashing.digests_checksum(digests) == hashing.CHECKSUM
    # the one-by-one path of hashlib against the kernel's table, sizes of every kind
    for n in range(2, 8):
        ids = np.flatnonzero(space.cell_vertices == n)
        some = np.unique(np.random.default_rng(n).choice(ids, min(60, len(ids))))
        assert hashing.hex_digests(space._cells, some).tolist() == [
            digests[cell].tobytes().hex() for cell in some
        ]


def test_hash_kernel_itself() -> None:
    """The table may come from the cache folder, so run the kernel on a few groups of cells."""
    tables = cell_tables.cells()
    starts = np.flatnonzero(np.diff(tables.forms, prepend=-1))
    some = starts[[0, 3, 20, 200, 1500]]
    for start in some:
        stop = starts[np.searchsorted(starts, start, side="right")]
        out = np.zeros((len(tables.forms), 16), dtype=np.uint8)
        bounds = np.array([start, stop])
        hashing._hash_all(bounds, tables, hashing.CONSTANTS, out)
        np.testing.assert_array_equal(out[start:stop], hashing.all_digests()[start:stop])


def test_unknown_hashes_are_refused(space: NASBench101Space) -> None:
    known = space.official_hash(7)
    assert isinstance(known, str)
    for wrong in ("", "0" * 32, known.upper(), known[:-1], known + "0", "é" * 32):
        with pytest.raises(ConfigError, match="official hash"):
            space.from_official_hash(wrong)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(strings)
def test_path_encoding_equals_a_walk(row: np.ndarray) -> None:
    space = NASBench101Space()
    wanted = np.zeros(364, dtype=np.int64)
    for sequence in plain.paths_of_string(row.tolist()):
        wanted[sum(3**j for j in range(len(sequence))) + sum(3**i * op for i, op in enumerate(sequence))] += 1
    np.testing.assert_array_equal(space.path_counts(row), wanted)
    np.testing.assert_array_equal(space.encode(row, "path"), wanted > 0)


def test_graph_round_trip(space: NASBench101Space) -> None:
    rows = space.sample_rng(np.random.default_rng(1), 200)
    for row in rows:
        matrix, labels = space.graph(row)
        pruned = plain.prune(*plain.graph_of_string(row.tolist()))
        assert (matrix.tolist(), labels) == pruned
        assert space.cell_id(space.from_graph(matrix, labels)) == space.cell_id(row)
        assert space.cell_id(
            space.from_graph(matrix, [f"{op}-bn-relu" if "conv" in op else op for op in labels])
        ) == space.cell_id(row)


def test_encodings_have_their_shapes(space: NASBench101Space) -> None:
    rows = space.sample_rng(np.random.default_rng(0), (3, 4))
    assert space.encode(rows).shape == (3, 4, 57)
    adjacency = space.encode(rows, "adjacency")
    assert adjacency.shape == (3, 4, 36) and adjacency.dtype == np.float32
    np.testing.assert_array_equal(adjacency[..., :21], rows[..., :21])
    np.testing.assert_array_equal(adjacency[..., 21:].reshape(3, 4, 5, 3).argmax(-1), rows[..., 21:])
    assert space.encode(rows, "path").shape == (3, 4, 364)
    with pytest.raises(ConfigError, match="one_hot"):
        space.encode(rows, "onehot")


@pytest.mark.parametrize("edge_limit", ["pruned", "raw"])
def test_sampling_is_uniform_over_valid_strings(edge_limit: str) -> None:
    space = NASBench101Space(edge_limit)
    packed, invalid = space._packed, space._cells.invalid
    bits = (np.arange(2**21)[packed != invalid][:, None] >> np.arange(21)) & 1
    expected = bits.mean(axis=0)
    for rows in (
        space.sample(Streams(1, 40), 500).reshape(-1, 26),
        space.sample_rng(np.random.default_rng(2), 20_000),
    ):
        assert space.is_valid(rows).all()
        z = (rows[:, :21].mean(axis=0) - expected) / np.sqrt(expected * (1 - expected) / len(rows))
        assert np.abs(z).max() < 4.8  # 21 comparisons at p = 1.6e-6 each
        shares = np.stack([(rows[:, 21:] == op).mean(axis=0) for op in range(3)])
        assert np.abs(shares - 1 / 3).max() < 4.8 * np.sqrt(2 / 9 / len(rows))


def test_a_trial_draws_from_its_own_stream(space: NASBench101Space) -> None:
    together = space.sample(Streams(7, 5), 6)
    alone = space.sample(Streams(7, 1, first_trial=3), 6)
    np.testing.assert_array_equal(together[3:4], alone)
    streams = Streams(7, 5)
    some = space.sample(streams, 4, rows=np.array([1, 3]))
    np.testing.assert_array_equal(some, together[[1, 3], :4])
    rest = space.sample(streams, 2)
    np.testing.assert_array_equal(rest[[1, 3]], together[[1, 3], 4:])
    np.testing.assert_array_equal(rest[[0, 2, 4]], together[[0, 2, 4], :2])


def test_values_out_of_range_are_invalid(space: NASBench101Space) -> None:
    row = space.architecture(5000)
    for place, value in [(0, 2), (3, -1), (20, 7), (21, 3), (25, -1), (23, 2**40), (4, 2**40)]:
        wrong = row.copy()
        wrong[place] = value
        assert space.cell_id(wrong) == -1
    for place in range(21, 26):
        for value in range(4):
            changed = row.copy()
            changed[place] = value
            assert (space.cell_id(changed) >= 0) == (value < 3)


def test_bad_input_gets_a_sentence(space: NASBench101Space) -> None:
    with pytest.raises(ConfigError, match=r"\[\.\.\., 26\]"):
        space.cell_id(np.zeros((3, 25), dtype=int))
    with pytest.raises(ConfigError, match="423623"):
        space.architecture(423_624)
    with pytest.raises(ConfigError, match="no valid string"):
        space.graph(np.zeros(26, dtype=int))
    with pytest.raises(ConfigError, match="upper triangular"):
        space.from_graph(np.ones((3, 3)), ["input", "conv1x1", "output"])
    with pytest.raises(ConfigError, match="did you mean 'conv3x3'"):
        space.from_graph(np.triu(np.ones((3, 3)), 1), ["input", "conv3x4", "output"])
    with pytest.raises(ConfigError, match="from 2 to 7"):
        space.from_graph(np.zeros((8, 8)), ["input"] * 8)
    with pytest.raises(ConfigError, match="pruned, raw"):
        NASBench101Space("prune")


def test_cache_is_only_a_shortcut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas_bench_suite.benchmarks.nasbench101 import cache

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    make = cell_tables.cells.__wrapped__
    first = make()
    (path,) = cache.cache_folder().iterdir()  # one file, no temporary left
    again = make()
    np.testing.assert_array_equal(first.ids, again.ids)
    damaged = bytearray(path.read_bytes())
    for position in (10, len(damaged) // 2, len(damaged) - 30):
        copy = bytearray(damaged)
        copy[position] ^= 16
        path.write_bytes(copy)
        np.testing.assert_array_equal(make().ids, first.ids)
    path.write_bytes(b"")
    np.testing.assert_array_equal(make().ids, first.ids)
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    np.testing.assert_array_equal(make().ids, first.ids)
