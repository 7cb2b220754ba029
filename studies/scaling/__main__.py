"""`python -m studies.scaling`: runs what is missing, then builds `figures/scaling.png`, `.pdf` and `.csv`."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.result import scan
from nas_bench_suite import experiments, process
from nas_bench_suite.checks import ConfigError, check_int
from nas_bench_suite.messages import GOES_ON, Parser, exit_code
from nas_bench_suite.results import write_whole
from studies import scaling
from studies.drawing import ROOT
from studies.scaling.costs import costs_file, read_costs
from studies.scaling.figure import draw
from studies.scaling.jobs import EXPERIMENT, Job, jobs
from studies.scaling.table import curves, find, footer, table, to_csv


def run_missing(
    output_dir: Path, wanted: Sequence[Job], seed: int, trials: int | None, variables: Sequence[int] | None
) -> None:
    """Measure costs and run the jobs where something is missing; results that exist are found and kept."""
    folder = output_dir.resolve()
    path = costs_file(folder)
    measured = {n for _, n in read_costs(path)} if path.exists() else set()
    asked = {job.variables for job in wanted}
    if not asked <= measured:
        all_n = map(str, sorted(asked | measured))
        _python("-m", "studies.scaling.measure", "--output-dir", str(folder), "--variables", *all_n)
    runs = scan(folder, lambda sentence: print(f"warning: {sentence}", file=sys.stderr))
    if not find(runs, wanted, seed)[1]:
        return
    print(
        "running what the scaling study lacks; interrupt at any time, the same command goes on:", flush=True
    )
    if not trials and not variables:
        _python("run.py", "-m", f"+experiment={EXPERIMENT}", f"seed={seed}", f"output_dir={folder}")
        return
    # A draft, product by product: what the command line gives must not raise a product's own numbers.
    for product in experiments.products(EXPERIMENT):
        numbers = [
            n for n in str(product["benchmark.variables"]).split(",") if not variables or int(n) in variables
        ]
        if numbers:
            least = min(int(product["trials"]), trials or int(product["trials"]))
            own = {"benchmark.variables": ",".join(numbers), "trials": least}
            changed = {**product, **own, "seed": seed, "output_dir": folder}
            _python("run.py", "-m", *(f"{key}={value}" for key, value in changed.items()))


def _python(*words: str) -> None:
    process.run([sys.executable, *words], ROOT)


def build(output_dir: Path, wanted: Sequence[Job], seed: int) -> dict[str, str]:
    """Write `figures/scaling.{png,pdf,csv}`. Returns what is missing, by name.

    Raises:
        ConfigError: if there is no result at all, or nobody measured the costs.
    """
    import matplotlib

    from analysis.axes import DPI, RC

    points, missing = find(scan(output_dir), wanted, seed)
    if not points:
        raise ConfigError(
            f"{output_dir} has no result of the scaling study; to make them: python run.py -m "
            f"+experiment={EXPERIMENT}."
        )
    costs = read_costs(costs_file(output_dir))
    rows, folder = table(points, costs), output_dir / "figures"
    write_whole(folder / "scaling.csv", to_csv(rows).encode())
    with matplotlib.rc_context(RC):
        figure = draw(curves(rows, costs), footer(points, seed))
        for ending in ("png", "pdf"):
            buffer = io.BytesIO()
            undated = {"CreationDate": None} if ending == "pdf" else {"Software": None}
            figure.savefig(buffer, format=ending, dpi=DPI, metadata=undated)
            write_whole(folder / f"scaling.{ending}", buffer.getvalue())
    return missing


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 2 for wrong input or damaged files, 130 when
    interrupted."""
    parser = Parser(
        prog="python -m studies.scaling",
        description=scaling.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path("outputs"),
        help="where results lie and what is built goes (outputs)",
    )
    parser.add_argument("--trials", type=int, help="at most that many trials per point (the experiment's)")
    parser.add_argument("--variables", type=int, nargs="+", help="the N wanted (all of the experiment's)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the study")
    parser.add_argument("--no-run", action="store_true", help="build from what is there, run nothing")
    return exit_code(lambda: _run(parser.parse_args(arguments)), GOES_ON)


def _run(options: argparse.Namespace) -> int:
    if options.trials is not None:
        check_int("--trials", options.trials, 2)
    wanted = jobs(options.trials, options.variables)
    known = sorted({job.variables for job in jobs()})
    if options.variables and set(options.variables) - set(known):
        given = " ".join(map(str, options.variables))
        raise ConfigError(f"--variables={given} is not of the study; accepted: {', '.join(map(str, known))}.")
    options.output_dir.mkdir(parents=True, exist_ok=True)
    if not options.no_run:
        run_missing(options.output_dir, wanted, options.seed, options.trials, options.variables)
    missing = build(options.output_dir, wanted, options.seed)
    for name, reason in missing.items():
        print(f"note: {name}: {reason}", file=sys.stderr)
    print(options.output_dir / "figures" / "scaling.{png,pdf,csv}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
