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


def test_no_method_imports_another() -> None:
    methods = {path.stem for path in (ROOT / "optimizers").glob("*.py")} - {"__init__"}
    for path, found in all_imports("optimizers").items():
        wrong = [
            module
            for module in found
            if any(inside(module, f"optimizers.{name}") for name in methods if name != path.stem)
        ]
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
