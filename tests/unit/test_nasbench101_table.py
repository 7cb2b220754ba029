"""The imported table: damage, what a partial one lacks, queries, shared pages, the commands around it, the
facts it is checked for."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from bench.plain import tfrecord as plain
from nas_bench_suite import Lookups, load_benchmark
from nas_bench_suite.benchmarks.nasbench101 import records, tablefile
from nas_bench_suite.benchmarks.nasbench101.__main__ import main
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.benchmarks.nasbench101.table import NASBench101
from nas_bench_suite.checks import ConfigError
from tests.made_up import CELLS, write
from tests.made_up import payloads as made_up


def test_table_damage(tmp_path: Path) -> None:
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


def test_a_partial_table_knows_what_it_lacks(tmp_path: Path) -> None:
    import_file(write(tmp_path / "some.tfrecord", made_up()), tmp_path / "some.table", partial=True)
    table = load_benchmark("nasbench101", path=str(tmp_path / "some.table"), edge_limit="raw")
    assert isinstance(table, NASBench101)
    assert (
        table.partial
        and table.facts()["partial"]
        and "PARTIAL: 9 of 423,624 cells" in table.facts()["description"]
    )
    assert "is PARTIAL: it holds 9 of 423,624 cells" in table.facts()["notice"]
    with pytest.raises(
        ConfigError,
        match=r"cell 4 \([0-9a-f]{32}\) is missing from .*some.table, which is partial: it holds 9",
    ):
        table.query(Lookups(np.array([0, 4]), 0))
    for wrong in (-1, 423_624):
        with pytest.raises(ConfigError, match=f"cell id {wrong} is out"):
            table.query(Lookups(np.asarray(wrong), 0))
    with pytest.raises(ConfigError, match=r"fidelity=12 .* accepted: 108"):
        table.query(Lookups(np.asarray(0), 0, 12))
    for run in (3, -1, "median"):
        with pytest.raises(ConfigError, match=f"run={run}"):
            table.query(Lookups(np.asarray(0), run))
    with pytest.raises(ConfigError, match="did you mean 'path'"):
        load_benchmark("nasbench101", pat="x")


def test_query_shapes(tmp_path: Path) -> None:
    import_file(
        write(tmp_path / "some.tfrecord", made_up(budgets=(4, 108))), tmp_path / "some.table", partial=True
    )
    table = load_benchmark("nasbench101", path=tmp_path / "some.table")
    ids = np.array(CELLS[:8]).reshape(2, 4)
    runs = np.array([[0, 1, 2, 0], [1, 1, 0, 2]])
    budgets = np.array([[4], [108]])
    got = table.query(Lookups(ids, runs, budgets))
    for i in np.ndindex(2, 4):
        one = table.query(Lookups(np.asarray(ids[i]), int(runs[i]), int(budgets[i[0], 0])))
        assert [values[i] for values in got] == [float(value) for value in one]
    assert table.query(Lookups(ids, "mean", budgets)).test.shape == (2, 4)
    assert table.query(Lookups(ids, 1)).validation.dtype == np.float64


def test_two_processes_share_the_table(tmp_path: Path) -> None:
    import_file(write(tmp_path / "some.tfrecord", made_up()), tmp_path / "some.table", partial=True)
    table = load_benchmark("nasbench101", path=tmp_path / "some.table")
    assert isinstance(table, NASBench101)
    for array in table.arrays.values():
        assert not array.flags.owndata and not array.flags.writeable
    code = (
        "import sys; from nas_bench_suite import Lookups, load_benchmark; t = load_benchmark('nasbench101', "
        "path=sys.argv[1]);"
        "print('ready', flush=True); sys.stdin.readline(); "
        "print(t.query(Lookups(t.arrays['cells'].astype(int), "
        "2)).test.tolist())"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / "some.table"], stdin=-1, stdout=-1, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    wanted = table.query(Lookups(table.arrays["cells"].astype(int), 2)).test.tolist()
    (tmp_path / "some.table").unlink()  # what is mapped stays whole
    assert [json.loads(process.communicate("go\n")[0]) for process in both] == [wanted, wanted]


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NAS_BENCH_SUITE_DATA", str(tmp_path / "made" / "data"))
    code, _, err = run_command(capsys, "info")
    assert (
        code == 2
        and err.count("\n") == 1
        and "nasbench_only108.tfrecord" in err
        and "nasbench101_surrogate needs no download" in err
    )
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


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "some.tfrecord", made_up())

    def full(_descriptor: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        import_file(path, tmp_path / "data" / "some.table", partial=True)
    assert list((tmp_path / "data").iterdir()) == []
    monkeypatch.undo()
    (tmp_path / "blocked").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        import_file(path, tmp_path / "blocked" / "some.table", partial=True)


def test_facts_of_real_cells(tmp_path: Path, shared_data: Path) -> None:
    """Real cells' parameters follow from their matrices; made-up parameters, which do not, are reported."""
    space = NASBench101Space()
    payloads: list[bytes] = []
    real: dict[str, int] = {}
    with open(shared_data / "nasbench101" / "three_runs_of_30_cells.csv") as file:
        for line in csv.DictReader(file):
            real[line["hash"]] = int(line["params"])
    rng = np.random.default_rng(0)
    for wrong in (0, 5):
        payloads.clear()
        for name, parameters in real.items():
            matrix, ops = space.graph(space.architecture(space.from_official_hash(name)))
            for _ in range(3):
                half, final = (
                    (float(rng.integers(1, 999)), *records.SINGLE[rng.integers(0, 9985, 3)]) for _ in range(2)
                )
                payloads.append(plain.payload(name, 108, matrix, ops, parameters + wrong, half, final))
        header = import_file(
            write(tmp_path / "some.tfrecord", payloads), tmp_path / "some.table", partial=True
        )
        checks = {entry["fact"]: entry for entry in header["checked"]}
        entry = checks["cells whose trainable parameters follow from the matrix"]
        if wrong:
            assert not entry["holds"] and entry["found"] == 0
        else:
            # 3, 5 or 6 vertices that feed the output share its channels unevenly, by their order in the
            # recorded matrix
            assert entry["found"] >= 25
        assert not checks["distinct cells"]["holds"]


def test_official_parameters_of_25000_cells(shared_data: Path) -> None:
    import gzip

    from nas_bench_suite.benchmarks.nasbench101.published import parameters_of

    space, ids, forms, codes, parameters = NASBench101Space(), [], [], [], []
    with gzip.open(shared_data / "nasbench101" / "observed_25000_cells.csv.gz", "rt") as file:
        for line in csv.DictReader(file):
            _, form, code = records._graph(line["adjacency"], line["ops"])
            ids.append(line["hash"])
            forms.append(form)
            codes.append(code)
            parameters.append(int(line["trainable_parameters"]))
    arrays = {
        "cells": np.asarray(space.from_official_hash(ids)),
        "forms": np.array(forms, dtype=np.int32),
        "codes": np.array(codes, dtype=np.uint8),
    }
    np.testing.assert_array_equal(parameters_of(arrays), parameters)


@pytest.mark.parametrize("kind", ["folder", "pipe", "/dev/zero"])
def test_what_is_no_file_is_named(tmp_path: Path, kind: str) -> None:
    """A pipe without a writer would make its reader wait."""
    path = tmp_path / "some.table"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = Path(kind)
    with pytest.raises(ConfigError, match=f"{path} cannot be read: "):
        tablefile.read(path)
