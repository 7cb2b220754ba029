"""docs/add-an-optimizer.md: its code blocks, run as they stand in a copy of the project."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.copies import copy_project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-an-optimizer.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's two files in it."""
    names = ("bench", "conf", "nas_bench_suite", "optimizers", "tests", "run.py", "pyproject.toml")
    folder = copy_project(tmp_path_factory.mktemp("project"), *names)
    (code,), (config,) = blocks("python"), blocks("yaml")
    paths = re.findall(r"^`([\w/.]+)`:$", PAGE, flags=re.MULTILINE)
    assert [Path(path).suffix for path in paths] == [".py", ".yaml"]
    for path, text in zip(paths, (code, config)):
        (folder / path).write_text(text)
    return folder


def run(project: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable if word == "python" else word for word in shlex.split(command)]
    environment = os.environ | {"PYTHONPATH": str(project)}
    return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, timeout=240)


def test_the_example_is_as_short_as_promised() -> None:
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 30


def test_the_example_runs_and_beats_random_search(project: Path) -> None:
    done = run(project, blocks("bash")[0])
    assert done.returncode == 0, done.stderr
    errors = {
        name: float(value)
        for name, value in re.findall(r"^(\w+)\s+\*?([\d.]+) \+-", done.stdout, re.MULTILINE)
    }
    assert errors["greedy_mutation"] < errors["random"]


def test_the_example_keeps_the_laws(project: Path) -> None:
    done = run(project, blocks("bash")[1] + " -q -p no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 10  # type: ignore[index]
