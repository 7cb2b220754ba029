"""Compiled kernels on disk: what they were made from counts, wherever it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

CALLED = """
from typing import NamedTuple
import numba
FACTOR = {factor}
class State(NamedTuple):
    {fields}
@numba.njit(cache=True)
def scaled(x):
    return {expression}
@numba.njit(cache=True)
def through(x):
    return scaled(x)
"""
CALLER = """
import nas_bench_suite
import numba
import called
from called import FACTOR, State, through
@numba.njit(cache=True)
def direct(x):
    return through(x) + FACTOR
@numba.njit(cache=True)
def by_module(x):
    return called.scaled(x)
@numba.njit(cache=True)
def field(state: State):
    return state.a
print(direct(3), by_module(3), field(State(a=1, b=20)), sum(direct.stats.cache_hits.values()))
"""


def run(folder: Path, **changes: str) -> list[int]:
    """Results of three kernels of `caller.py`, and how often the first one was found in the cache."""
    parts = {"factor": "1", "fields": "a: int\n    b: int", "expression": "2 * x"} | changes
    (folder / "called.py").write_text(CALLED.format(**parts))
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "caller.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_a_kernel_is_compiled_anew_when_what_it_takes_from_elsewhere_changes(tmp_path: Path) -> None:
    """Numba alone looks at the kernel's own file, and would go on with the old machine code."""
    (tmp_path / "caller.py").write_text(CALLER)
    assert run(tmp_path) == [7, 6, 1, 0]
    assert run(tmp_path) == [7, 6, 1, 1], "nothing has changed: found"
    assert run(tmp_path, expression="3 * x") == [10, 9, 1, 0], "a function called through another one"
    assert run(tmp_path, factor="100") == [106, 6, 1, 0], "a constant"
    assert run(tmp_path, fields="b: int\n    a: int") == [7, 6, 1, 0], "the order of a state's fields"
    assert run(tmp_path) == [7, 6, 1, 1], "which the first kernel does not take"
