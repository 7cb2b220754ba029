"""Damaged and odd data: tables of one's own, the surrogate's files, imported tables, official files.

What is accepted is held against a plain reading of the same file by the standard library: a table that is
read must be read right. What is not accepted gets one sentence.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import math
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from nas_bench_suite.benchmark import Lookups
from nas_bench_suite.benchmarks.nasbench101 import tablefile, tfrecord
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
from nas_bench_suite.benchmarks.nasbench101.surrogate import artefact
from nas_bench_suite.benchmarks.nasbench101.table import NASBench101
from nas_bench_suite.benchmarks.tabular import ArrayBenchmark, tabular
from nas_bench_suite.checks import ConfigError
from tests import made_up

WORDS = (
    "relu",
    "tanh",
    "a b",
    "",
    " ",
    "nan",
    "1",
    "1.0",
    "01",
    "True",
    "é",
    "x,y",
    'q"q',
    "two\nlines",
    "x" * 300,
)
NUMBERS = (
    "0.5",
    "1",
    "0",
    "1e-3",
    "-0.1",
    "1e308",
    "inf",
    "nan",
    "",
    "1,000",
    "0x1p-1",
    "\u0661",
    "50%",
    " 0.25 ",
    "1_0",
)
HEADERS = (
    "validation", "test", "seconds", "validation_0", "validation_1", "validation_127",
    "validation_99999999999", "validation@4", "validation@99999999999", "test@4", "validation@²",
    "validation@", "validation_0@4", "cell", "seconds@4",
    "path", "name", "budget", "Unnamed: 0", "", "index", "__class__", "x.1", "x",
)  # fmt: skip
ENDINGS: dict[str, Callable[[bytes], bytes]] = {
    ".csv": lambda data: data,
    ".csv.gz": gzip.compress,
    ".csv.bz2": bz2.compress,
    ".csv.xz": lzma.compress,
}
LIMIT = 1 << 20


@dataclass(frozen=True)
class Case:
    """One file: how it is written and how it is read."""

    name: str
    check: Callable[[random.Random, Path], None]

    def run(self, rng: random.Random, folder: Path) -> str:
        """ "ok" or "refused"; raises `AssertionError` for anything but a right reading or one sentence."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.check(rng, folder)
        except ConfigError as error:
            sentence = str(error)
            assert "\n" not in sentence and sentence.endswith("."), f"{self.name}: {sentence!r}"
            return "refused"
        except AssertionError:
            raise
        except BaseException as error:
            raise AssertionError(f"{self.name}: {type(error).__name__}: {error}") from error
        return "ok"


def cases(rng: random.Random) -> Iterator[Case]:
    """Endless random cases."""
    makers = (_csv, _csv, _csv, _compressed, _parquet, _odd_parquet, _artefact, _table, _official)
    while True:
        maker = rng.choice(makers)
        yield Case(maker.__name__.strip("_"), maker)


def mutated(rng: random.Random, data: bytes, most: int = 4) -> bytes:
    """The same bytes with some changed, lost, doubled, or the end cut off."""
    out = bytearray(data)
    for _ in range(rng.randint(1, most)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            del out[at:]
        elif kind == 1:
            del out[at : at + rng.randint(1, 9)]
        elif kind == 2:
            out[at:at] = out[at : at + rng.randint(1, 99)]
        elif kind == 3:
            out[at:at] = bytes(
                rng.choice(b"\x00,\"\n\r\t ;'\xff\xef\xbb\xbf.-9e") for _ in range(rng.randint(1, 3))
            )
        elif out:
            out[min(at, len(out) - 1)] = rng.randrange(256)
    return bytes(out)


def text_of(rng: random.Random) -> str:
    """A CSV of a small complete table, some of its words, numbers, names and rows odd."""
    variables = [
        rng.sample(WORDS[:2] + ("b", "c", "1", "2", "10"), rng.randint(2, 3))
        for _ in range(rng.randint(1, 3))
    ]
    names = [f"v{i}" for i in range(len(variables))]
    metrics = ["validation", "test"] + ["seconds"] * rng.randint(0, 1)
    rows = [[*words, *(f"{rng.random():.3f}" for _ in metrics)] for words in product(*variables)]
    table = [names + metrics, *rows]
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 4))):
        row = rng.choice(table)
        kind = rng.randrange(7)
        if kind == 0 and row:
            row[rng.randrange(len(row))] = rng.choice(NUMBERS)
        elif kind == 1 and row:
            row[rng.randrange(len(row))] = rng.choice(WORDS)
        elif kind == 2 and table[0]:
            table[0][rng.randrange(len(table[0]))] = rng.choice(HEADERS)
        elif kind == 3:
            row.append(rng.choice(NUMBERS))
        elif kind == 4 and row:
            row.pop()
        elif kind == 5:
            table.append(list(row))
        else:
            rng.shuffle(table)
    out = io.StringIO()
    quoting: Any = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(out, lineterminator=rng.choice(("\n", "\n", "\r\n", "\r")), quoting=quoting)
    writer.writerows(table)
    return out.getvalue()


