"""The official file's importer: exact values, every kind of damage, the mapped table, the commands."""

from __future__ import annotations

import base64
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nas_bench_suite import load_benchmark
from nas_bench_suite.benchmarks.nasbench101 import records, tablefile, tfrecord
from nas_bench_suite.benchmarks.nasbench101.__main__ import main
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.config import ConfigError
from tests.reference import tfrecord_plain as plain

CELLS = (0, 3, 50, 90, 2_000, 40_000, 64_500, 300_000, 423_623)


def made_up(cells=CELLS, budgets=(108,), seed=0, runs=3, single=True, checkpoint=None):
    """Payloads of cells with random values, in random order of cells."""
    space, rng = NASBench101Space(), np.random.default_rng(seed)
    grid = records.SINGLE if single else records.DOUBLE
    out = []
    for cell in rng.permutation(cells):
        matrix, ops = space.graph(space.architecture(int(cell)))
        for budget in budgets:
            for _ in range(runs):
                k = rng.integers(0, 9985, 6)
                half, final = rng.uniform(1, 4000, 2).astype(np.float32).astype(float)
                values = (half, *grid[k[:3]]), (final, *grid[k[3:]])
                name, parameters = space.official_hash(int(cell)), 300_000 + int(cell)
                out.append(plain.payload(name, budget, matrix, ops, parameters, *values, checkpoint))
    return out


def write(path: Path, payloads) -> Path:
    plain.write(path, payloads)
    return path


def refused(path: Path, match: str, partial: bool = True) -> str:
    """The sentence with which an import is refused; nothing is left behind."""
    target = path.parent / "target" / "some.table"
    with pytest.raises(ConfigError, match=match) as caught:
        import_file(path, target, partial=partial)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert not target.parent.exists()
    return str(caught.value)


def assert_equal_to_plain(table, path: Path) -> None:
    fixed, computed = plain.read(path)
    space = table.space
    ids = space.from_official_hash(list(fixed))
    rows = table.rows(ids)
    assert len(ids) == len(table.arrays["cells"])
    for name, cell, row in zip(fixed, ids, rows):
        assert table.arrays["parameters"][row] == fixed[name]["trainable_parameters"]
        assert table.fidelities == tuple(sorted(computed[name]))
        for epochs, points in computed[name].items():
            for run, point in enumerate(points):
                got = table.query(cell, run, epochs)
                assert (got.validation, got.test, got.seconds) == (
                    point["final_validation_accuracy"],
                    point["final_test_accuracy"],
                    point["final_training_time"],
                )
            mean = table.query(cell, "mean", epochs)
            assert mean.validation == pytest.approx(np.mean([point["final_validation_accuracy"] for point in points]), abs=1e-15)
            assert mean.test == pytest.approx(np.mean([point["final_test_accuracy"] for point in points]), abs=1e-15)
            assert mean.seconds == pytest.approx(np.mean([point["final_training_time"] for point in points]), rel=1e-14)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("budgets", [(108,), (4, 12, 36, 108), (12, 108)])
def test_values_are_kept_exactly(tmp_path, budgets, single):
    path = write(tmp_path / "some.tfrecord", made_up(budgets=budgets, single=single, checkpoint=b"/model.ckpt-1" * 20))
    header = import_file(path, tmp_path / "some.table", partial=True)
    assert header["source"]["records"] == 3 * len(budgets) * len(CELLS) and header["partial"]
    assert_equal_to_plain(load_benchmark("nasbench101", path=tmp_path / "some.table"), path)


def test_seconds_that_need_double_precision(tmp_path):
    payloads = made_up(cells=(7,), runs=2)
    matrix, ops = NASBench101Space().graph(NASBench101Space().architecture(7))
    half, final = (1 / 3, *records.SINGLE[[1, 2, 3]]), (2 / 3, *records.SINGLE[[4, 5, 6]])
    payloads.append(plain.payload(NASBench101Space().official_hash(7), 108, matrix, ops, 300_007, half, final))
    path = write(tmp_path / "some.tfrecord", payloads)
    import_file(path, tmp_path / "some.table", partial=True)
    table = load_benchmark("nasbench101", path=tmp_path / "some.table")
    assert table.arrays["seconds"].dtype == np.float64
    assert_equal_to_plain(table, path)


