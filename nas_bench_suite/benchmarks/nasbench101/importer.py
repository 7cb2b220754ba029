"""`import`: the official TFRecord file into the compact table, in one pass.

Notation: B = 4 budgets, n = 423,624 cells; a record is one run of one cell at one budget. Every record's hash
is compared with the one that follows from its matrix; records count from 1.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.benchmarks.nasbench101 import hashing, records, tablefile, tfrecord
from nas_bench_suite.benchmarks.nasbench101.cells import NUM_CELLS, cells
from nas_bench_suite.benchmarks.nasbench101.published import found_and_checked
from nas_bench_suite.benchmarks.nasbench101.space import enumeration_checksum
from nas_bench_suite.checks import ConfigError

BUDGETS = (4, 12, 36, 108)
RUNS = 3
_INVALID, _HASH, _EPOCHS, _FOURTH, _TWICE, _PARAMETERS = range(1, 7)


class _Known(NamedTuple):
    """What records are held against."""

    packed: np.ndarray  # of `cells.Cells`, as are `ids` and `invalid`
    ids: np.ndarray
    invalid: int
    digests: np.ndarray  # uint8[n, 16], official hashes
    budgets: np.ndarray  # int64[B]


class _Gathered(NamedTuple):
    """What has been read so far: arrays as in `tablefile`, but for all budgets and cells (untouched pages
    take no memory)."""

    accuracies: np.ndarray  # uint16[B, n, 3, 2, 3]
    seconds: np.ndarray  # float64[B, n, 3, 2]
    counts: np.ndarray  # int8[B, n], runs
    parameters: np.ndarray  # int32[n]
    forms: np.ndarray  # int32[n]
    codes: np.ndarray  # uint8[n]
    appearance: np.ndarray  # int32[n], the place of a cell's first record among the cells; -1 = not seen
    seen: np.ndarray  # int64[1], cells


class Accumulator:
    """What has been read so far, and the checks of what is added to it."""

    def __init__(self) -> None:
        self.gathered = _Gathered(
            accuracies=np.zeros((len(BUDGETS), NUM_CELLS, RUNS, 2, 3), dtype=np.uint16),
            seconds=np.zeros((len(BUDGETS), NUM_CELLS, RUNS, 2), dtype=np.float64),
            counts=np.zeros((len(BUDGETS), NUM_CELLS), dtype=np.int8),
            parameters=np.zeros(NUM_CELLS, dtype=np.int32),
            forms=np.zeros(NUM_CELLS, dtype=np.int32),
            codes=np.zeros(NUM_CELLS, dtype=np.uint8),
            appearance=np.full(NUM_CELLS, -1, dtype=np.int32),
            seen=np.zeros(1, dtype=np.int64),
        )
        self.records = 0
        self.precision = ""  # "single" or "double" once a record has decided

    def add(self, parsed: records.Parsed, count: int) -> tuple[int, str]:
        """Store the first `count` of a block's records: (how many are right before the first wrong one, what
        is wrong with it or "")."""
        tables = cells()
        budgets = np.array(BUDGETS, dtype=np.int64)
        known = _Known(tables.packed, tables.ids, tables.invalid, hashing.all_digests(), budgets)
        wrong, why = _store(count, known, parsed, self.gathered)
        odd = self._precision(parsed, wrong)
        if odd < wrong:
            return (
                odd,
                f"its accuracies are not stored in {self.precision} precision like those of the records "
                "before",
            )
        if why == 0:
            self.records += count
            return count, ""
        name = parsed.digests[wrong].tobytes().hex()
        epochs = int(parsed.epochs[wrong])
        return wrong, {
            _INVALID: "its matrix is no pruned cell of at most 9 edges",
            _HASH: f"its hash {name} is not the one of its matrix and operations",
            _EPOCHS: f"{epochs} epochs are none of {', '.join(map(str, BUDGETS))}",
            _FOURTH: f"cell {name} has more than three runs of {epochs} epochs, so records are duplicated",
            _TWICE: f"it repeats an earlier record of cell {name} at {epochs} epochs in every value, so "
            "records are duplicated",
            _PARAMETERS: f"cell {name} has {int(parsed.parameters[wrong])} trainable parameters here and "
            "another number in an earlier record",
        }[why]

    def _precision(self, parsed: records.Parsed, count: int) -> int:
        """The first of `count` records that is stored in another precision than the records before."""
        for i in np.flatnonzero(~(parsed.single[:count] & parsed.double[:count])):
            own = "single" if parsed.single[i] else "double"
            if not self.precision:
                self.precision = own
            elif own != self.precision:
                return int(i)
            elif (parsed.single if own == "single" else parsed.double)[i:count].all():
                break
        return count

    def finish(self, path: Path, partial: bool) -> tuple[tuple[int, ...], dict[str, np.ndarray]]:
        """(budgets, arrays of the table).

        Raises:
            ConfigError: if cells are lacking (unless `partial`) or a cell lacks runs.
        """
        gathered = self.gathered
        present = np.asarray(gathered.counts.any(axis=1))
        budgets = tuple(budget for budget, some in zip(BUDGETS, present.tolist()) if some)
        held = np.flatnonzero(gathered.appearance >= 0).astype(np.int32)
        if len(held) < NUM_CELLS and not partial:
            raise ConfigError(
                f"{path} holds {len(held):,} of {NUM_CELLS:,} cells; accepted: the whole file, or a part of "
                "it with --partial."
            )
        for budget in np.flatnonzero(present):
            short = held[gathered.counts[budget, held] < RUNS]
            if len(short):
                cell = int(short[np.argmin(gathered.appearance[short])])
                name = hashing.all_digests()[cell].tobytes().hex()
                raise ConfigError(
                    f"{path} holds {int(gathered.counts[budget, cell])} of {RUNS} runs of cell {name} at "
                    f"{BUDGETS[budget]} epochs "
                    f"({len(short):,} cells lack runs there); accepted: three runs of every cell at every "
                    "budget of the file."
                )
        # Views where they will do: the file of all budgets fills some hundred MB.
        rows: Any = slice(None) if len(held) == NUM_CELLS else held
        first, last = np.flatnonzero(present)[[0, -1]]
        some: Any = slice(first, last + 1) if present[first : last + 1].all() else present
        seconds = gathered.seconds[some][:, rows]
        narrow = seconds.astype(np.float32)
        return budgets, {
            "cells": held,
            "accuracies": gathered.accuracies[some][:, rows],
            "seconds": narrow if (narrow == seconds).all() else seconds,
            "parameters": gathered.parameters[rows],
            "forms": gathered.forms[rows],
            "codes": gathered.codes[rows],
            "order": np.argsort(gathered.appearance[held], kind="stable").astype(np.int32),
        }


def import_file(
    source: str | Path,
    output: str | Path | None = None,
    partial: bool = False,
    replace: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Import an official file.

    Args:
        source: `nasbench_only108.tfrecord`, `nasbench_full.tfrecord`, or with `partial` a file that holds
            only some cells.
        output: where the table goes; left out: into `$NAS_BENCH_SUITE_DATA` or the cache folder.
        replace: overwrite a table that holds more cells or budgets than this one.
        progress: show a bar on the error stream.

    Returns:
        the table's header, with `path`, `bytes` and `import_seconds`.

    Raises:
        ConfigError: with record and offset, for whatever is not as it should be. Nothing is left behind then.
    """
    began = time.perf_counter()
    source = Path(source).expanduser()
    target = Path(output).expanduser() if output is not None else tablefile.default_path()
    budgets, arrays, header = _read(source, partial, progress)
    _check_target(target, budgets, len(arrays["cells"]), replace)
    header["checksum"] = tablefile.checksum(arrays)
    tablefile.write(target, header, arrays)
    return {
        **header,
        "path": str(target),
        "bytes": target.stat().st_size,
        "import_seconds": time.perf_counter() - began,
    }


