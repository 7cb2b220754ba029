"""Running what tables, figures and the report lack. Results that exist are found again and left alone.

Nothing here looks into a method: what a table needs stands in `conf/experiment/`, and the jobs run as `python
run.py -m +experiment=...`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from analysis import published
from analysis.comparison import LIBRARIES, rows_of
from analysis.runs import scan
from analysis.selection import CONF, Found, Study, is_built
from analysis.tables import PROTOCOL_METHODS, VARIANTS

ROOT = CONF.parent


def run(output_dir: Path, benchmark: str, trials: int, seed: int) -> None:
    """Run the parameter count of table 2 and every experiment that lacks something that can be run."""
    counted = (output_dir / "complexity" / "table2.csv").resolve()
    if not counted.exists() and (ROOT / "optimizers" / "parts" / "policies" / "complexity.py").exists():
        _python("-m", "optimizers.reinforce.policies.complexity", "--output-dir", str(output_dir.resolve()))
    runs = (
        scan(output_dir, lambda sentence: print(f"warning: {sentence}", file=sys.stderr))
        if output_dir.is_dir()
        else []
    )
    study = Study(runs, benchmark, trials, seed)
    for experiment in needed(study):
        print(
            f"running what {experiment} lacks, {trials} trials a row; interrupt at any time, the same "
            "command goes on:",
            flush=True,
        )
        _python(
            "run.py",
            "-m",
            f"+experiment={experiment}",
            f"benchmark={benchmark}",
            f"trials={trials}",
            f"seed={seed}",
            f"output_dir={output_dir.resolve()}",
        )


def needed(study: Study) -> list[str]:
    """Experiments in which a row is missing whose config exists."""
    return [
        name
        for name, found in _wanted(study)
        if any(entry.info is None and is_built(label) for label, entry in found)
    ]


def _wanted(study: Study) -> Iterator[tuple[str, list[tuple[str, Found]]]]:
    for table in (3, 4, 6, 5):
        budget = published.TABLES[table][0]
        rows = [row for row in rows_of(table) if row.panel != LIBRARIES]
        yield f"table{table}", [(row.label, study.find(row.label, budget, row.settings)) for row in rows]
    yield (
        "protocol",
        [
            (label, study.find(label, 150, protocol=rules, options=options))
            for label in PROTOCOL_METHODS
            for rules, options in VARIANTS.values()
        ],
    )


def _python(*words: str) -> None:
    """Run a Python command of the project; a failure is shown by the command itself, and what it did not make
    shows as missing."""
    subprocess.run([sys.executable, *words], cwd=ROOT, check=False)
