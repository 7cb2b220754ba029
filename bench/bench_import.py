"""NASBench-101's official file: import, opening and queries, each against a plain record-by-record reader in
the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from bench.plain import tfrecord as tfrecord_plain
from bench.synthetic import write_synthetic
from nas_bench_suite.benchmark import Lookups
from nas_bench_suite.benchmarks.nasbench101.hashing import all_digests
from nas_bench_suite.benchmarks.nasbench101.table import NASBench101

T = TypeVar("T")
_PLAIN_RECORDS = 20_000
# A process of its own, so that the peak is the import's: VmHWM, since ru_maxrss starts from the parent's.
_IMPORT = """
import json, sys, time
from nas_bench_suite.benchmarks.nasbench101.importer import import_file
start = time.process_time()
import_file(sys.argv[1], sys.argv[2])
seconds = time.process_time() - start
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
print(json.dumps([seconds, peak]))
"""


def _timed(function: Callable[[], T], repeats: int = 1) -> tuple[float, T]:
    """Processor seconds of a call, the least of `repeats`, and what it returned."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def run() -> list[tuple[str, str]]:
    all_digests()  # the cache of official hashes, made once for all imports
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "only108.tfrecord"), Path(folder, "only108.table")
        records = write_synthetic(source)
        size = source.stat().st_size / 1e6
        answer = subprocess.run(
            [sys.executable, "-c", _IMPORT, source, target], capture_output=True, text=True, check=True
        ).stdout
        seconds, peak = json.loads(answer)
        plain_seconds, (fixed, computed) = _timed(lambda: tfrecord_plain.read(source, _PLAIN_RECORDS))
        plain_all = plain_seconds / _PLAIN_RECORDS * records
        NASBench101(target)
        opening, table = _timed(lambda: NASBench101(target), 5)
        compact = target.stat().st_size / 1e6

        names = list(fixed)[: _PLAIN_RECORDS // 3]
        rng = np.random.default_rng(0)
        ids = np.asarray(table.space.from_official_hash(names))
        runs = rng.integers(0, 3, len(names))
        at_once, got = _timed(lambda: table.query(Lookups(ids, runs)), 20)
        points, wanted = _timed(
            lambda: [
                computed[name][108][run]["final_test_accuracy"] for name, run in zip(names, runs.tolist())
            ],
            5,
        )
        assert got.test.tolist() == wanted
    return [
        (
            f"import of {records:,} records ({size:.0f} MB)",
            f"{seconds:.1f} s, {plain_all / seconds:.1f} times as fast as a plain reader ({plain_all:.0f} "
            f"s), peak {peak:.0f} MB",
        ),
        (
            f"opening the table ({compact:.0f} MB), checksums included",
            f"{opening * 1e3:.0f} ms, {plain_all / opening:,.0f} times as fast",
        ),
        (
            "query of one run (validation, test, seconds)",
            f"{at_once / len(ids) * 1e9:.0f} ns in a batch, against {points / len(ids) * 1e9:.0f} ns from "
            "dictionaries by hash (one value)",
        ),
    ]
