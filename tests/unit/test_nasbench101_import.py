"""The official file's importer: exact values, every kind of damage."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from bench.plain import tfrecord as plain
from nas_bench_suite import Lookups, load_benchmark
from nas_bench_suite.benchmarks.nasbench101 import records, tablefile, tfrecord
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench101.table import NASBench101
from nas_bench_suite.checks import ConfigError
from tests.made_up import CELLS, write
from tests.made_up import payloads as made_up


def refused(path: Path, match: str, partial: bool = True) -> str:
    """The sentence with which an import is refused; nothing is left behind."""
    target = path.parent / "target" / "some.table"
    with pytest.raises(ConfigError, match=match) as caught:
        import_file(path, target, partial=partial)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not target.parent.exists()
    return str(caught.value)


def load(path: Path) -> NASBench101:
    table = load_benchmark("nasbench101", path=path)
    assert isinstance(table, NASBench101)
    return table


def assert_equal_to_plain(table: NASBench101, path: Path) -> None:
    fixed, computed = plain.read(path)
    space = table.space
    ids = space.from_official_hash(list(fixed))
    assert isinstance(ids, np.ndarray)
    rows = table.rows(ids)
    assert len(ids) == len(table.arrays["cells"])
    for name, cell, row in zip(fixed, ids, rows):
        assert table.arrays["parameters"][row] == fixed[name]["trainable_parameters"]
        assert table.fidelities == tuple(sorted(computed[name]))
        for epochs, points in computed[name].items():
            for run, point in enumerate(points):
                got = table.query(Lookups(cell, run, epochs))
                assert (float(got.validation), float(got.test), float(got.seconds)) == (
                    point["final_validation_accuracy"],
                    point["final_test_accuracy"],
                    point["final_training_time"],
                )
            mean = table.query(Lookups(cell, "mean", epochs))
            assert mean.validation == pytest.approx(
                np.mean([point["final_validation_accuracy"] for point in points]), abs=1e-15
            )
            assert mean.test == pytest.approx(
                np.mean([point["final_test_accuracy"] for point in points]), abs=1e-15
            )
            assert mean.seconds == pytest.approx(
                np.mean([point["final_training_time"] for point in points]), rel=1e-14
            )


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("budgets", [(108,), (4, 12, 36, 108), (12, 108)])
def test_values_are_kept_exactly(tmp_path: Path, budgets: tuple[int, ...], single: bool) -> None:
    path = write(
        tmp_path / "some.tfrecord", made_up(budgets=budgets, single=single, checkpoint=b"/model.ckpt-1" * 20)
    )
    header = import_file(path, tmp_path / "some.table", partial=True)
    assert header["source"]["records"] == 3 * len(budgets) * len(CELLS) and header["partial"]
    assert_equal_to_plain(load(tmp_path / "some.table"), path)


def test_seconds_that_need_double_precision(tmp_path: Path) -> None:
    payloads = made_up(cells=(7,), runs=2)
    matrix, ops = NASBench101Space().graph(NASBench101Space().architecture(7))
    name = NASBench101Space().official_hash(7)
    assert isinstance(name, str)
    half, final = (1 / 3, *records.SINGLE[[1, 2, 3]]), (2 / 3, *records.SINGLE[[4, 5, 6]])
    payloads.append(plain.payload(name, 108, matrix, ops, 300_007, half, final))
    path = write(tmp_path / "some.tfrecord", payloads)
    import_file(path, tmp_path / "some.table", partial=True)
    table = load(tmp_path / "some.table")
    assert table.arrays["seconds"].dtype == np.float64
    assert_equal_to_plain(table, path)


def test_thirty_real_cells(tmp_path: Path, shared_data: Path) -> None:
    space, payloads = NASBench101Space(), []
    with open(shared_data / "nasbench101" / "three_runs_of_30_cells.csv") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        matrix, ops = space.graph(space.architecture(space.from_official_hash(line["hash"])))
        half, final = (
            tuple(
                float(line[f"{part}_{name}"])
                for name in ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
            )
            for part in ("halfway", "final")
        )
        payloads.append(plain.payload(line["hash"], 108, matrix, ops, int(line["params"]), half, final))
    path = write(tmp_path / "thirty.tfrecord", payloads)
    header = import_file(path, tmp_path / "thirty.table", partial=True)
    assert header["precision"] == "single"
    table = load(tmp_path / "thirty.table")
    assert table.arrays["seconds"].dtype == np.float32
    assert_equal_to_plain(table, path)
    for run, line in enumerate(lines[:3]):
        got = table.query(Lookups(np.asarray(space.from_official_hash(line["hash"])), run))
        assert got.test == float(line["final_test_accuracy"]) and got.seconds == float(
            line["final_training_time"]
        )


def test_blocks_of_any_size_give_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "some.tfrecord", made_up())
    whole = [b.data[a:z].tobytes() for b in tfrecord.read_blocks(path) for a, z in zip(b.starts, b.stops)]
    for size in (1, 7, 100, 450, 1000, 4096):
        pieces = [
            b.data[a:z].tobytes() for b in tfrecord.read_blocks(path, size) for a, z in zip(b.starts, b.stops)
        ]
        assert pieces == whole == made_up()


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    good = b"".join(plain.framed(item) for item in made_up(cells=(1,)))
    path = tmp_path / "flipped.tfrecord"
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        sentence = refused(path, r"record \d|no TFRecord file")
        assert "Traceback" not in sentence


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    items = made_up(cells=(1,))
    good = b"".join(plain.framed(item) for item in items)
    whole = np.cumsum([len(plain.framed(item)) for item in items])
    path = tmp_path / "cut.tfrecord"
    for length in range(len(good)):
        path.write_bytes(good[:length])
        if length == 0:
            refused(path, "is empty")
        elif length in whole:
            refused(path, r"[12] of 3 runs of cell [0-9a-f]{32} at 108 epochs")
        else:
            record = int(np.searchsorted(whole, length, side="right")) + 1
            assert f"record {record}, which starts at byte" in refused(path, "truncated"), length


def test_the_place_of_damage_is_named(tmp_path: Path) -> None:
    items = made_up()
    starts = np.cumsum([0] + [len(plain.framed(item)) for item in items])
    good = b"".join(plain.framed(item) for item in items)
    for record in (0, 1, 11, 26):
        damaged = bytearray(good)
        damaged[starts[record] + 100] ^= 4
        path = tmp_path / "bad.tfrecord"
        path.write_bytes(damaged)
        for size in (500, 1 << 20):
            with pytest.raises(
                ConfigError,
                match=f"record {record + 1}, at byte {starts[record]}: the checksum of the payload",
            ):
                list(tfrecord.read_blocks(path, size))
        damaged = bytearray(good)
        damaged[starts[record] + 3] ^= 4
        path.write_bytes(damaged)
        match = (
            "no TFRecord"
            if record == 0
            else f"record {record + 1}, byte {starts[record]}: the checksum of the length"
        )
        with pytest.raises(ConfigError, match=match):
            list(tfrecord.read_blocks(path, 500))
    path.write_bytes(good + plain.framed(b"x" * (2 << 20)))
    with pytest.raises(ConfigError, match="payload of 2097152 bytes at record 28"):
        list(tfrecord.read_blocks(path))


def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(tmp_path / "absent.tfrecord", "does not exist")
    refused(tmp_path, "is a folder")
    page = tmp_path / "page.tfrecord"
    page.write_text("<!doctype html><title>Sorry</title>" * 40)
    refused(page, "no TFRecord file")
    refused(
        write(tmp_path / "other.tfrecord", [b"not json"]), r"record 1, at byte 0: the payload is not JSON"
    )
    refused(
        write(tmp_path / "other.tfrecord", made_up() + [b"[1, 2]"]),
        r"record 28, at byte \d+: the payload is not a list of five",
    )
    unreadable = tmp_path / "unreadable.tfrecord"

    def denied(*_args: object, **_kwargs: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    unreadable.write_bytes(b"x")
    monkeypatch.setattr("builtins.open", denied)
    refused(unreadable, "cannot be read: Permission denied")


def test_whole_and_part(tmp_path: Path) -> None:
    path = write(tmp_path / "some.tfrecord", made_up())
    refused(
        path,
        r"holds 9 of 423,624 cells; accepted: the whole file, or a part of it with --partial",
        partial=False,
    )


def test_duplicates(tmp_path: Path) -> None:
    items = made_up()
    path = tmp_path / "twice.tfrecord"
    refused(
        write(path, items + items),
        r"record 28, at byte \d+: cell [0-9a-f]{32} has more than three runs of 108 epochs",
    )
    refused(write(path, items[:2] + items[1:2] + items[3:]), "record 3, at byte .* repeats an earlier record")
    refused(write(path, items[:-1]), "holds 2 of 3 runs of cell")
    refused(write(path, made_up(budgets=(12, 108))[:-3]), "holds 0 of 3 runs of cell .* at 108 epochs")


def changed(item: bytes, place: int, value: Any) -> bytes:
    fields = json.loads(item)
    fields[place] = value
    return json.dumps(fields).encode()


def with_metrics(
    item: bytes,
    half: Sequence[float] | None = None,
    final: Sequence[float] | None = None,
    parameters: int | None = None,
) -> bytes:
    good = (10.0, *records.SINGLE[[9000, 9001, 9002]])
    own = plain._message(base64.b64decode(json.loads(item)[4]))[2][0]
    message = plain.metrics(parameters or own, half or good, final or good)
    return changed(item, 4, base64.b64encode(message).decode())


def test_wrong_records(tmp_path: Path) -> None:
    items = made_up()
    item, path = items[4], tmp_path / "wrong.tfrecord"
    g, d = records.SINGLE[[9000, 9001, 9002]], records.DOUBLE[[9000, 9001, 9002]]
    wrong = {
        "hash .* is not the one of its matrix": changed(item, 0, "0" * 32),
        "hash 'xyz' is not 32": changed(item, 0, "xyz"),
        "50 epochs are none of 4, 12, 36, 108": changed(item, 1, 50),
        "epochs '108' are not a positive whole number": changed(item, 1, "108"),
        "no square matrix": changed(item, 2, "0101"[:3]),
        "not upper triangular": changed(item, 2, "0110"),
        "do not fit": changed(item, 3, "input,output,output,output,output,output,output,output"),
        "'conv5x5' is none of conv1x1-bn-relu": changed(
            changed(item, 2, "010001000"), 3, "input,conv5x5,output"
        ),
        "no pruned cell": changed(changed(item, 2, "001000000"), 3, "input,maxpool3x3,output"),
        "not a base64": changed(item, 4, "a"),
        "not a protobuf": changed(item, 4, base64.b64encode(b"\x0a\xff\x01").decode()),
        "0 evaluations where three": changed(item, 4, base64.b64encode(b"\x10\x05").decode()),
        "trainable parameters None": changed(item, 4, ""),
        "test accuracy 0.93 is no multiple of 1/9984": with_metrics(item, final=(10.0, g[0], g[1], 0.93)),
        "half-way validation accuracy nan": with_metrics(item, half=(10.0, g[0], float("nan"), g[2])),
        "half-way train accuracy 1.5 ": with_metrics(item, half=(10.0, 1.5, g[1], g[2])),
        "train accuracy -0.5 ": with_metrics(item, half=(10.0, -0.5, g[1], g[2])),
        "final training time inf": with_metrics(item, final=(float("inf"), *g)),
        "final training time -1.0": with_metrics(item, final=(-1.0, *g)),
        "some accuracies are stored in single": with_metrics(
            item, final=(1.0, g[0], g[1], records.DOUBLE[9002])
        ),
        "not stored in single precision like": with_metrics(item, (10.0, *d), (20.0, *d)),
        "another number in an earlier record": with_metrics(item, parameters=12),
    }
    for match, bad in wrong.items():
        sentence = refused(write(path, items[:4] + [bad] + items[5:]), match)
        assert f"record 5, at byte {sum(len(plain.framed(good)) for good in items[:4])}" in sentence, sentence


def test_nudging_an_accuracy_off_the_grid_is_noticed(tmp_path: Path) -> None:
    value = np.nextafter(records.SINGLE[9000], 1)
    bad = with_metrics(made_up()[0], final=(10.0, *records.SINGLE[[1, 2]], value))
    refused(write(tmp_path / "off.tfrecord", [bad]), "no multiple of 1/9984")


def test_other_layouts_of_json_are_read_alike(tmp_path: Path) -> None:
    items = made_up()
    path = write(tmp_path / "plain.tfrecord", items)
    import_file(path, tmp_path / "plain.table", partial=True)
    wanted = tablefile.read(tmp_path / "plain.table")[0]["checksum"]
    layouts = {
        "compact": [json.dumps(json.loads(item), separators=(",", ":")).encode() for item in items],
        "indented": [json.dumps(json.loads(item), indent=2).encode() + b"\n" for item in items],
        "lines": [
            changed(item, 4, base64.encodebytes(base64.b64decode(json.loads(item)[4])).decode())
            for item in items
        ],
        "escaped": [item.replace(b"input", b"\\u0069nput") for item in items],
        "slashes": [item.replace(b"/", b"\\/") for item in items],
        "short names": [item.replace(b"-bn-relu", b"") for item in items],
    }
    for name, payloads in layouts.items():
        import_file(write(tmp_path / "other.tfrecord", payloads), tmp_path / "other.table", partial=True)
        assert tablefile.read(tmp_path / "other.table")[0]["checksum"] == wanted, name


def test_the_compiled_pass_never_accepts_what_the_plain_one_refuses() -> None:
    rng = np.random.default_rng(11)
    originals = made_up(checkpoint=None) + made_up(checkpoint=b"a/b")
    payloads = list(originals)
    for _ in range(4000):
        item = bytearray(originals[rng.integers(len(originals))])
        for _ in range(rng.integers(1, 3)):
            kind, at = rng.integers(4), int(rng.integers(len(item)))
            if kind == 0:
                item[at] = rng.integers(256)
            elif kind == 1:
                del item[at]
            elif kind == 2:
                item.insert(at, int(rng.integers(32, 127)))
            else:
                item[at] = item[int(rng.integers(len(item)))]
        payloads.append(bytes(item))
    data = np.frombuffer(b"".join(payloads), dtype=np.uint8)
    stops = np.cumsum([len(item) for item in payloads])
    starts = stops - [len(item) for item in payloads]
    parsed = records.empty(len(payloads))
    odd = np.zeros(len(payloads), dtype=bool)
    records.parse_all(data, starts, stops, records.ALPHABET, odd, parsed)
    assert not odd[: len(originals)].any()
    changed_values = 0
    for i in np.flatnonzero(~odd):
        for column, value in zip(parsed, records.parse_payload(payloads[i])):
            np.testing.assert_array_equal(column[i], value[0])
        changed_values += int(i >= len(originals))
    assert changed_values > 100  # mutations that still make a record, so that the comparison bites
