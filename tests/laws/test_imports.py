"""Imports go down only (ARCHITECTURE.md): the core knows no method and no analysis, methods do not import one
another, the analysis neither computes nor searches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def all_imports(folder: str) -> dict[Path, set[str]]:
    return {path: set(imports(path)) for path in (ROOT / folder).rglob("*.py")}


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def test_the_core_imports_no_method_and_no_analysis() -> None:
    for path, found in all_imports("nas_bench_suite").items():
        wrong = [
            module
            for module in found
            if inside(module, "optimizers") or inside(module, "analysis") or inside(module, "tests")
        ]
        assert not wrong, f"{path} imports {wrong}"


def room(path: Path) -> str:
    """What a module of `optimizers` belongs to: `tpe` for tpe/parzen.py, `bananas` for bananas.py."""
    return path.relative_to(ROOT / "optimizers").parts[0].removesuffix(".py")


def test_no_method_imports_another() -> None:
    """A method is a module or a package. A variant `x_y` may import the method `x` that it is named after;
    `parts` imports no method."""
    methods = {room(path) for path in (ROOT / "optimizers").rglob("*.py")} - {"__init__", "parts"}
    for path, found in all_imports("optimizers").items():
        others = {name for name in methods if not f"{room(path)}_".startswith(f"{name}_")}
        wrong = [module for module in found if any(inside(module, f"optimizers.{name}") for name in others)]
        assert not wrong, f"{path} imports {wrong}"
        assert not [module for module in found if inside(module, "analysis") or inside(module, "tests")], path


def test_the_analysis_reads_files_only() -> None:
    for path, found in all_imports("analysis").items():
        wrong = [
            module
            for module in found
            if any(inside(module, package) for package in ("torch", "hydra", "optimizers", "tests"))
        ]
        assert not wrong, f"{path} imports {wrong}"


def test_nothing_imports_studies_and_only_studies_import_bench() -> None:
    rooms = ("nas_bench_suite", "optimizers", "analysis", "bench", "examples")
    for folder in rooms:
        above = {"studies"} if folder == "bench" else {"studies", "bench"}
        for path, found in all_imports(folder).items():
            wrong = [module for module in found if any(inside(module, package) for package in above)]
            assert not wrong, f"{path} imports {wrong}"


def test_neither_speed_nor_studies_need_the_tests() -> None:
    for folder in ("bench", "studies"):
        paths = all_imports(folder)
        assert paths, folder
        for path, found in paths.items():
            assert not [module for module in found if inside(module, "tests")], path


# A study about another one: draws are held against folds of the surrogate's own fit.
ABOUT = {"draws": {"surrogate_fit"}}


def test_no_study_imports_another() -> None:
    studies = {path.parent.name for path in (ROOT / "studies").glob("*/__init__.py")}
    for path, found in all_imports("studies").items():
        own = path.relative_to(ROOT / "studies").parts[0]
        wrong = [
            module
            for module in found
            for name in studies - {own} - ABOUT.get(own, set())
            if inside(module, f"studies.{name}")
        ]
        assert not wrong, f"{path} imports {wrong}"
