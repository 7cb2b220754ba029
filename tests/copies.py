"""Copies of the project that a test may edit."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]


def copy_project(folder: Path, *names: str) -> Path:
    """Copy folders and files of the project into `folder`, the pictures of docs/ left out.

    Compiled kernels come along, which saves most of a copy's first seconds; another test may be compiling,
    so a file may be gone before it is copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("images")
            shutil.copytree(source, folder / name, ignore=ignored, copy_function=_copy_if_there)
        else:
            shutil.copy2(source, folder / name)
    return folder


def _copy_if_there(source: str, target: str) -> str:
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)
    return target