def test_thirty_real_cells(tmp_path, shared_data):
    space, payloads = NASBench101Space(), []
    with open(shared_data / "nasbench101" / "three_runs_of_30_cells.csv") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        matrix, ops = space.graph(space.architecture(space.from_official_hash(line["hash"])))
        values = [
            tuple(float(line[f"{part}_{name}"]) for name in ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy"))
            for part in ("halfway", "final")
        ]
        payloads.append(plain.payload(line["hash"], 108, matrix, ops, int(line["params"]), *values))
    path = write(tmp_path / "thirty.tfrecord", payloads)
    header = import_file(path, tmp_path / "thirty.table", partial=True)
    assert header["precision"] == "single"
    table = load_benchmark("nasbench101", path=tmp_path / "thirty.table")
    assert table.arrays["seconds"].dtype == np.float32
    assert_equal_to_plain(table, path)
    for run, line in enumerate(lines[:3]):
        got = table.query(space.from_official_hash(line["hash"]), run)
        assert got.test == float(line["final_test_accuracy"]) and got.seconds == float(line["final_training_time"])


def test_blocks_of_any_size_give_the_same(tmp_path):
    path = write(tmp_path / "some.tfrecord", made_up())
    whole = [b.data[a:z].tobytes() for b in tfrecord.read_blocks(path) for a, z in zip(b.starts, b.stops)]
    for size in (1, 7, 100, 450, 1000, 4096):
        pieces = [b.data[a:z].tobytes() for b in tfrecord.read_blocks(path, size) for a, z in zip(b.starts, b.stops)]
        assert pieces == whole == made_up()


def test_every_flipped_byte_is_noticed(tmp_path):
    good = b"".join(plain.framed(item) for item in made_up(cells=(1,)))
    path = tmp_path / "flipped.tfrecord"
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        sentence = refused(path, r"record \d|no TFRecord file")
        assert "Traceback" not in sentence


def test_every_truncation_is_noticed(tmp_path):
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


def test_the_place_of_damage_is_named(tmp_path):
    items = made_up()
    starts = np.cumsum([0] + [len(plain.framed(item)) for item in items])
    good = b"".join(plain.framed(item) for item in items)
    for record in (0, 1, 11, 26):
        damaged = bytearray(good)
        damaged[starts[record] + 100] ^= 4
        path = tmp_path / "bad.tfrecord"
        path.write_bytes(damaged)
        for size in (500, 1 << 20):
            with pytest.raises(ConfigError, match=f"record {record + 1}, at byte {starts[record]}: the checksum of the payload"):
                list(tfrecord.read_blocks(path, size))
        damaged = bytearray(good)
        damaged[starts[record] + 3] ^= 4
        path.write_bytes(damaged)
        match = "no TFRecord" if record == 0 else f"record {record + 1}, byte {starts[record]}: the checksum of the length"
        with pytest.raises(ConfigError, match=match):
            list(tfrecord.read_blocks(path, 500))
    path.write_bytes(good + plain.framed(b"x" * (2 << 20)))
    with pytest.raises(ConfigError, match="payload of 2097152 bytes at record 28"):
        list(tfrecord.read_blocks(path))


def test_wrong_files(tmp_path, monkeypatch):
    refused(tmp_path / "absent.tfrecord", "does not exist")
    refused(tmp_path, "is a folder")
    page = tmp_path / "page.tfrecord"
    page.write_text("<!doctype html><title>Sorry</title>" * 40)
    refused(page, "no TFRecord file")
    refused(write(tmp_path / "other.tfrecord", [b"not json"]), r"record 1, at byte 0: the payload is not JSON")
    refused(write(tmp_path / "other.tfrecord", made_up() + [b"[1, 2]"]), r"record 28, at byte \d+: the payload is not a list of five")
    unreadable = tmp_path / "unreadable.tfrecord"

    def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    unreadable.write_bytes(b"x")
    monkeypatch.setattr("builtins.open", denied)
    refused(unreadable, "cannot be read: Permission denied")


def test_whole_and_part(tmp_path):
    path = write(tmp_path / "some.tfrecord", made_up())
    refused(path, r"holds 9 of 423,624 cells; accepted: the whole file, or a part of it with --partial", partial=False)


def test_duplicates(tmp_path):
    items = made_up()
    path = tmp_path / "twice.tfrecord"
    refused(write(path, items + items), r"record 28, at byte \d+: cell [0-9a-f]{32} has more than three runs of 108 epochs")
    refused(write(path, items[:2] + items[1:2] + items[3:]), "record 3, at byte .* repeats an earlier record")
    refused(write(path, items[:-1]), "holds 2 of 3 runs of cell")
    refused(write(path, made_up(budgets=(12, 108))[:-3]), "holds 0 of 3 runs of cell .* at 108 epochs")


def changed(item: bytes, place: int, value) -> bytes:
    fields = json.loads(item)
    fields[place] = value
    return json.dumps(fields).encode()


def with_metrics(item: bytes, half=None, final=None, parameters=None) -> bytes:
    good = (10.0, *records.SINGLE[[9000, 9001, 9002]])
    own = plain._message(base64.b64decode(json.loads(item)[4]))[2][0]
    message = plain.metrics(parameters or own, half or good, final or good)
    return changed(item, 4, base64.b64encode(message).decode())


def test_wrong_records(tmp_path):
    items = made_up()
    item, path = items[4], tmp_path / "wrong.tfrecord"
    g = records.SINGLE[[9000, 9001, 9002]]
    wrong = {
        "hash .* is not the one of its matrix": changed(item, 0, "0" * 32),
        "hash 'xyz' is not 32": changed(item, 0, "xyz"),
        "50 epochs are none of 4, 12, 36, 108": changed(item, 1, 50),
        "epochs '108' are not a positive whole number": changed(item, 1, "108"),
        "no square matrix": changed(item, 2, "0101"[:3]),
        "not upper triangular": changed(item, 2, "0110"),
        "do not fit": changed(item, 3, "input,output,output,output,output,output,output,output"),
        "'conv5x5' is none of conv1x1-bn-relu": changed(changed(item, 2, "010001000"), 3, "input,conv5x5,output"),
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
        "some accuracies are stored in single": with_metrics(item, final=(1.0, g[0], g[1], records.DOUBLE[9002])),
        "not stored in single precision like": with_metrics(item, *[(t, *records.DOUBLE[[9000, 9001, 9002]]) for t in (10.0, 20.0)]),
        "another number in an earlier record": with_metrics(item, parameters=12),
    }
    for match, bad in wrong.items():
        sentence = refused(write(path, items[:4] + [bad] + items[5:]), match)
        assert f"record 5, at byte {sum(len(plain.framed(good)) for good in items[:4])}" in sentence, sentence


def test_nudging_an_accuracy_off_the_grid_is_noticed(tmp_path):
    value = np.nextafter(records.SINGLE[9000], 1)
    bad = with_metrics(made_up()[0], final=(10.0, *records.SINGLE[[1, 2]], value))
    refused(write(tmp_path / "off.tfrecord", [bad]), "no multiple of 1/9984")


def test_other_layouts_of_json_are_read_alike(tmp_path):
    items = made_up()
    path = write(tmp_path / "plain.tfrecord", items)
    import_file(path, tmp_path / "plain.table", partial=True)
    wanted = tablefile.read(tmp_path / "plain.table")[0]["checksum"]
    layouts = {
        "compact": [json.dumps(json.loads(item), separators=(",", ":")).encode() for item in items],
        "indented": [json.dumps(json.loads(item), indent=2).encode() + b"\n" for item in items],
        "lines": [changed(item, 4, base64.encodebytes(base64.b64decode(json.loads(item)[4])).decode()) for item in items],
        "escaped": [item.replace(b"input", b"\\u0069nput") for item in items],
        "slashes": [item.replace(b"/", b"\\/") for item in items],
        "short names": [item.replace(b"-bn-relu", b"") for item in items],
    }
    for name, payloads in layouts.items():
        import_file(write(tmp_path / "other.tfrecord", payloads), tmp_path / "other.table", partial=True)
        assert tablefile.read(tmp_path / "other.table")[0]["checksum"] == wanted, name


def test_the_compiled_pass_never_accepts_what_the_plain_one_refuses():
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
    records.parse_all(data, starts, stops, records.SINGLE, records.DOUBLE, records._BASE64, records._NAMES, records._NAME_LENGTHS, odd, *parsed)
    assert not odd[: len(originals)].any()
    changed_values = 0
    for i in np.flatnonzero(~odd):
        for column, value in zip(parsed, records.parse_payload(payloads[i])):
            np.testing.assert_array_equal(column[i], value[0])
        changed_values += i >= len(originals)
    assert changed_values > 100  # mutations that still make a record, so that the comparison bites


def test_table_damage(tmp_path):
    path = write(tmp_path / "some.tfrecord", made_up(cells=(5, 6)))
    import_file(path, tmp_path / "some.table", partial=True)
    good = (tmp_path / "some.table").read_bytes()
    header, arrays = tablefile.read(tmp_path / "some.table")
    damaged = tmp_path / "damaged.table"
    noticed = 0
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << (position % 8)
        damaged.write_bytes(bad)
        try:
            other, values = tablefile.read(damaged)
        except ConfigError as error:
            assert "\n" not in str(error)
            noticed += 1
        else:  # padding
            assert other == header
            for name, array in arrays.items():
                np.testing.assert_array_equal(values[name], array)
    assert noticed > 0.7 * len(good)
    for length in (0, 10, 31, 40, len(good) // 2, len(good) - 64):
        damaged.write_bytes(good[:length])
        with pytest.raises(ConfigError, match=r"damaged|no NASBench-101 table|cannot be read"):
            tablefile.read(damaged)


def test_a_partial_table_knows_what_it_lacks(tmp_path):
    import_file(write(tmp_path / "some.tfrecord", made_up()), tmp_path / "some.table", partial=True)
    table = load_benchmark("nasbench101", path=str(tmp_path / "some.table"), edge_limit="raw")
    assert table.partial and table.facts()["partial"] and "PARTIAL: 9 of 423,624 cells" in table.facts()["description"]
    assert "is PARTIAL: it holds 9 of 423,624 cells" in table.facts()["notice"]
    with pytest.raises(ConfigError, match=r"cell 4 \([0-9a-f]{32}\) is missing from .*some.table, which is partial: it holds 9"):
        table.query(np.array([0, 4]), 0)
    for wrong in (-1, 423_624):
        with pytest.raises(ConfigError, match=f"cell id {wrong} is out"):
            table.query(wrong, 0)
    with pytest.raises(ConfigError, match=r"fidelity=12 .* accepted: 108"):
        table.query(0, 0, 12)
    for wrong in (3, -1, "median"):
        with pytest.raises(ConfigError, match=f"run={wrong}"):
            table.query(0, wrong)
    with pytest.raises(ConfigError, match="did you mean 'path'"):
        load_benchmark("nasbench101", pat="x")


def test_query_shapes(tmp_path):
    import_file(write(tmp_path / "some.tfrecord", made_up(budgets=(4, 108))), tmp_path / "some.table", partial=True)
    table = load_benchmark("nasbench101", path=tmp_path / "some.table")
    ids = np.array(CELLS[:8]).reshape(2, 4)
    runs = np.array([[0, 1, 2, 0], [1, 1, 0, 2]])
    budgets = np.array([[4], [108]])
    got = table.query(ids, runs, budgets)
    for i in np.ndindex(2, 4):
        one = table.query(int(ids[i]), int(runs[i]), int(budgets[i[0], 0]))
        assert [values[i] for values in got] == [float(value) for value in one]
    assert table.query(ids, "mean", budgets).test.shape == (2, 4)
    assert table.query(ids, 1).validation.dtype == np.float64


def test_two_processes_share_the_table(tmp_path):
    import_file(write(tmp_path / "some.tfrecord", made_up()), tmp_path / "some.table", partial=True)
    table = load_benchmark("nasbench101", path=tmp_path / "some.table")
    for array in table.arrays.values():
        assert not array.flags.owndata and not array.flags.writeable
    code = (
        "import sys; from nas_bench_suite import load_benchmark; t = load_benchmark('nasbench101', path=sys.argv[1]);"
        "print('ready', flush=True); sys.stdin.readline(); print(t.query(t.arrays['cells'].astype(int), 2).test.tolist())"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, tmp_path / "some.table"], stdin=-1, stdout=-1, text=True) for _ in range(2)]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    wanted = table.query(table.arrays["cells"].astype(int), 2).test.tolist()
    (tmp_path / "some.table").unlink()  # what is mapped stays whole
    assert [json.loads(process.communicate("go\n")[0]) for process in both] == [wanted, wanted]


