"""Recipes of ARCHITECTURE.md, each carried out on a copy of the project with no more files than it says.

A recipe is a list of edits, one for each file. The copy then does what the recipe promises.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.copies import copy_project
from tests.unit.analysis_samples import own_settings, write_run

# file -> (a text, what stands in its place) ...; "" as text: a new file
Edits = Mapping[str, Sequence[tuple[str, str]]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the commands need."""
    return copy_project(
        tmp_path / "project", "nas_bench_suite", "optimizers", "analysis", "conf", "docs", "run.py"
    )


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    for label, shift in (("random", 0.0), ("remaade", 0.004)):
        write_run(folder, label, shift=shift, settings=own_settings(label))
    return folder


def carry_out(project: Path, edits: Edits) -> None:
    for name, changes in edits.items():
        path = project / name
        for before, after in changes:
            text = path.read_text() if before else ""
            assert text.count(before) == 1, (name, before)
            path.write_text(text.replace(before, after))


def python(project: Path, *words: str) -> str:
    """Run a command of the copy; returns what it printed."""
    done = subprocess.run([sys.executable, *words], cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tables(project: Path, outputs: Path, *more: str) -> Path:
    words = ("-m", "analysis", "tables", "--output-dir", str(outputs), "--trials", "20", *more)
    python(project, *words)
    return outputs / "tables"


def test_a_table_is_a_declaration_an_experiment_and_a_line_of_the_page(project: Path, outputs: Path) -> None:
    edits: Edits = {
        "analysis/tables.py": [
            (
                "TABLES: tuple[Declaration, ...] = (",
                """TABLE7 = PaperTable(
    name="table7",
    title="Table 7. Two methods after {budget} queries.",
    budget=150,
    rows=(published.Row("Random Search", "random"), published.Row("ReMAADE", "remaade")),
    claims=(Claim("ReMAADE", "better", "Random Search", "it searches"),),
    reference="ReMAADE",
)
TABLES: tuple[Declaration, ...] = (TABLE7, """,
            )
        ],
        "conf/experiment/table7.yaml": [
            (
                "",
                "# @package _global_\n"
                "hydra: {sweeper: {products: [{budget: 150, optimizer: 'random,remaade'}]}}\n",
            )
        ],
        "docs/analysis.md": [
            ("| `tables/table6` |", "| `tables/table7` | two methods |\n| `tables/table6` |")
        ],
    }
    assert len(edits) <= 3
    carry_out(project, edits)
    built = tables(project, outputs, "--no-run")
    rows = (built / "table7.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["7", "", "Random Search"], ["7", "", "ReMAADE"]]
    assert "| Random Search | — |" in (built / "table7.md").read_text() and "holds (a)" in rows[1]
    assert r"\label{tab:table7}" in (built / "table7.tex").read_text()
    assert r"\input{table7.tex}" in (built / "tables.tex").read_text()
    # What is missing is run: by its own experiment, and with the rest of the paper.
    code = (
        "import json; from analysis import missing; from analysis.result import scan; "
        "from analysis.selection import Study; from nas_bench_suite import experiments; "
        "print(json.dumps([missing.needed(Study([])), "
        f"missing.needed(Study(scan({str(outputs)!r}), trials=20)), experiments.members('paper')]))"
    )
    empty, have, paper = json.loads(python(project, "-c", code))
    assert "table7" in empty and "table7" not in have and "table7" in paper
    python(project, "-m", "analysis", "report", "--output-dir", str(outputs), "--trials", "20", "--no-run")
    assert '<section class="table" id="table7">' in (outputs / "report" / "index.html").read_text()


def test_a_statistic_is_computed_once_and_shown_once(project: Path, outputs: Path) -> None:
    interval = '    interval: Interval = Interval(float("nan"), float("nan"))\n'
    edits: Edits = {
        "analysis/statistics.py": [
            (interval, interval + '    worst: float = float("nan")\n'),
            (
                "        interval=bootstrap_interval(x),\n",
                "        interval=bootstrap_interval(x),\n        worst=float(x.max()),\n",
            ),
        ],
        "analysis/row.py": [
            (
                '        Column("Mean of runs"',
                '        Column("Worst", lambda row: number(row.sample and row.sample.worst, ".3f")),\n'
                '        Column("Mean of runs"',
            )
        ],
    }
    assert len(edits) <= 2
    carry_out(project, edits)
    code = (
        "from analysis import load_results, summarize; "
        f"print(summarize(load_results({str(outputs)!r})).xs('random', level='optimizer')['worst'].item())"
    )
    worst = float(python(project, "-c", code))
    built = tables(project, outputs, "--no-run")
    for name in ("table3", "table4"):
        text = (built / f"{name}.md").read_text()
        assert " | Worst | Mean of runs |" in text and f" | {worst:.3f} | " in text
    assert "worst" in (built / "table3.csv").read_text().splitlines()[0].split(",")
    words = ("-m", "analysis", "compare", "--output-dir", str(outputs), "--trials", "20")
    assert " | Worst | " in python(project, *words)


def test_a_key_of_the_protocol_is_a_field_its_meaning_and_its_files(project: Path, outputs: Path) -> None:
    """A rule `ties` (which of two equal evaluations is the incumbent) in four files; the loop would read
    `protocol.ties`."""
    edits: Edits = {
        "nas_bench_suite/protocol.py": [
            (
                "    cost: str = _rule(",
                '    ties: str = _rule("first", first="the first wins a tie", last="the last wins a tie")\n'
                "    cost: str = _rule(",
            )
        ],
        "nas_bench_suite/ledger.py": [("class Ledger", "# here: protocol.ties\nclass Ledger")],
        "conf/protocol/paper.yaml": [("cost: query ", "ties: first   # first | last\ncost: query ")],
        "conf/protocol/last_tie.yaml": [("", "defaults: [paper, _self_]\nties: last\n")],
    }
    assert len(edits) <= 4
    carry_out(project, edits)
    run = ("run.py", "-m", "benchmark=planted", "optimizer=random", "budget=5", "trials=2")
    printed = python(project, *run, "protocol=paper,last_tie", f"output_dir={outputs}")
    folders = sorted(path for path in (outputs / "planted" / "random").iterdir())
    assert len(folders) == 2 and "random" in printed
    assert {"ties: first", "ties: last"} == {
        line.strip()
        for folder in folders
        for line in (folder / "config.yaml").read_text().splitlines()
        if "ties" in line
    }
    # The analysis knows the key: old results have its default, and a table names what differs.
    code = (
        "from analysis.result import scan; from analysis.selection import configuration; "
        f"print(sorted((r.benchmark, configuration(r), r.rules['ties']) for r in scan({str(outputs)!r})))"
    )
    assert python(project, "-c", code).strip() == str(
        [
            ("nasbench101_surrogate", "random", "first"),
            ("nasbench101_surrogate", "remaade", "first"),
            ("planted", "random", "first"),
            ("planted", "random ties=last", "last"),
        ]
    )
    assert "the first wins a tie" in (tables(project, outputs, "--no-run") / "table3.md").read_text()


def test_a_method_is_a_module_and_a_config(project: Path, tmp_path: Path) -> None:
    """It runs beside others; that it keeps the laws is tests/acceptance/test_add_an_optimizer.py."""
    edits: Edits = {
        "optimizers/first_choices.py": [
            (
                "",
                "import numpy as np\n"
                "from nas_bench_suite import Optimizer, Outcome, Proposal, Task\n\n\n"
                "class FirstChoices(Optimizer):\n"
                "    def start(self, task: Task) -> None:\n"
                "        self.space = task.space\n\n"
                "    def ask(self, room: np.ndarray) -> Proposal:\n"
                "        cell = np.zeros(len(room), dtype=np.int64)\n"
                "        return Proposal(self.space.architecture(cell)[:, None], (room > 0)[:, None])\n\n"
                "    def tell(self, proposal: Proposal, outcome: Outcome) -> None:\n"
                "        pass\n",
            )
        ],
        "conf/optimizer/first_choices.yaml": [("", "_target_: optimizers.first_choices.FirstChoices\n")],
    }
    assert len(edits) <= 2
    carry_out(project, edits)
    run = ("run.py", "-m", "benchmark=planted", "optimizer=random,first_choices", "budget=5", "trials=2")
    printed = python(project, *run, f"output_dir={tmp_path / 'results'}")
    assert "first_choices" in printed and "random" in printed


def test_a_benchmark_is_a_module_and_a_config(project: Path, tmp_path: Path) -> None:
    edits: Edits = {
        "nas_bench_suite/benchmarks/noiseless.py": [
            (
                "",
                "import numpy as np\n"
                "from nas_bench_suite.benchmark import Benchmark, Evaluation, Facts, Lookups\n"
                "from nas_bench_suite.benchmarks.planted import PlantedSpace\n\n\n"
                "class Noiseless(Benchmark):\n"
                "    name, num_runs = 'noiseless', 1\n\n"
                "    def __init__(self, least: float = 0.5) -> None:\n"
                "        self.space, self.least = PlantedSpace(), least\n\n"
                "    def look_up(self, lookups: Lookups) -> Evaluation:\n"
                "        value = self.least + lookups.cells % 100 / 1000\n"
                "        return Evaluation(value, value, np.ones_like(value))\n\n"
                "    def facts(self) -> Facts:\n"
                "        return Facts(name=self.name, description='', source='', checksum='1', "
                "surrogate=False)\n",
            )
        ],
        "conf/benchmark/noiseless.yaml": [
            ("", "name: nas_bench_suite.benchmarks.noiseless:Noiseless\nleast: 0.6\n")
        ],
    }
    assert len(edits) <= 2
    carry_out(project, edits)
    results = tmp_path / "results"
    run = ("run.py", "-m", "optimizer=random,local_search", "benchmark=noiseless", "budget=5", "trials=2")
    printed = python(project, *run, f"output_dir={results}")
    assert "noiseless" in printed and "local_search" in printed
    # The benchmark's module is part of what a result says it was made by.
    code = (
        "from nas_bench_suite import load_benchmark; from nas_bench_suite.provenance import sources; "
        "from optimizers.random_search import RandomSearch; "
        "made = load_benchmark('nas_bench_suite.benchmarks.noiseless:Noiseless'); "
        "print('nas_bench_suite.benchmarks.noiseless' in sources(RandomSearch(), made))"
    )
    assert python(project, "-c", code).strip() == "True"
    words = ("run.py", "benchmark.name=nas_bench_suite.benchmarks.nowhere:Nothing", "benchmark=noiseless")
    done = subprocess.run([sys.executable, *words], cwd=project, capture_output=True, text=True)
    assert done.returncode == 2 and "cannot be imported" in done.stderr and "Traceback" not in done.stderr
