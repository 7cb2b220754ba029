"""Provenance: which code a result says it was made by, and which commit holds it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nas_bench_suite import load_benchmark
from nas_bench_suite.build import make_optimizer
from nas_bench_suite.provenance import closure, git_state, source_hash, sources
from tests.copies import copy_project
from tests.laws.collect import composed

HASHES = """
import importlib, json, sys
from pathlib import Path
from nas_bench_suite.benchmark import BENCHMARKS
from nas_bench_suite.build import make_optimizer
from nas_bench_suite.experiments import compose
from nas_bench_suite.provenance import source_hash, sources

def benchmark(name):  # not initialised, as its class is all that is asked for
    module, cls = BENCHMARKS[name].split(":")
    cls = getattr(importlib.import_module(module), cls)
    return cls.__new__(cls)

methods = {name: make_optimizer(compose({"optimizer": name})["optimizer"]) for name in sys.argv[1].split()}
benchmarks = {name: benchmark(name) for name in sys.argv[2].split()}

def hashes():
    return {
        f"{m} {b}": source_hash(sources(methods[m], benchmarks[b], b)) for m in methods for b in benchmarks
    }

found = {"": hashes()}
for name in sys.argv[3:]:
    path = Path(name)
    content = path.read_text()
    path.write_text(content + "\\n# edited\\n")
    found[name] = hashes()
    path.write_text(content)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code that a test may edit."""
    return copy_project(tmp_path_factory.mktemp("checkout"), "nas_bench_suite", "optimizers", "conf")


@dataclass
class Edit:
    """A line appended to one file marks the results of these methods and benchmarks, and no other."""

    path: str
    methods: set[str]
    benchmarks: set[str]


METHODS, BENCHMARKS = {"tpe", "random", "remaade", "reinforce_made"}, {"planted", "nasbench101_surrogate"}
EDITS = [
    Edit("optimizers/tpe/parzen.py", {"tpe"}, BENCHMARKS),
    Edit("optimizers/random_search.py", {"random"}, BENCHMARKS),
    Edit("optimizers/reinforce/method.py", {"remaade", "reinforce_made"}, BENCHMARKS),
    Edit("optimizers/reinforce/policies/made.py", {"reinforce_made"}, BENCHMARKS),
    Edit("optimizers/bananas.py", set(), BENCHMARKS),
    Edit("nas_bench_suite/space.py", METHODS, BENCHMARKS),
    Edit("nas_bench_suite/ledger.py", METHODS, BENCHMARKS),
    Edit("nas_bench_suite/benchmarks/nasbench101/cells.py", METHODS, {"nasbench101_surrogate"}),
    Edit("nas_bench_suite/benchmarks/planted.py", METHODS, {"planted"}),
    Edit("nas_bench_suite/benchmarks/large.py", METHODS, set()),
    Edit("nas_bench_suite/console.py", METHODS, set()),
]


@pytest.fixture(scope="module")
def hashes(checkout: Path) -> dict[str, dict[str, str]]:
    """By edited file ("": none): the source hash of each "method benchmark"."""
    words = [" ".join(sorted(METHODS)), " ".join(sorted(BENCHMARKS)), *(edit.path for edit in EDITS)]
    done = subprocess.run(
        [sys.executable, "-c", HASHES, *words], cwd=checkout, capture_output=True, text=True, check=True
    )
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.path)
def test_an_edit_marks_the_results_that_it_can_change(edit: Edit, hashes: dict[str, dict[str, str]]) -> None:
    before, after = hashes[""], hashes[edit.path]
    changed = {pair for pair in before if before[pair] != after[pair]}
    assert changed == {f"{method} {name}" for method in edit.methods for name in edit.benchmarks}


def test_the_closure_follows_imports_to_where_names_are_defined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that hands names on does not bring everything that it hands on; what only type checkers read
    does not count; a package with code of its own does."""
    folder = tmp_path / "made_up_project"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from made_up_project.one import a\nfrom made_up_project.two import b\n"
    )
    (folder / "one.py").write_text("a = 1\n")
    (folder / "two.py").write_text("b = 2\n")
    (folder / "three.py").write_text("c = 3\n")
    (folder / "method.py").write_text(
        "from typing import TYPE_CHECKING\nfrom . import a\nif TYPE_CHECKING:\n    from .three import c\n"
        "def later():\n    from made_up_project.inner import deep\n"
    )
    (folder / "inner").mkdir()
    (folder / "inner" / "__init__.py").write_text("print('code of its own')\n")
    (folder / "inner" / "deep.py").write_text("import os\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("made_up_project.method")
    try:
        found = closure(["made_up_project.method"])
    finally:
        for name in [name for name in sys.modules if name.startswith("made_up_project")]:
            del sys.modules[name]
    names = {name.removeprefix("made_up_project.") for name in found}
    assert names == {"method", "one", "inner.deep", "inner"}


def git(root: Path, *words: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    return subprocess.run(
        ["git", *identity, *words], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()


STATE = """
from pathlib import Path
from nas_bench_suite.provenance import git_state
for extra in ({}, {"mine": Path("mine.py").resolve()}):
    print(*git_state({"search": Path("nas_bench_suite/search.py").resolve()} | extra))
"""


@pytest.fixture
def repository(checkout: Path, tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    shutil.copytree(checkout, root, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    (root / ".gitignore").write_text("__pycache__/\noutputs/\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "All of it")
    return root


def states(root: Path) -> list[list[str]]:
    done = subprocess.run([sys.executable, "-c", STATE], cwd=root, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_a_commit_is_named_only_if_it_holds_the_code(repository: Path) -> None:
    """An untracked source file makes a result dirty, and there is no commit to name for a method that lies in
    none."""
    commit = git(repository, "rev-parse", "HEAD")
    assert states(repository) == [[commit, "False"], ["None", "True"]]
    (repository / "outputs").mkdir()
    (repository / "outputs" / "ignored.py").write_text("")
    (repository / "notes.txt").write_text("no source file")
    assert states(repository)[0] == [commit, "False"]
    (repository / "mine.py").write_text("")
    assert states(repository) == [[commit, "True"], ["None", "True"]]
    git(repository, "add", "mine.py")
    git(repository, "commit", "-qm", "Mine")
    commit = git(repository, "rev-parse", "HEAD")
    assert states(repository) == [[commit, "False"]] * 2
    (repository / "mine.py").write_text("# changed\n")
    assert states(repository) == [[commit, "True"]] * 2
    shutil.rmtree(repository / ".git")
    assert states(repository)[0][0] == "None"


def test_the_hash_covers_names_and_content(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("2")
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    assert source_hash({"a": a, "b": b}) == source_hash({"b": b, "a": a})
    assert len({source_hash({"a": a}), source_hash({"b": a}), source_hash({"a": b})}) == 3


def test_this_checkout_knows_its_own_files() -> None:
    config = composed("optimizer=remaade", "benchmark=planted")
    files = sources(make_optimizer(config["optimizer"]), load_benchmark("planted"), "planted")
    assert {"nas_bench_suite.search", "optimizers.reinforce.policies.maade"} <= set(files)
    assert not [name for name in files if name.startswith("analysis") or name.endswith(".made")]
    assert git_state(files).dirty is not False or git_state(files).commit is not None
