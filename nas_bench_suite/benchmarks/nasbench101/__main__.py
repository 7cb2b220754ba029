"""`python -m nas_bench_suite.benchmarks.nasbench101`: import the official table, say what is installed, check
the surrogate."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from nas_bench_suite.messages import Parser, exit_code

COMMANDS = ("importer", "info", "check")  # modules with add_parser(subparsers), which sets `run`


def main(arguments: list[str] | None = None) -> int:
    """Run a command; a wrong file or option is one sentence and exit code 2."""
    parser = Parser(
        prog="python -m nas_bench_suite.benchmarks.nasbench101", description=__doc__.split(": ", 1)[1]
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    package = (
        __name__.rpartition(".")[0] if __name__ != "__main__" else "nas_bench_suite.benchmarks.nasbench101"
    )
    for name in COMMANDS:
        if importlib.util.find_spec(f"{package}.{name}") is not None:
            importlib.import_module(f"{package}.{name}").add_parser(subparsers)

    def command() -> int:
        chosen = parser.parse_args(arguments)
        code: int = chosen.run(chosen)
        return code

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
