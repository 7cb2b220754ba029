"""docs/your-own-method.md, as its reader follows it: the wheel, an empty folder, two files, one command.

The environment is new and has the wheel alone of this project. What the project depends on is taken from the
environment of the tests (a `.pth` file), as installing torch anew takes minutes; the editable installation of
that environment does not come along, since a `.pth` file that is named in another one is not read.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.copies import ROOT, copy_project

PAGE = (ROOT / "docs" / "your-own-method.md").read_text()
FILES = ("nas_bench_suite", "optimizers", "analysis", "conf")
MORE = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
PACKAGE = {
    "pyproject.toml": """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "theirs"
version = "1"

[project.entry-points."nas_bench_suite.configs"]
theirs = "theirs_package.conf"

[tool.setuptools]
packages = ["theirs_package", "theirs_package.conf.optimizer"]

[tool.setuptools.package-data]
"*" = ["*.yaml"]
""",
    "theirs_package/__init__.py": "from mine import Mine as Theirs\n",
    "theirs_package/conf/optimizer/theirs.yaml": "_target_: theirs_package.Theirs\nrestart: 0.5\n",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def pip(*words: str | Path) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def wheel(source: Path, target: Path) -> Path:
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", target, source)
    (made,) = target.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a new environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_project(folder / "source", *FILES, *MORE)
    environment = folder / "environment"
    venv.create(environment)
    python = environment / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", wheel(source, folder / "wheels"))
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return environment / "bin"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, and the page's two files."""
    folder = tmp_path_factory.mktemp("empty")
    names = re.findall(r"^`([\w/.]+)`:$", PAGE, flags=re.MULTILINE)
    assert [Path(name).suffix for name in names] == [".py", ".yaml"]
    for name, text in zip(names, (blocks("python")[0], blocks("yaml")[0])):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(binaries: Path, folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    first, *rest = shlex.split(command)
    return subprocess.run(
        [binaries / first, *rest], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )


def test_the_page_from_an_empty_folder(binaries: Path, folder: Path) -> None:
    where = run(binaries, folder, "python -c 'import nas_bench_suite; print(nas_bench_suite.__file__)'")
    assert Path(where.stdout).is_relative_to(binaries.parent), where.stdout
    command, laws, tables = (block.strip() for block in blocks("bash"))
    done = run(binaries, folder, command)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(\w+) +\*?([\d.]+) \+- ", done.stdout, flags=re.MULTILINE)  # of the closing table
    errors = {name: float(value) for name, value in rows}
    assert errors.keys() == {"mine", "remaade"}
    done = run(binaries, folder, laws)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 15  # type: ignore[index]
    done = run(binaries, folder, f"{tables} --no-run --trials 20 --benchmark planted")
    assert done.returncode == 0 and (folder / "outputs" / "tables" / "table3.md").exists(), done.stderr


def test_a_package_is_found_by_its_entry_point(binaries: Path, folder: Path, tmp_path: Path) -> None:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    pip(
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path / "installed",
        wheel(tmp_path, tmp_path / "w"),
    )
    words = "nas-bench-suite benchmark=planted budget=5 trials=2 optimizer"
    done = run(binaries, folder, f"{words}=theirs", PYTHONPATH=str(tmp_path / "installed"))
    assert done.returncode == 0 and "theirs" in done.stdout, done.stderr
    done = run(binaries, folder, f"{words}=theirs")  # without the package
    assert done.returncode == 2 and "optimizer=theirs is not known" in done.stderr
    done = run(binaries, folder, f"{words}=mine --config-dir conf optimizer.restart=2")
    assert done.returncode == 2 and "optimizer.restart=2 is out of range" in done.stderr


def test_a_name_that_is_taken_is_refused(binaries: Path, tmp_path: Path) -> None:
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "optimizer" / "random.yaml").write_text("_target_: mine.Mine\n")
    done = run(binaries, tmp_path, "nas-bench-suite --config-dir conf optimizer=random")
    assert done.returncode == 2 and "has the name of a config in" in done.stderr
    assert "Traceback" not in done.stderr