def run_command(capsys, *arguments) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NAS_BENCH_SUITE_DATA", str(tmp_path / "made" / "data"))
    code, _, err = run_command(capsys, "info")
    assert code == 2 and err.count("\n") == 1 and "nasbench_only108.tfrecord" in err and "nasbench101_surrogate needs no download" in err
    with pytest.raises(ConfigError, match=r"nasbench_only108\.tfrecord"):
        load_benchmark("nasbench101")

    path = write(tmp_path / "some.tfrecord", made_up(budgets=(36, 108)))
    code, _, err = run_command(capsys, "import", path)
    assert code == 2 and "--partial" in err.splitlines()[-1] and not (tmp_path / "made").exists()
    code, out, _ = run_command(capsys, "import", path, "--partial")
    assert code == 0 and "PARTIAL" in out and "54 records" in out and "imported in" in out
    assert os.listdir(tmp_path / "made" / "data") == [tablefile.NAME]
    code, out, _ = run_command(capsys, "info")
    assert code == 0 and "PARTIAL" in out and "9 cells, three runs each at 36, 108 epochs" in out
    assert load_benchmark("nasbench101").facts()["checksum"] in out and "computed anew: the same" in out

    # what is there is not lost to a file that holds less
    less = write(tmp_path / "less.tfrecord", made_up(budgets=(108,)))
    code, _, err = run_command(capsys, "import", less, "--partial")
    assert code == 2 and "holds the budgets 36" in err
    assert run_command(capsys, "import", less, "--partial", "--replace")[0] == 0
    assert load_benchmark("nasbench101").fidelities == (108,)
    code, _, err = run_command(capsys, "import", path, "--partial", "--output", path)
    assert code == 2 and "exists and is no table" in err and path.stat().st_size > 10_000

    (tmp_path / "flipped.tfrecord").write_bytes(path.read_bytes()[:-1] + b"?")
    before = (tmp_path / "made" / "data" / tablefile.NAME).read_bytes()
    code, _, err = run_command(capsys, "import", tmp_path / "flipped.tfrecord", "--partial")
    assert code == 2 and "record 54" in err
    assert (tmp_path / "made" / "data" / tablefile.NAME).read_bytes() == before

    with pytest.raises(ConfigError, match="has to be imported first"):
        load_benchmark("nasbench101", path=path)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    path = write(tmp_path / "some.tfrecord", made_up())

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        import_file(path, tmp_path / "data" / "some.table", partial=True)
    assert list((tmp_path / "data").iterdir()) == []
    monkeypatch.undo()
    (tmp_path / "blocked").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        import_file(path, tmp_path / "blocked" / "some.table", partial=True)