def _read(
    source: Path, partial: bool, progress: bool
) -> tuple[tuple[int, ...], dict[str, np.ndarray], dict[str, Any]]:
    gathered = Accumulator()
    digest = hashlib.sha256()
    size = 0
    with _bar(progress) as bar:
        for block in tfrecord.read_blocks(source, digest=digest):
            size = block.file_bytes
            bar(len(block.data), size)
            parsed, right, why = records.parse_block(block.data, block.starts, block.stops)
            stored, wrong = gathered.add(parsed, right)
            if wrong:
                right, why = stored, wrong
            if why:
                raise ConfigError(f"{source} is wrong at {block.where(right)}: {why}.")
    budgets, arrays = gathered.finish(source, partial)
    precision = gathered.precision or "single"
    grid = records.SINGLE if precision == "single" else records.DOUBLE
    found, checked = found_and_checked(arrays, budgets, grid, digest.hexdigest())
    header = {
        "budgets": list(budgets),
        "partial": len(arrays["cells"]) < NUM_CELLS,
        "precision": precision,
        "enumeration": enumeration_checksum(),
        "source": {
            "name": source.name,
            "bytes": size,
            "records": gathered.records,
            "sha256": digest.hexdigest(),
        },
        "found": found,
        "checked": checked,
    }
    return budgets, arrays, header