def plain_rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV by the standard library, each field under its column's name."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    lines = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    full = [row for row in lines if "".join(row).strip(" \t") or len(row) > 1]
    header = [name.strip() for name in full[0]]
    assert all(len(row) == len(header) for row in full), "a row of another length was accepted"
    assert len(set(header)) == len(header), "two columns of a name were accepted"
    return [dict(zip(header, row)) for row in full[1:]]


def _choice(words: tuple[str, ...], field: str) -> int:
    """The place of a field among a variable's choices, by its word or by its number."""
    if field in words:
        return words.index(field)
    for place, word in enumerate(words):
        try:
            if float(word) == float(field):
                return place
        except ValueError:
            if word.lower() == field.strip().lower():  # truth values
                return place
    raise AssertionError(f"the field {field!r} is none of the choices {words}")


def check_against_plain(benchmark: ArrayBenchmark, text: str) -> None:
    """Every row of the file is a cell of the benchmark with the row's own numbers."""
    rows = plain_rows(text)
    space = benchmark.space
    variables = space.variables
    assert len(rows) > 0 and all(variable.name in rows[0] for variable in variables)
    for row in rows:
        string = np.array([_choice(variable.choices, row[variable.name]) for variable in variables])
        found = benchmark.query(Lookups(space.cell_id(string), "mean"))
        runs = [name for name in row if name.startswith("validation") and "@" not in name]
        if runs:
            mean = np.mean([float(row[name]) for name in runs])
            assert math.isclose(float(found.validation), mean, rel_tol=1e-9, abs_tol=1e-12)
        assert 0 <= found.validation <= 1 and found.seconds >= 0 and math.isfinite(found.seconds)


def _csv(rng: random.Random, folder: Path) -> None:
    data = text_of(rng).encode()
    if rng.random() < 0.5:
        data = mutated(rng, data)
    ending = rng.choice(tuple(ENDINGS))
    path = folder / f"table{ending}"
    path.write_bytes(ENDINGS[ending](data))
    ignore = rng.choice(([], [], [], ["v0"], ["Unnamed: 0"], ["nothing"]))
    benchmark = tabular(str(path), missing=rng.choice(("error", "invalid")), ignore=ignore, max_bytes=LIMIT)
    if not ignore:
        check_against_plain(benchmark, data.decode())


def _compressed(rng: random.Random, folder: Path) -> None:
    ending = rng.choice((".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip"))
    path = folder / f"table{ending}"
    text = made_up.tabular().to_csv(index=False).encode()
    if rng.random() < 0.2:
        text += b" " * (LIMIT + rng.randrange(LIMIT))  # inflates past the limit
    if ending == ".csv.zip":
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for i in range(rng.choice((0, 1, 1, 1, 1, 2))):
                archive.writestr(f"{i}.csv", text)
        data = held.getvalue()
    else:
        data = ENDINGS[ending](text)
    whole = rng.random() < 0.2
    path.write_bytes(data if whole else mutated(rng, data))
    benchmark = tabular(str(path), max_bytes=LIMIT)
    if whole:
        check_against_plain(benchmark, text.decode())
    assert len(text) <= LIMIT, "more than the limit was inflated"


def _parquet(rng: random.Random, folder: Path) -> None:
    path = folder / "table.parquet"
    made_up.tabular().to_parquet(path, index=False, compression=rng.choice(("snappy", "gzip", "zstd", None)))
    path.write_bytes(mutated(rng, path.read_bytes()))
    benchmark = tabular(str(path), max_bytes=LIMIT)
    benchmark.query(Lookups(np.arange(benchmark.space.num_cells or 0), "mean"))


