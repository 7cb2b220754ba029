"""`nasbench.lib.model_spec`: the cell as a matrix and labels."""

from __future__ import annotations

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.compat import ModelSpec

__all__ = ["ModelSpec", "is_upper_triangular"]


def is_upper_triangular(matrix: np.ndarray) -> bool:
    """Whether all entries on and below the diagonal are 0."""
    return not np.tril(matrix).any()