def _check_target(target: Path, budgets: tuple[int, ...], count: int, replace: bool) -> None:
    """Refuse to overwrite a sound table that holds more, and what is no table."""
    if replace or not target.exists():
        return
    try:
        header, arrays = tablefile.read(target)
    except ConfigError:
        if target.is_file() and target.name == tablefile.NAME:
            return  # a damaged table: the import repairs it
        raise ConfigError(
            f"{target} exists and is no table; accepted: another --output, or --replace."
        ) from None
    more = set(header["budgets"]) - set(budgets)
    if more or len(arrays["cells"]) > count:
        what = (
            f"the budgets {', '.join(map(str, sorted(more)))}" if more else f"{len(arrays['cells']):,} cells"
        )
        raise ConfigError(
            f"{target} holds {what}, which this file lacks; accepted: another --output, or --replace."
        )


class _bar:
    """A progress bar with the time left, or nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self.bar: Any = None

    def __enter__(self) -> Any:
        return self.advance

    def advance(self, count: int, total: int) -> None:
        if not self.shown:
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(
                total=total,
                unit="B",
                unit_scale=True,
                desc="import",
                file=sys.stderr,
                leave=False,
                disable=None,
            )
        self.bar.update(min(count, total - self.bar.n))

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


@njit(cache=True)
def _store(count: int, known: _Known, parsed: records.Parsed, out: _Gathered) -> tuple[int, int]:
    """Store `count` records: (place of the first wrong one or count, what is wrong with it or 0)."""
    for i in range(count):
        n = parsed.vertices[i]
        mask = 0
        bit = 0
        for u in range(n - 1):
            for v in range(u + 1, n):
                head = 6 if v == n - 1 else v
                mask |= ((parsed.forms[i] >> bit) & 1) << (u * 7 - (u * (u + 1)) // 2 + head - u - 1)
                bit += 1
        entry = known.packed[mask]
        if entry == known.invalid or (entry & 31) != (1 << (n - 2)) - 1:
            return i, _INVALID
        cell = known.ids[(entry >> 5) + parsed.codes[i]]
        for j in range(16):
            if parsed.digests[i, j] != known.digests[cell, j]:
                return i, _HASH
        budget = 0
        while budget < len(known.budgets) and known.budgets[budget] != parsed.epochs[i]:
            budget += 1
        if budget == len(known.budgets):
            return i, _EPOCHS
        run = out.counts[budget, cell]
        if run == 3:
            return i, _FOURTH
        for other in range(run):
            same = True
            for half in range(2):
                same &= out.seconds[budget, cell, other, half] == parsed.seconds[i, half]
                for metric in range(3):
                    earlier = out.accuracies[budget, cell, other, half, metric]
                    same &= earlier == parsed.accuracies[i, half, metric]
            if same:
                return i, _TWICE
        if out.appearance[cell] < 0:
            out.appearance[cell] = out.seen[0]
            out.seen[0] += 1
            out.parameters[cell] = parsed.parameters[i]
            out.forms[cell] = parsed.forms[i]
            out.codes[cell] = parsed.codes[i]
        elif out.parameters[cell] != parsed.parameters[i]:
            return i, _PARAMETERS
        for half in range(2):
            out.seconds[budget, cell, run, half] = parsed.seconds[i, half]
            for metric in range(3):
                out.accuracies[budget, cell, run, half, metric] = parsed.accuracies[i, half, metric]
        out.counts[budget, cell] = run + 1
    return count, 0


def add_parser(subparsers: Any) -> None:
    """The `import` command."""
    parser = subparsers.add_parser(
        "import",
        help="read the official .tfrecord file into a compact table",
        description=__doc__.split("\n")[0],
    )
    parser.add_argument("file", help="nasbench_only108.tfrecord or nasbench_full.tfrecord")
    parser.add_argument("--partial", action="store_true", help="take a file that holds only some cells")
    parser.add_argument(
        "--output", help="where the table goes (default: $NAS_BENCH_SUITE_DATA or the cache folder)"
    )
    parser.add_argument(
        "--replace", action="store_true", help="overwrite a table that holds more than this file"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import and say what was found."""
    from nas_bench_suite.benchmarks.nasbench101.info import describe

    header = import_file(
        arguments.file, arguments.output, arguments.partial, arguments.replace, progress=True
    )
    print(describe(header, Path(header["path"])))
    print(f"imported in {header['import_seconds']:.1f} s")
    return 0