def test_facts_of_real_cells(tmp_path, shared_data):
    """Real cells' parameters follow from their matrices; made-up parameters, which do not, are reported."""
    space, payloads, real = NASBench101Space(), [], {}
    with open(shared_data / "nasbench101" / "three_runs_of_30_cells.csv") as file:
        for line in csv.DictReader(file):
            real[line["hash"]] = int(line["params"])
    rng = np.random.default_rng(0)
    for wrong in (0, 5):
        payloads.clear()
        for name, parameters in real.items():
            matrix, ops = space.graph(space.architecture(space.from_official_hash(name)))
            for _ in range(3):
                values = [(float(rng.integers(1, 999)), *records.SINGLE[rng.integers(0, 9985, 3)]) for _ in range(2)]
                payloads.append(plain.payload(name, 108, matrix, ops, parameters + wrong, *values))
        header = import_file(write(tmp_path / "some.tfrecord", payloads), tmp_path / "some.table", partial=True)
        checks = {entry["fact"]: entry for entry in header["checked"]}
        entry = checks["cells whose trainable parameters follow from the matrix"]
        if wrong:
            assert not entry["holds"] and entry["found"] == 0
        else:
            # 3, 5 or 6 vertices that feed the output share its channels unevenly, by their order in the recorded matrix
            assert entry["found"] >= 25
        assert not checks["distinct cells"]["holds"]


def test_official_parameters_of_25000_cells(shared_data):
    import gzip

    from nas_bench_suite.benchmarks.nasbench101.facts import parameters_of

    space, ids, forms, codes, parameters = NASBench101Space(), [], [], [], []
    with gzip.open(shared_data / "nasbench101" / "observed_25000_cells.csv.gz", "rt") as file:
        for line in csv.DictReader(file):
            _, form, code = records._graph(line["adjacency"], line["ops"])
            ids.append(line["hash"])
            forms.append(form)
            codes.append(code)
            parameters.append(int(line["trainable_parameters"]))
    arrays = {"cells": space.from_official_hash(ids), "forms": np.array(forms, dtype=np.int32), "codes": np.array(codes, dtype=np.uint8)}
    np.testing.assert_array_equal(parameters_of(arrays), parameters)
