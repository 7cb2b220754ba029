"""`python -m nas_bench_suite.benchmarks.nasbench101`: import the official table, say what is installed, check
the surrogate."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys

from nas_bench_suite.messages import exit_code

COMMANDS = ("importer", "info", "check")  # modules with add_parser(subparsers), which sets `run`


def main(arguments: list[str] | None = None) -> int:
    """Run a command; a wrong file or option is one sentence and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m nas_bench_suite.benchmarks.nasbench101", description=__doc__.split(": ", 1)[1]
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    package = (
        __name__.rpartition(".")[0] if __name__ != "__main__" else "nas_bench_suite.benchmarks.nasbench101"
    )
    for name in COMMANDS:
        if importlib.util.find_spec(f"{package}.{name}") is not None:
            importlib.import_module(f"{package}.{name}").add_parser(subparsers)
    chosen = parser.parse_args(arguments)
    return exit_code(lambda: chosen.run(chosen))


if __name__ == "__main__":
    sys.exit(main())
