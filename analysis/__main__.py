"""`python -m analysis tables | figures | report | paper`: run what is missing, then build from the result
files alone. `python -m analysis compare`: one table of everything that was run on a benchmark. `python -m
analysis verdicts`: what becomes of each claim of the paper over draws of the table and readings of the
protocol. `python -m analysis readings`: which reading of the protocol comes nearest to the paper's tables.
`python -m analysis journal FILE`: what the journal of a search over your own function holds, as a figure and
a CSV."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.selection import FULL_TRIALS, Study
from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError, check_choice, check_int, nearest
from nas_bench_suite.messages import GOES_ON, Parser, exit_code
from nas_bench_suite.results import LARGEST

if TYPE_CHECKING:
    from analysis.table import Table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 2 for wrong input or damaged files, 130 when
    interrupted."""
    parser = Parser(prog="python -m analysis", description=__doc__)
    parser.add_argument("what", choices=(*BUILD, *SHOW, "journal"))
    parser.add_argument("file", nargs="?", type=Path, help="journal: the file")
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path("outputs"),
        help="where results lie and what is built goes (outputs)",
    )
    parser.add_argument(
        "--trials",
        type=int,
        help="trials per row (500; fewer are a draft); verdicts, readings: the experiments' own",
    )
    parser.add_argument(
        "--benchmark", default="nasbench101_surrogate", help="label of the benchmark's config"
    )
    parser.add_argument(
        "--seed",
        type=int,
        action="append",
        help="seed of the study (0); compare: only results of this seed (any; may be repeated)",
    )
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
    parser.add_argument(
        "--protocol",
        action="append",
        default=[],
        metavar="NAME|KEY=VALUE",
        help="compare: only results under this protocol, or this rule of one (run=mean)",
    )
    parser.add_argument(
        "--draw",
        type=int,
        action="append",
        default=[],
        help="compare: only results on this draw of the table",
    )
    parser.add_argument(
        "--by", default="", metavar="AXIS", help="compare: a column for each protocol, seed or draw"
    )
    parser.add_argument(
        "--join", default="", metavar="AXES", help="compare: join seed, draw or both (seed,draw)"
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="LABEL",
        help="tables, figures, report: a method of your own, below the paper's rows (may be repeated)",
    )
    parser.add_argument(
        "--config-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder with the configs of your own methods, as of python run.py",
    )
    return exit_code(lambda: _build(parser.parse_args(arguments)), GOES_ON)


def _build(options: argparse.Namespace) -> int:
    if options.what == "journal":
        if options.file is None:
            raise ConfigError("journal needs a FILE; accepted: one that search(..., journal=FILE) wrote.")
        _journal(options)
        return 0
    if options.file is not None:
        raise ConfigError(f"{options.what} takes no file ({options.file}); accepted: journal FILE.")
    from analysis import missing
    from analysis.result import scan

    trials = FULL_TRIALS if options.trials is None else check_int("--trials", options.trials, 2, LARGEST)
    seeds = options.seed or []
    for given in seeds:
        check_int("--seed", given, 0)
    if len(seeds) > 1 and options.what != "compare":
        raise ConfigError(f"--seed is given {len(seeds)} times; accepted: once (`compare` takes several).")
    seed = seeds[0] if seeds else 0
    for folder in options.config_dir:
        experiments.use_folder(folder)
    also = _also(options)
    check_int("--budget", options.budget, 1, LARGEST)
    began = time.perf_counter()
    if not options.no_run and options.what in BUILD:
        check_choice("--benchmark", options.benchmark, experiments.names("benchmark"))
        options.output_dir.mkdir(parents=True, exist_ok=True)
        missing.run(options.output_dir, options.benchmark, trials, seed, also)
    problems: list[str] = []
    study = Study(scan(options.output_dir, problems.append), options.benchmark, trials, seed, also)
    for sentence in problems:
        print(f"error: {sentence}", file=sys.stderr)
    for sentence in study.left_out:
        print(f"note: {sentence}", file=sys.stderr)
    if options.what in SHOW:
        SHOW[options.what](study, options)
        return 2 if problems else 0
    for sentence in BUILD[options.what](study, options.output_dir):
        print(f"note: {sentence}", file=sys.stderr)
    draft = f" (draft, {study.trials} of {FULL_TRIALS} trials)" if study.draft else ""
    print(f"{options.output_dir / options.what}{draft}: built in {time.perf_counter() - began:.0f} s.")
    return 2 if problems else 0


