"""Running what tables, figures and the report lack. Results that exist are found again and left alone.

Nothing here looks into a method: what a table needs stands in `conf/experiment/`, and the jobs run as `python
run.py -m +experiment=...`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from analysis import tables
from analysis.complexity_table import COUNT, counted_file
from analysis.result import Missing, scan
from analysis.selection import Study
from nas_bench_suite import experiments, process

ALL = "paper"  # the experiment that names those of the tables, in the order in which they run best
ROOT = Path(experiments.__file__).parents[1]
RUN = ("run.py",) if (ROOT / "run.py").exists() else ("-m", "nas_bench_suite")  # a wheel has no script


def run(output_dir: Path, benchmark: str, trials: int, seed: int, also: Sequence[str] = ()) -> None:
    """Run the parameter count of table 2 and every experiment that lacks something that can be run; the
    methods `also` at the budget of table 3."""
    folder = output_dir.absolute()
    if not counted_file(folder).exists() and _exists(COUNT):
        _python("-m", COUNT, "--output-dir", str(folder))
    results = (
        scan(output_dir, lambda sentence: print(f"warning: {sentence}", file=sys.stderr))
        if output_dir.is_dir()
        else []
    )
    for experiment in needed(Study(results, benchmark, trials, seed)):
        print(
            f"running what {experiment} lacks, {trials} trials per row; interrupt at any time, the same "
            "command goes on:",
            flush=True,
        )
        _python(
            *RUN,
            "-m",
            f"+experiment={experiment}",
            f"benchmark={benchmark}",
            f"trials={trials}",
            f"seed={seed}",
            f"output_dir={folder}",
        )
    study = Study(results, benchmark, trials, seed)
    budget = tables.TABLE3.budget
    if lacking := [
        label for label in also if isinstance(study.find({"optimizer": label, "budget": budget}), Missing)
    ]:
        print(f"running {', '.join(lacking)}, {trials} trials of {budget} queries:", flush=True)
        words = [f"optimizer={','.join(lacking)}", f"budget={budget}", f"benchmark={benchmark}"]
        words += [f"trials={trials}", f"seed={seed}", f"output_dir={folder}"]
        more = [f"--config-dir={used}" for used in experiments.folders()[1:]]
        _python(*RUN, "-m", *more, *words)


def needed(study: Study) -> list[str]:
    """Experiments of tables in which a row is missing whose method's config exists."""
    known = experiments.names("optimizer")
    lacking = [
        table.name
        for table in tables.TABLES
        if any(job["optimizer"] in known and isinstance(study.find(job), Missing) for job in table.jobs())
    ]
    order = experiments.members(ALL)
    return sorted(lacking, key=lambda name: order.index(name) if name in order else len(order))


def _exists(module: str) -> bool:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py").exists()


def _python(*words: str) -> None:
    """Run a Python command of the project; a failure is shown by the command itself, and what it did not make
    shows as missing."""
    process.run([sys.executable, *words], ROOT)
