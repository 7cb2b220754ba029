"""`info`: what table is installed, its checksum, the facts that hold and those that do not."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nas_bench_suite.benchmarks.nasbench101 import tablefile


def describe(header: dict[str, Any], path: Path) -> str:
    """Some lines about a table."""
    source = header["source"]
    cells = header["checked"][0]["found"]
    failed = [entry for entry in header["checked"] if not entry["holds"]]
    lines = [
        f"{path} ({path.stat().st_size / 1e6:.1f} MB)",
        f"  from       {source['name']}: {source['records']:,} records, {source['bytes']:,} bytes",
        f"  holds      {cells:,} cells, three runs each at {', '.join(map(str, header['budgets']))} epochs",
        f"  checksum   {header['checksum']}",
    ]
    if header["partial"]:
        lines.insert(1, "  PARTIAL: it lacks cells; a query of one of these is an error")
    for entry in header["checked"]:
        mark = "holds" if entry["holds"] else "FAILS"
        lines.append(
            f"  {mark}      {entry['fact']}: {_number(entry['found'])} (expected: "
            f"{_number(entry['expected'])})"
        )
    held = len(header["checked"]) - len(failed)
    verdict = ": this is not the official table" if failed and not header["partial"] else ""
    lines.append(f"  {held} of {len(header['checked'])} facts hold{verdict}")
    return "\n".join(lines)


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"


def add_parser(subparsers: Any) -> None:
    """The `info` command."""
    parser = subparsers.add_parser(
        "info", help="say what table is installed and check it", description=__doc__
    )
    parser.add_argument("file", nargs="?", help="a table (default: the installed one)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Describe the installed table, its checksum computed anew."""
    path = Path(arguments.file).expanduser() if arguments.file else tablefile.default_path()
    header, arrays = tablefile.read(path)
    print(describe(header, path))
    same = tablefile.checksum(arrays) == header["checksum"]
    print(
        "  checksum computed anew: " + ("the same" if same else "DIFFERENT, import the official file again")
    )
    return 0 if same else 2
