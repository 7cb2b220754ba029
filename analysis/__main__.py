"""`python -m analysis tables | figures | report`: run what is missing, then build from the result files
alone. `python -m analysis compare`: one table of everything that was run on a benchmark."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from analysis.selection import FULL_TRIALS, Study
from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError, check_choice, check_int
from nas_bench_suite.messages import GOES_ON, Parser, exit_code
from nas_bench_suite.results import LARGEST


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 2 for wrong input or damaged files, 130 when
    interrupted."""
    parser = Parser(prog="python -m analysis", description=__doc__)
    parser.add_argument("what", choices=("tables", "figures", "report", "compare"))
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path("outputs"),
        help="where results lie and what is built goes (outputs)",
    )
    parser.add_argument(
        "--trials", type=int, default=FULL_TRIALS, help="trials per row; fewer than 500 are a draft"
    )
    parser.add_argument(
        "--benchmark", default="nasbench101_surrogate", help="label of the benchmark's config"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the study")
    parser.add_argument("--no-run", action="store_true", help="build from what is there, run nothing")
    parser.add_argument(
        "--budget", type=int, default=150, help="compare: queries of the runs to compare (150)"
    )
    parser.add_argument(
        "--reference", default="random", help="compare: label that the others are tested against (random)"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="compare: a benchmark's option (dataset=cifar100)",
    )
    return exit_code(lambda: _build(parser.parse_args(arguments)), GOES_ON)


def _build(options: argparse.Namespace) -> int:
    from analysis import missing
    from analysis.result import scan

    check_int("--trials", options.trials, 2, LARGEST)
    check_int("--seed", options.seed, 0)
    check_int("--budget", options.budget, 1, LARGEST)
    began = time.perf_counter()
    if not options.no_run and options.what != "compare":
        check_choice("--benchmark", options.benchmark, experiments.names("benchmark"))
        options.output_dir.mkdir(parents=True, exist_ok=True)
        missing.run(options.output_dir, options.benchmark, options.trials, options.seed)
    problems: list[str] = []
    study = Study(scan(options.output_dir, problems.append), options.benchmark, options.trials, options.seed)
    for sentence in problems:
        print(f"error: {sentence}", file=sys.stderr)
    for sentence in study.left_out:
        print(f"note: {sentence}", file=sys.stderr)
    build = {"tables": _tables, "figures": _figures, "report": _report}
    if options.what == "compare":
        _compare(study, options)
        return 2 if problems else 0
    for sentence in build[options.what](study, options.output_dir):
        print(f"note: {sentence}", file=sys.stderr)
    draft = f" (draft, {study.trials} of {FULL_TRIALS} trials)" if study.draft else ""
    print(f"{options.output_dir / options.what}{draft}: built in {time.perf_counter() - began:.0f} s.")
    return 2 if problems else 0


def _tables(study: Study, output_dir: Path) -> list[str]:
    from analysis import tables

    built = tables.build_all(study, output_dir)
    notes = tables.write_all(built, output_dir / "tables")
    for table in built:
        print(f"{table.name}: {table.complete} of {len(table.data)} rows")
    return notes + [
        f"{table.name}: {note}" for table in built for note in table.notes if note.startswith("Missing")
    ]


def _compare(study: Study, options: argparse.Namespace) -> None:
    from analysis.compare import compare

    pairs = [word.partition("=") for word in options.option]
    for word, (key, equals, value) in zip(options.option, pairs):
        if not (key and equals and value):
            raise ConfigError(f"--option {word} does not fit; accepted: KEY=VALUE, as in dataset=cifar100.")
    table = compare(study, options.budget, options.reference, {key: value for key, _, value in pairs})
    table.write(options.output_dir / "tables")
    print(table.to_markdown())
    print(f"{options.output_dir / 'tables' / table.name}.{{tex,md,csv}}")


def _figures(study: Study, output_dir: Path) -> list[str]:
    from analysis.figures import draw_all
    from analysis.material import Material

    material = Material(study)
    written, left_out = draw_all(material, output_dir / "figures")
    print(f"{len(written)} figures, each as PNG and PDF")
    return left_out + [f"{name}: {reason}" for name, reason in material.missing.items()]


def _report(study: Study, output_dir: Path) -> list[str]:
    from analysis.report import write_report

    return write_report(study, output_dir)


if __name__ == "__main__":
    sys.exit(main())
