"""How a result came about: the code behind it, the commit that holds it, versions and machine.

The *closure* of some modules is what they import inside the project, directly or not: the files whose text
decides what a search does. A package's `__init__.py` counts where a name is defined in it, or where it does
more than hand names on; imports for type checkers alone do not count.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import inspect
import platform
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypedDict

from nas_bench_suite.benchmark import BENCHMARKS, Benchmark
from nas_bench_suite.optimizer import Optimizer

PROJECT = ("nas_bench_suite", "optimizers")
_VERSIONS = ("numpy", "numba", "torch", "scipy", "scikit-learn", "hydra-core", "pyarrow", "nas-bench-suite")


class BenchmarkRecord(TypedDict):
    """What a manifest says of a benchmark: some of its `Facts`, and the options of its configuration."""

    name: str
    description: str
    source: str
    checksum: str
    surrogate: bool
    notice: str | None
    options: dict[str, Any]


class Provenance(TypedDict):
    """What a manifest says of how a block came about."""

    key: str
    versions: dict[str, str | None]
    commit: str | None  # None: no commit holds all of the code
    dirty: bool | None  # the working tree differs from the commit; None: not known
    source_hash: str
    benchmark: BenchmarkRecord
    host: str
    platform: str
    device: str
    command: list[str]


class GitState(NamedTuple):
    """The commit that holds some files, and whether the working tree differs from it; None: not known."""

    commit: str | None
    dirty: bool | None


def provenance(
    key: str, optimizer: Optimizer, benchmark: Benchmark, options: dict[str, Any], device: str
) -> Provenance:
    """Describe a job.

    Args:
        key: of its configuration.
        optimizer, benchmark: of the job.
        options: the benchmark's section of the configuration.
        device: where torch methods compute.
    """
    facts = benchmark.facts()
    files = sources(optimizer, benchmark, str(options.get("name", "")))
    commit, dirty = git_state(files)
    checksum = facts["checksum"]
    return {
        "key": key,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _VERSIONS}},
        "commit": commit,
        "dirty": dirty,
        "source_hash": f"{source_hash(files)}-{checksum[:16]}",
        "benchmark": {
            "name": facts["name"],
            "description": facts["description"],
            "source": facts["source"],
            "checksum": checksum,
            "surrogate": facts["surrogate"],
            "notice": facts.get("notice"),
            "options": options,
        },
        "host": socket.gethostname(),
        "platform": f"{platform.machine()} {platform.system()}",
        "device": device,
        "command": list(sys.argv),
    }


def sources(optimizer: Optimizer, benchmark: Benchmark, name: str = "") -> dict[str, Path]:
    """The files that decide what a search does, by module: the closure of the loop, the method (and what it
    uses, see `Optimizer.uses`) and the benchmark (and the module that makes the benchmark called `name`)."""
    roots = ["nas_bench_suite.search", type(optimizer).__module__, type(benchmark).__module__]
    roots += [used.__module__ for used in optimizer.uses()]
    roots.append(BENCHMARKS.get(name, name).partition(":")[0])
    return closure(roots)


def closure(roots: Iterable[str]) -> dict[str, Path]:
    """The modules `roots` and what they import inside the project: dotted name -> file. A root outside the
    project's packages brings its own top-level package into the project."""
    roots = list(roots)
    packages = {root.partition(".")[0] for root in roots} | set(PROJECT)
    found: dict[str, Path] = {}
    open_modules = roots
    while open_modules:
        module = open_modules.pop()
        if module in found or module.partition(".")[0] not in packages:
            continue
        path = _file(module)
        if path is None:
            continue
        found[module] = path
        open_modules += _imports(module, path, path.stat().st_mtime_ns)
    for module in list(found):
        for parent in _parents(module):
            path = _file(parent)
            if parent not in found and path is not None and _does_more(path, path.stat().st_mtime_ns):
                found[parent] = path
    return dict(sorted(found.items()))


def source_hash(files: dict[str, Path]) -> str:
    """Sixteen hexadecimal digits for the names and the content of modules."""
    digest = hashlib.sha256()
    for module, path in sorted(files.items()):
        digest.update(module.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def git_state(files: dict[str, Path] | None = None) -> GitState:
    """The commit of the working tree that the suite runs from.

    Args:
        files: the code behind a result. If the commit lacks one of them (it is untracked, or lies elsewhere),
            there is no commit to name.

    Returns:
        The commit, and whether tracked files differ from it or source files are untracked.
    """
    root = Path(__file__).resolve().parents[1]
    commit, dirty, tracked = _repository(root)
    if commit is None:
        return GitState(None, None)
    lacking = any(path.resolve() not in tracked for path in (files or {}).values())
    return GitState(None, True) if lacking else GitState(commit, dirty)


@lru_cache(maxsize=1)
def _repository(root: Path) -> tuple[str | None, bool | None, frozenset[Path]]:
    """Commit, whether the working tree differs, and the tracked files below `root`."""
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "--", "*.py", "*.yaml")
    names = _git(root, "ls-files", "-z")
    if status is None or untracked is None or names is None:
        return None, None, frozenset()
    tracked = frozenset((root / name).resolve() for name in names.split("\0") if name)
    return _git(root, "rev-parse", "HEAD"), bool(status or untracked), tracked


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _file(module: str) -> Path | None:
    """The source file of a module; None if there is none (a namespace, a name that is no module)."""
    top, _, rest = module.partition(".")
    loaded = sys.modules.get(module)
    if loaded is not None:
        return _loaded_file(loaded)
    package = sys.modules.get(top)
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    for folder in folders:
        base = folder.joinpath(*rest.split(".")) if rest else folder
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return path
    return None


def _loaded_file(module: ModuleType) -> Path | None:
    try:
        path = Path(inspect.getsourcefile(module) or "")
    except TypeError:
        return None
    return path if path.is_file() else None


def _parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    for length in range(1, len(parts)):
        yield ".".join(parts[:length])


@lru_cache(maxsize=4096)
def _tree(path: Path, written: int) -> ast.Module:
    """The parsed source of a file as it was at the time `written`."""
    return ast.parse(path.read_bytes())


def _imports(module: str, path: Path, written: int) -> list[str]:
    """The modules that a file imports, anywhere in it but under `if TYPE_CHECKING`, names followed to where
    they are defined."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    out: list[str] = []
    for node in _statements(_tree(path, written)):
        if isinstance(node, ast.Import):
            out += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                out += _defined_in(base, alias.name)
    return out


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, without what type checkers alone read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in node.orelse:
                yield other
                yield from _statements(other)
            continue
        yield node
        yield from _statements(node)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of the module that `from ... import` names."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def _defined_in(module: str, name: str) -> list[str]:
    """The module that `from module import name` takes the name from: a submodule, the module that a package
    hands on, or the module itself."""
    if _file(f"{module}.{name}") is not None:
        return [f"{module}.{name}"]
    path = _file(module)
    if path is None or path.name != "__init__.py":
        return [module]
    for node in _statements(_tree(path, path.stat().st_mtime_ns)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _defined_in(_absolute(node, module), alias.name)
    return [module]


def _does_more(path: Path, written: int) -> bool:
    """Whether a package's `__init__.py` does more than describe itself and hand names on."""
    for node in _tree(path, written).body:
        described = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        listed = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__all__", "__version__")
        if not (described or listed or isinstance(node, (ast.Import, ast.ImportFrom))):
            return True
    return False
