"""`python -m analysis scaling`: parameters, quality and seconds against the number N of variables
(docs/scaling.md), one figure and its numbers.

Runs what is missing (`conf/experiment/scaling.yaml`, `bench/scaling.py`), then builds `figures/scaling.png`,
`.pdf` and `.csv` below the output folder from the result files alone.

Notation: *regret* is the optimum's test accuracy less that of a search's incumbent, both means over runs, in
percentage points; on the benchmark `large` both are exact. *Seconds* are processor seconds of the method
itself a trial, as `bench/scaling.py` measured them: start, and as many batches as the budget has. An
*exponent* b is the least-squares slope of log y = a + b log N over all N that have a y.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis import statistics
from analysis.figures import DPI, RC, WIDTH
from analysis.provenance import commits
from analysis.runs import RunInfo, scan
from analysis.selection import CONF, Found, Study
from analysis.style import order, style
from nas_bench_suite.benchmark import load_benchmark
from nas_bench_suite.checks import ConfigError, check_int
from nas_bench_suite.messages import GOES_ON, exit_code
from nas_bench_suite.results import write_whole

EXPERIMENT = "scaling"
# label -> policy
POLICIES = {"remaade": "maade", "reinforce_made": "made", "reinforce_nade": "nade", "reinforce_lstm": "lstm"}
REFERENCE = "remaade"
BATCH = 30  # queries a gradient step, in every config of the study
LEAST_FOR_INTERVAL = 10  # with fewer trials a bootstrap says nothing


@dataclass(frozen=True)
class Job:
    """One point of the study."""

    label: str
    variables: int
    budget: int
    trials: int


@dataclass
class Point:
    """A job with a result: regret by trial, in percentage points, and the ledger's wall-clock seconds of the
    method, a trial."""

    job: Job
    found: Found
    regret: Any  # pandas.Series indexed by trial
    wall_seconds: float

    @property
    def described(self) -> statistics.Description:
        """Mean, SD and interval of the regret; too few trials have no interval (NaN)."""
        described = statistics.describe(self.regret.to_numpy())
        return (
            described
            if described.n >= LEAST_FOR_INTERVAL
            else described._replace(interval=statistics.Interval(np.nan, np.nan))
        )


@dataclass(frozen=True)
class Cost:
    """What a policy costs at N variables: parameters of its context layer and of all, processor seconds of
    the start and of a batch, a trial (NaN where it is too large to be run)."""

    context_parameters: int
    all_parameters: int
    start_seconds: float
    batch_seconds: float

    def seconds(self, budget: int) -> float:
        """A trial of `budget` queries."""
        return self.start_seconds + -(-budget // BATCH) * self.batch_seconds


Costs = dict[tuple[str, int], Cost]  # by policy and N


def read_costs(path: Path) -> Costs:
    """The file of `bench/scaling.py`.

    Raises:
        ConfigError: if it is unreadable or has other columns.
    """
    kinds = {"context_parameters": int, "all_parameters": int, "start_seconds": float, "batch_seconds": float}
    try:
        with open(path, newline="") as file:
            return {
                (row["policy"], int(row["N"])): Cost(
                    **{name: kind(row[name]) for name, kind in kinds.items()}
                )
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}); accepted: a CSV file with columns policy, N, "
            f"{', '.join(kinds)}. To make it: "
            f"python -m bench.scaling --output-dir {path.parent.parent}."
        ) from None


def _products() -> list[dict[str, Any]]:
    from omegaconf import OmegaConf

    content: Any = OmegaConf.to_container(OmegaConf.load(CONF / "experiment" / f"{EXPERIMENT}.yaml"))
    return content["hydra"]["sweeper"]["products"]


def jobs(trials: int | None = None, variables: Sequence[int] | None = None) -> list[Job]:
    """The points of `conf/experiment/scaling.yaml`, its warm-up (of a lower budget) left out.

    Args:
        trials: at most that many a point.
        variables: the N wanted (all, if left out).
    """
    products = _products()
    budget = max(int(product["budget"]) for product in products)
    return [
        Job(label.strip(), int(n), budget, min(int(product["trials"]), trials or int(product["trials"])))
        for product in products
        if int(product["budget"]) == budget
        for label in str(product["optimizer"]).split(",")
        for n in str(product["benchmark.variables"]).split(",")
        if not variables or int(n) in variables
    ]


def find(runs: Sequence[RunInfo], wanted: Sequence[Job], seed: int) -> tuple[list[Point], dict[str, str]]:
    """The results behind `wanted`, and why others are missing, by name."""
    points, missing = [], {}
    best: dict[int, float] = {}
    for job in wanted:
        # Data of different N are different data: each N is a study of its own.
        same = [
            info
            for info in runs
            if info.benchmark == "large" and info.config["benchmark"].get("variables") == job.variables
        ]
        found = Study(same, "large", job.trials, seed).find(
            job.label, job.budget, options={"variables": job.variables}
        )
        if found.info is None:
            missing[f"{style(job.label).name} at N = {job.variables}"] = found.reason
            continue
        if job.variables not in best:
            chosen = {
                key: value for key, value in found.info.config["benchmark"].items() if key != "checksum"
            }
            best[job.variables] = load_benchmark(**chosen).facts()["best_mean_test"]
        regret = 100 * (best[job.variables] - found.column("incumbent_test_mean"))
        points.append(Point(job, found, regret, float(found.column("optimizer_seconds").mean())))
    return points, missing


def exponent(n: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """The slope b of log y = a + b log N over the finite y; NaN for fewer than two."""
    known = np.isfinite(np.asarray(y, dtype=float))
    if known.sum() < 2:
        return float("nan")
    return float(
        np.polyfit(np.log(np.asarray(n, dtype=float)[known]), np.log(np.asarray(y, dtype=float)[known]), 1)[0]
    )


def run_missing(
    output_dir: Path, wanted: Sequence[Job], seed: int, trials: int | None, variables: Sequence[int] | None
) -> None:
    """Measure costs and run the jobs where something is missing; results that exist are found and kept."""
    folder = output_dir.resolve()
    path = folder / "complexity" / "scaling.csv"
    measured = {n for _, n in read_costs(path)} if path.exists() else set()
    asked = {job.variables for job in wanted}
    if not asked <= measured:
        _python(
            "-m",
            "bench.scaling",
            "--output-dir",
            str(folder),
            "--variables",
            *map(str, sorted(asked | measured)),
        )
    runs = scan(folder, lambda sentence: print(f"warning: {sentence}", file=sys.stderr))
    if not find(runs, wanted, seed)[1]:
        return
    print(
        "running what the scaling study lacks; interrupt at any time, the same command goes on:", flush=True
    )
    if not trials and not variables:
        _python("run.py", "-m", f"+experiment={EXPERIMENT}", f"seed={seed}", f"output_dir={folder}")
        return
    for product in _products():  # a draft: what the command line gives must not raise a product's own numbers
        numbers = [
            n for n in str(product["benchmark.variables"]).split(",") if not variables or int(n) in variables
        ]
        if numbers:
            least = min(int(product["trials"]), trials or int(product["trials"]))
            changed = product | {
                "benchmark.variables": ",".join(numbers),
                "trials": least,
                "seed": seed,
                "output_dir": folder,
            }
            _python("run.py", "-m", *(f"{key}={value}" for key, value in changed.items()))


def _python(*words: str) -> None:
    subprocess.run([sys.executable, *words], cwd=CONF.parent, check=False)


def to_csv(points: Sequence[Point], costs: Costs) -> str:
    """One row a point: trials, regret with its interval, the paired difference from ReMAADE over shared
    trials, cost."""
    lines = [
        "optimizer,N,queries,trials,regret_points,regret_sd,regret_low,regret_high,minus_remaade_points,minus_remaade_low,minus_remaade_high,"
        "shared_trials,context_parameters,all_parameters,processor_seconds_per_trial,wall_seconds_per_trial"
    ]
    by_place = {(point.job.label, point.job.variables): point for point in points}
    labels = order(sorted({point.job.label for point in points}))
    for point in sorted(points, key=lambda point: (point.job.variables, labels.index(point.job.label))):
        job, d = point.job, point.described
        fields: list[Any] = [job.label, job.variables, job.budget, d.n, d.mean, d.sd, *d.interval]
        other = by_place.get((REFERENCE, job.variables))
        shared = (
            point.regret.index.intersection(other.regret.index)
            if other is not None and other is not point
            else []
        )
        if other is not None and len(shared) >= LEAST_FOR_INTERVAL:
            compared = statistics.compare(
                point.regret.loc[shared].to_numpy(), other.regret.loc[shared].to_numpy()
            )
            fields += [compared.difference, *compared.interval]
        else:
            fields += [""] * 3
        cost = costs.get((POLICIES.get(job.label, ""), job.variables))
        fields += [
            len(shared),
            *([cost.context_parameters, cost.all_parameters, cost.seconds(job.budget)] if cost else [""] * 3),
        ]
        fields.append(point.wall_seconds)
        lines.append(",".join(f"{field:.6g}" if isinstance(field, float) else str(field) for field in fields))
    return "\n".join(lines) + "\n"


def draw(points: Sequence[Point], costs: Costs, seed: int) -> Any:
    """The figure: context parameters, regret and seconds a trial against N, with the fitted exponents beside
    the names."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 4.1))
    budget = points[0].job.budget
    handles: dict[str, Any] = {}
    powers: tuple[list[str], list[str]] = ([], [])
    for label in order(sorted({point.job.label for point in points} | set(POLICIES))):
        s = style(label)
        look: Any = {"color": s.color, "linestyle": s.dash, "marker": s.marker, "markersize": 4}
        found = sorted((n, cost) for (policy, n), cost in costs.items() if policy == POLICIES.get(label))
        for axis, words, values in (
            (axes[0], powers[0], [float(cost.context_parameters) for _, cost in found]),
            (axes[2], powers[1], [cost.seconds(budget) for _, cost in found]),
        ):
            if found:
                (handles[s.name],) = axis.plot([n for n, _ in found], values, **look)
                power = exponent([n for n, _ in found], values)
                words.append(
                    f"{s.name.removeprefix('REINFORCE with ')}: "
                    f"$N^{{{power if abs(power) >= 0.005 else 0:.2f}}}$"
                )
        mine = sorted(
            (point for point in points if point.job.label == label), key=lambda point: point.job.variables
        )
        if not mine:
            continue
        n = np.array([point.job.variables for point in mine])
        described = [point.described for point in mine]
        mean = np.array([d.mean for d in described])
        low, high = (np.array([getattr(d.interval, end) for d in described]) for end in ("low", "high"))
        known = np.isfinite(low)
        (handles[s.name],) = axes[1].plot(n, mean, **look)
        axes[1].errorbar(
            n[known],
            mean[known],
            yerr=[(mean - low)[known], (high - mean)[known]],
            color=s.color,
            linestyle="none",
            capsize=2,
        )
        axes[1].plot(
            n[~known],
            mean[~known],
            color=s.color,
            marker=s.marker,
            markersize=4,
            linestyle="none",
            markerfacecolor="white",
        )
    names = sorted({point.job.variables for point in points} | {n for _, n in costs})
    for axis, title in zip(
        axes, ("parameters of the context layer", "regret, percentage points", "processor seconds a trial")
    ):
        axis.set_xscale("log")
        axis.set_xlim(names[0] / 1.15, names[-1] * 1.15)
        axis.set_xticks(names)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("variables N (log scale)")
        axis.set_title(title)
    axes[0].set_yscale("log")
    axes[2].set_yscale("log")
    axes[1].set_ylim(bottom=0)
    for axis, words in zip((axes[0], axes[2]), powers):
        axis.text(
            0.03, 0.98, "\n".join(words), transform=axis.transAxes, va="top", fontsize=6.5, color="#333333"
        )
        low, high = axis.get_ylim()
        axis.set_ylim(low, high * (high / low) ** 0.45)  # room for the exponents, so that they cover no line
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.055),
        ncols=3,
        frameon=False,
    )
    figure.text(0.01, 0.01, _footer(points, seed), fontsize=5.8, color="#666666", ha="left", va="bottom")
    figure.set_layout_engine("constrained", rect=(0, 0.16, 1, 0.84))
    return figure