def _also(options: argparse.Namespace) -> tuple[str, ...]:
    """The labels of `--also`; raises `ConfigError` for one that is not known, or is a row already."""
    labels = tuple(dict.fromkeys(label for given in options.also for label in given.split(",")))
    if labels and options.what not in BUILD:
        raise ConfigError(f"--also has no use with {options.what}; accepted with: {', '.join(BUILD)}.")
    if not labels:
        return ()
    from analysis.material import BY_BUDGET

    known = experiments.names("optimizer")
    for label in labels:
        if label in {name for shown in BY_BUDGET.values() for name in shown}:
            raise ConfigError(f"--also {label} is a row of the tables already; accepted: another method.")
        if label not in known:
            raise ConfigError(
                f"--also {label} is not known{nearest(label, known)}; accepted: a file of conf/optimizer, or "
                "of optimizer/ in a --config-dir."
            )
    return labels


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
    from analysis.compare import Choice, compare

    pairs = [word.partition("=") for word in options.option]
    for word, (key, equals, value) in zip(options.option, pairs):
        if not (key and equals and value):
            raise ConfigError(f"--option {word} does not fit; accepted: KEY=VALUE, as in dataset=cifar100.")
    choice = Choice(
        options.protocol,
        options.seed or (),
        [check_int("--draw", draw, 0) for draw in options.draw],
        [axis for axis in options.join.split(",") if axis],
        options.by,
    )
    values = {key: value for key, _, value in pairs}
    _show(compare(study, options.budget, options.reference, values, choice), options.output_dir)


def _verdicts(study: Study, options: argparse.Namespace) -> None:
    from analysis.claims_over_draws import build_all

    for table in build_all(study, options.trials):
        _show(table, options.output_dir)


def _readings(study: Study, options: argparse.Namespace) -> None:
    from analysis import readings

    _show(readings.build(study, options.trials), options.output_dir)


def _journal(options: argparse.Namespace) -> None:
    from analysis import journal

    journal.show(options.file, options.output_dir)


def _show(table: Table[Any], output_dir: Path) -> None:
    """Write a table and print it."""
    table.write(output_dir / "tables")
    print(table.to_markdown())
    print(f"{output_dir / 'tables' / table.name}.{{tex,md,csv}}")


def _figures(study: Study, output_dir: Path) -> list[str]:
    from analysis.figures import draw_all
    from analysis.material import Material

    material = Material(study)
    written, left_out = draw_all(material, output_dir / "figures")
    print(f"{len(written)} figures, each as PNG and PDF")
    return left_out + [f"{name}: {reason}" for name, reason in material.missing.items()]


def _paper(study: Study, output_dir: Path) -> list[str]:
    from analysis.paper import write_paper

    return write_paper(study, output_dir)


def _report(study: Study, output_dir: Path) -> list[str]:
    from analysis.report import write_report

    return write_report(study, output_dir)


# What runs what is missing first, and what shows what is there.
BUILD: dict[str, Callable[[Study, Path], list[str]]] = {
    "tables": _tables,
    "figures": _figures,
    "report": _report,
    "paper": _paper,
}
SHOW: dict[str, Callable[[Study, argparse.Namespace], None]] = {
    "compare": _compare,
    "verdicts": _verdicts,
    "readings": _readings,
}

if __name__ == "__main__":
    sys.exit(main())
