"""A file of the official format and size with made-up values, for timing the import. Written in bulk: about 3
us a record."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cells import NUM_CELLS, cells
from nas_bench_suite.benchmarks.nasbench101.hashing import all_digests
from nas_bench_suite.benchmarks.nasbench101.records import OFFICIAL_NAMES, SINGLE
from nas_bench_suite.benchmarks.nasbench101.tfrecord import frame

_EVALUATION = b"\x0a\x2d" + b"".join(bytes([number << 3 | 1]) + bytes(8) for number in range(1, 6))
_MESSAGE = np.frombuffer(_EVALUATION * 3 + b"\x10" + bytes(4) + b"\x19" + bytes(8), dtype=np.uint8)
_BATCH = 1 << 15


def write_synthetic(
    path: Path, budgets: tuple[int, ...] = (108,), count: int = NUM_CELLS, seed: int = 0
) -> int:
    """Write three runs of `count` cells at every budget, cells in random order; returns the number of
    records."""
    rng = np.random.default_rng(seed)
    tables, digests = cells(), all_digests()
    chosen = rng.permutation(NUM_CELLS)[:count]
    labels = [
        [
            ",".join(["input", *(OFFICIAL_NAMES[code // 3**v % 3] for v in range(n - 2)), "output"])
            for code in range(3 ** (n - 2))
        ]
        for n in range(2, 8)
    ]
    matrices: dict[tuple[int, int], str] = {}
    records = np.repeat(chosen, 3 * len(budgets))
    epochs = np.tile(np.repeat(budgets, 3), count)
    with open(path, "wb") as file:
        for start in range(0, len(records), _BATCH):
            ids = records[start : start + _BATCH]
            messages = np.tile(_MESSAGE, (len(ids), 1))
            for evaluation in range(3):
                at = evaluation * len(_EVALUATION) + 3
                values = np.empty((len(ids), 5))
                values[:, 0] = evaluation * 54.0
                values[:, 1] = evaluation * rng.uniform(200, 2000, len(ids)).astype(np.float32)
                values[:, 2:] = SINGLE[rng.integers(8_000, 9_500, (len(ids), 3))]
                for field in range(5):
                    messages[:, at + 9 * field : at + 9 * field + 8] = (
                        values[:, field : field + 1].copy().view(np.uint8)
                    )
            parameters = (1 << 21) + ids  # four bytes as a varint
            at = 3 * len(_EVALUATION) + 1
            for byte in range(4):
                messages[:, at + byte] = (parameters >> (7 * byte)) & 127 | (128 if byte < 3 else 0)
            parts = []
            for i, cell in enumerate(ids.tolist()):
                n, form = int(tables.vertices[cell]), int(tables.forms[cell])
                if (n, form) not in matrices:
                    matrix = np.zeros((n, n), dtype=np.int64)
                    matrix[np.triu_indices(n, k=1)] = (form >> np.arange(n * (n - 1) // 2)) & 1
                    matrices[n, form] = "".join(map(str, matrix.ravel().tolist()))
                text = (
                    f'["{digests[cell].tobytes().hex()}", {epochs[start + i]}, "{matrices[n, form]}", '
                    f'"{labels[n - 2][tables.codes[cell]]}", '
                    f'"{base64.b64encode(messages[i].tobytes()).decode()}"]'
                )
                parts.append(frame(text.encode()))
            file.write(b"".join(parts))
    return len(records)