def _odd_parquet(rng: random.Random, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "odd.parquet"
    rows = rng.choice((0, 1, 2, 4, 4, 4))
    kinds: tuple[Any, ...] = (
        [["a"]] * rows,
        [{"a": 1}] * rows,
        [None] * rows,
        [b"\xff"] * rows,
        [True, False] * 2,
        [0.5, math.nan, math.inf, -1.0],
        np.arange(rows).astype(np.float16),
        np.arange(rows).astype(np.uint64) + 2**63,
        pa.array(["a", "b", "a", None][:rows]).dictionary_encode(),
        np.arange(rows).astype("datetime64[s]"),
        np.arange(rows).astype("timedelta64[s]"),
        [f"{value}" for value in range(rows)],
        [0.1, 0.2, 0.3, 0.4],
        [1e308] * rows,
    )
    names = rng.sample(("v0", "v1", *HEADERS), rng.randint(0, 2))
    columns = {name: rng.choice(kinds)[:rows] for name in names}
    columns |= {name: [0.1, 0.2, 0.3, 0.4][:rows] for name in ("validation", "test")}
    if rng.random() < 0.3:
        columns[rng.choice(("validation", "test"))] = rng.choice(kinds)[:rows]
    columns = {name: column for name, column in columns.items() if len(column) == rows}
    if rng.random() < 0.8:
        columns["w"] = rng.choice((["a", "b", "c", "d"], rng.choice(kinds)))[:rows]
    if rng.random() < 0.1:  # few bytes that stand for many rows
        columns = {name: pa.array(np.zeros(10**6)) for name in ("v0", "validation", "test")}
    pq.write_table(pa.table(columns), path)
    benchmark = tabular(str(path), missing="invalid", max_bytes=LIMIT)
    benchmark.query(Lookups(np.arange(benchmark.space.num_cells or 0), "mean"))


def write_surrogate(draw: np.random.Generator, folder: Path, count: int) -> None:
    """The surrogate's files for `count` cells, by the description of their layout."""
    meta = {"enumeration": "0" * 16, "format": artefact.FORMAT, "cells": count, "fit": "1" * 16}
    columns = ("best_of_3", "mean", "early_0", "early_1", "early_2", "seconds")
    fine = {name: draw.integers(30_000, 60_000, count).astype(np.uint16) for name in columns}
    on_grid = {
        name: (column.astype(np.int64) * artefact.GRID + artefact.FINE // 2) // artefact.FINE
        for name, column in fine.items()
    }
    runs = draw.integers(0, artefact.GRID + 1, (count, 2, 3))
    first = np.concatenate([runs[:, :1] - on_grid["mean"][:, None, None], runs[:, 1:] - runs[:, :1]], axis=1)
    centres = np.stack([on_grid[f"early_{level}"] for level in range(3)], axis=1)
    second = draw.integers(0, artefact.GRID + 1, (count, 3, 3)) - centres[:, :, None]
    planes: list[dict[str, np.ndarray]] = []
    for differences in (first, second):
        zigzag = np.where(differences >= 0, 2 * differences, -2 * differences - 1).reshape(count, -1).T
        planes.append({"low": (zigzag & 255).astype(np.uint8), "high": (zigzag >> 8).astype(np.uint8)})
    text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    files: dict[str, dict[str, Any]] = {
        artefact.PREDICTIONS: dict(fine),
        artefact.RUNS: dict(planes[0]),
        artefact.EARLY_RUNS: dict(planes[1]),
    }
    for name, arrays in files.items():
        whole: dict[str, Any] = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        np.savez_compressed(folder / name, allow_pickle=False, meta=text, **whole)


def _artefact(rng: random.Random, folder: Path) -> None:
    """The surrogate's files of 20 cells, damaged as bytes, or whole archives with other content."""
    count = 20
    write_surrogate(np.random.default_rng(rng.randrange(2**32)), folder, count)
    path = folder / rng.choice((artefact.PREDICTIONS, artefact.RUNS, artefact.EARLY_RUNS))
    if rng.random() < 0.5:
        path.write_bytes(mutated(rng, path.read_bytes()))
    else:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        odd: tuple[Any, ...] = (None, 0, -1, 10**30, "x", [], {}, True, 1.5, "0" * 16, 2)
        which = rng.randrange(4)
        if which == 0:
            meta[rng.choice(tuple(meta))] = rng.choice(odd)
        elif which == 1:
            meta.pop(rng.choice(tuple(meta)))
        elif which == 2:
            name = rng.choice(tuple(arrays))
            change = rng.choice(
                (
                    lambda a: a.astype(np.float64),
                    lambda a: a[..., :-1],
                    lambda a: a.T.copy(),
                    lambda a: np.full(a.shape, np.iinfo(a.dtype).max, dtype=a.dtype),
                    lambda a: a.reshape(-1),
                )
            )
            arrays[name] = change(arrays[name])
        else:
            arrays.pop(rng.choice(tuple(arrays)))
        text = rng.choice(
            (json.dumps(meta), "[]", "{", "null", "[" * 9999) if rng.random() < 0.2 else (json.dumps(meta),)
        )
        arrays["meta"] = np.frombuffer(text.encode(), dtype=np.uint8)
        if rng.random() < 0.1:
            arrays["meta"] = np.array([{"pickled": 1}], dtype=object)
        np.savez(path, allow_pickle=True, **arrays)
    read = artefact.Artefact(folder, "0" * 16)
    assert read.runs.shape == (count, 3, 2) and read.runs.max() <= artefact.GRID
    assert read.early_runs.shape == (count, 3, 3) and read.early_runs.max() <= artefact.GRID


def _imported(folder: Path) -> Path:
    """A small imported table, made once for a folder of campaigns."""
    kept = folder.parent / "imported.table"
    if not kept.exists():
        source = made_up.write(folder.parent / "made_up.tfrecord", made_up.payloads())
        import_file(source, kept, partial=True)
    return kept


def _table(rng: random.Random, folder: Path) -> None:
    """An imported table: damaged as bytes, or with another header under a checksum that fits."""
    data = _imported(folder).read_bytes()
    path = folder / "nasbench101.table"
    if rng.random() < 0.4:
        path.write_bytes(mutated(rng, data))
    else:
        length = int.from_bytes(data[20:24], "little")
        header = json.loads(data[32 : 32 + length])
        where: Any = header
        for _ in range(rng.choice((0, 0, 1, 2))):
            inner = [value for value in where.values() if isinstance(value, dict) and value]
            if inner:
                where = rng.choice(inner)
        key = rng.choice(tuple(where))
        odd: tuple[Any, ...] = (
            None,
            -1,
            0,
            1,
            10**30,
            2**40,
            1.5,
            "x",
            "<f8",
            "|O",
            [],
            [1],
            [-1, 2],
            [10**9, 10**9],
            {},
            {"a": 1},
            True,
        )
        if rng.random() < 0.2:
            del where[key]
        else:
            where[key] = rng.choice(odd)
        text = json.dumps(header).encode()
        text += b" " * (-(32 + len(text)) % 64)
        words = (tablefile.VERSION, len(text), google_crc32c.value(text), 0)
        head = tablefile.MAGIC + b"".join(word.to_bytes(4, "little") for word in words)
        path.write_bytes(head + text + data[32 + length :])
    table = NASBench101(path)
    values = table.query(Lookups(table.arrays["cells"].astype(np.int64), 1))
    assert ((values.validation >= 0) & (values.validation <= 1)).all()
    table.facts()


def _official(rng: random.Random, folder: Path) -> None:
    """An official file with damaged bytes, or with damaged payloads under checksums that fit."""
    _imported(folder)
    source = folder.parent / "made_up.tfrecord"
    path = folder / "some.tfrecord"
    if rng.random() < 0.4:
        path.write_bytes(mutated(rng, source.read_bytes()))
    else:
        payloads = [
            block.data[start:stop].tobytes()
            for block in tfrecord.read_blocks(source)
            for start, stop in zip(block.starts, block.stops)
        ]
        at = rng.randrange(len(payloads))
        payloads[at] = mutated(rng, payloads[at], most=2)
        path.write_bytes(b"".join(map(tfrecord.frame, payloads)))
    import_file(path, folder / "some.table", partial=True)
