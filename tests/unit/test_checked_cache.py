"""Compiled kernels on disk: what is damaged is compiled anew, what cannot be written is done without."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nas_bench_suite.numba_cache  # noqa: F401

SOURCE = """
from numba import njit

@njit(cache=True)
def double(x):
    return 2 * x
"""


def kernel(folder: Path) -> Any:
    """The kernel, imported anew."""
    path = folder / "kernel_of_a_test.py"
    if not path.exists():
        path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.double


def hits(folder: Path) -> int:
    """How many signatures came from the cache when both were called; both answers are right."""
    double = kernel(folder)
    assert double(21) == 42 and double(0.5) == 1.0
    found: int = sum(double.stats.cache_hits.values())
    return found


def files(folder: Path, ending: str) -> list[Path]:
    return sorted((folder / "__pycache__").glob(f"*.{ending}"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [cut, empty, garbage, one_bit, Path.unlink])
def test_a_damaged_file_is_compiled_anew(damage: Callable[[Path], None], ending: str, tmp_path: Path) -> None:
    assert hits(tmp_path) == 0 and hits(tmp_path) == 2
    for path in files(tmp_path, ending):
        damage(path)
    assert hits(tmp_path) == 0
    assert hits(tmp_path) == 2


def test_files_that_changed_places_are_not_taken_for_each_other(tmp_path: Path) -> None:
    hits(tmp_path)
    first, second = files(tmp_path, "nbc")
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert hits(tmp_path) == 0 and hits(tmp_path) == 2


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    hits(tmp_path)
    for path in files(tmp_path, "nbi"):
        folder_instead(path)
    assert hits(tmp_path) == 0 and hits(tmp_path) == 0
    assert not list(tmp_path.rglob("*.tmp.*"))


def test_no_folder_for_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__pycache__").write_text("a file where the folder would be")
    monkeypatch.setenv("HOME", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    assert hits(tmp_path) == 0