def _footer(points: Sequence[Point], seed: int) -> str:
    infos = [point.found.info for point in points if point.found.info is not None]
    counts = sorted({point.job.trials for point in points})
    trials = (
        f"{counts[0]} trials"
        if len(counts) == 1
        else f"{counts[0]} to {counts[-1]} trials a point (scaling.csv)"
    )
    hollow = f"; hollow: fewer than {LEAST_FOR_INTERVAL} trials" if counts[0] < LEAST_FOR_INTERVAL else ""
    return (
        f"benchmark large, {points[0].job.budget} queries, {trials}, seed {seed}, commit "
        f"{', '.join(commits(infos))}; "
        f"bars: 95 % interval of the mean{hollow}"
    )


def build(output_dir: Path, wanted: Sequence[Job], seed: int) -> dict[str, str]:
    """Write `figures/scaling.{png,pdf,csv}`. Returns what is missing, by name.

    Raises:
        ConfigError: if there is no result at all, or nobody measured the costs.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    points, missing = find(scan(output_dir), wanted, seed)
    if not points:
        raise ConfigError(
            f"{output_dir} has no result of the scaling study; to make them: python run.py -m "
            f"+experiment={EXPERIMENT}."
        )
    costs = read_costs(output_dir / "complexity" / "scaling.csv")
    folder = output_dir / "figures"
    write_whole(folder / "scaling.csv", to_csv(points, costs).encode())
    with plt.rc_context(RC):
        figure = draw(points, costs, seed)
        for ending in ("png", "pdf"):
            buffer = io.BytesIO()
            figure.savefig(
                buffer,
                format=ending,
                dpi=DPI,
                metadata={"CreationDate": None} if ending == "pdf" else {"Software": None},
            )
            write_whole(folder / f"scaling.{ending}", buffer.getvalue())
        plt.close(figure)
    return missing


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0, 2 for wrong input or damaged files, 130 when
    interrupted."""
    parser = argparse.ArgumentParser(prog="python -m analysis scaling", description=__doc__)
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path("outputs"),
        help="where results lie and what is built goes (outputs)",
    )
    parser.add_argument("--trials", type=int, help="at most that many trials a point (as in the experiment)")
    parser.add_argument("--variables", type=int, nargs="+", help="the N wanted (all of the experiment's)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the study")
    parser.add_argument("--no-run", action="store_true", help="build from what is there, run nothing")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _run(options), GOES_ON)


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
