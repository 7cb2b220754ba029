"""The official hash of a cell: an MD5 over iterated vertex hashes (the `graph_util.hash_module` of the official code).

Every vertex starts as the MD5 of "(out-degree, in-degree, label)", labels being -1 for the input, 0, 1, 2 for conv3x3, conv1x1, maxpool3x3
and -2 for the output. V times over, every vertex takes the MD5 of its sorted in-neighbours' digests, "|", its sorted out-neighbours' digests,
"|", its own digest. The cell's hash is the MD5 of the sorted list of its vertices' digests, written as Python writes a list.
"""

from __future__ import annotations

import hashlib

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.cells import Cells

LABELS = (1, 0, 2)  # of conv1x1, conv3x3, maxpool3x3 in the official order


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def graph_hash(matrix: np.ndarray, labels: list[int]) -> str:
    """The official hash of a pruned graph [V, V] with V integer labels."""
    n = len(labels)
    into = [[u for u in range(n) if matrix[u][v]] for v in range(n)]
    out = [[w for w in range(n) if matrix[v][w]] for v in range(n)]
    digests = [_md5(str((len(out[v]), len(into[v]), labels[v]))) for v in range(n)]
    for _ in range(n):
        digests = [
            _md5("".join(sorted(digests[u] for u in into[v])) + "|" + "".join(sorted(digests[w] for w in out[v])) + "|" + digests[v])
            for v in range(n)
        ]
    return _md5(str(sorted(digests)))


def hex_digests(tables: Cells, ids: np.ndarray) -> np.ndarray:
    """The official hashes of cells int64[n]: str[n]."""
    out = np.empty(len(ids), dtype="<U32")
    for i, cell in enumerate(ids):
        n = int(tables.vertices[cell])
        matrix = np.zeros((n, n), dtype=np.int64)
        matrix[np.triu_indices(n, k=1)] = (int(tables.forms[cell]) >> np.arange(n * (n - 1) // 2)) & 1
        code = int(tables.codes[cell])
        out[i] = graph_hash(matrix.tolist(), [-1, *(LABELS[code // 3**v % 3] for v in range(n - 2)), -2])
    return out


def find(tables: Cells, names: np.ndarray) -> np.ndarray:
    """The ids of cells by their official hashes str[n]: int64[n], -1 where there is none."""
    raise NotImplementedError
