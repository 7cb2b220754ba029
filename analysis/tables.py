"""Every table that `make tables` builds, declared once.

A declaration has a `name`, which is also that of the experiment that makes its results
(`conf/experiment/<name>.yaml`), says what it needs (`jobs`) and builds itself from a study (`build`). What is
run, what is built and what the report shows all follow from `TABLES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from analysis import latex, published
from analysis.complexity_table import ComplexityTable
from analysis.paper_table import Panel, PaperTable
from analysis.protocol_table import ProtocolTable
from analysis.published import Claim
from analysis.result import Result
from analysis.selection import Study
from analysis.table import Table
from nas_bench_suite.experiments import Job
from nas_bench_suite.results import write_whole


class Declaration(Protocol):
    """What the tables have in common."""

    @property
    def name(self) -> str:
        """File name without ending, and the experiment that makes its results."""

    def jobs(self, optional: bool = False) -> list[Job]:
        """What the table needs results of; with `optional` also what it shows where somebody has run it."""

    def build(self, study: Study, output_dir: Path) -> Table[Any]:
        """Build the table from results."""


OWN_STEP = "Each policy at the step size of its own sweep (ours); reference: ReMAADE w/o PPO in this panel"
OWN = ", own step size"
STEP_SIZES = (
    "What the first panel shows and does not show: the paper compares policies at one step size. A policy's "
    "step size in parameter space is not its step size in distribution space, and policies differ in how "
    "many parameters move a probability; a gap at one step size may be a gap in effective learning speed. "
    "The second panel gives each policy the step size that its own sweep chose on other seeds, with the same "
    "number of settings tried for each (docs/defaults.md). An order that holds in both panels speaks for the "
    "policy; one that holds in the first alone speaks for the step size."
)
ONE_STEP = (
    "Algorithm 1 of the paper takes one gradient step per batch. The ratio of (11) is then 1, and PPO is "
    "REINFORCE exactly: both rows are the same searches, and no number of trials resolves the claim that PPO "
    "is marginally worse."
)
MARGINS = (
    "The paper adds that the margin is bigger at 3,200 queries. Its own tables give these margins over "
    "ReMAADE, at 150 and at 3,200: "
    + ", ".join(
        f"{name} {short:.2f} then {medium:.2f}" for name, (short, medium) in published.MARGINS.items()
    )
    + ". They grow for Reg Evolution alone."
)
OURS = (
    Panel("Ours: no published counterpart in this table", published.OURS),
    Panel(
        "Library wrappers (outside the default)",
        published.WRAPPERS,
        claims=tuple(Claim(row.name, "compare", row.name.split(" (")[0], "") for row in published.WRAPPERS),
        optional=True,
    ),
)

TABLE2 = ComplexityTable()
TABLE3 = PaperTable(
    name="table3",
    title="Table 3. Test error (%) of the incumbent after {budget} queries.",
    budget=150,
    rows=published.TABLE3,
    claims=published.CLAIMS3,
    reference="ReMAADE",
    panels=OURS,
    takes_others=True,
)
TABLE4 = PaperTable(
    name="table4",
    title="Table 4. Ablation: test error (%) after {budget} queries.",
    budget=150,
    rows=published.TABLE4,
    claims=published.CLAIMS4,
    reference="ReMAADE w/o PPO",
    panels=(
        Panel("Not the paper's algorithm 1, which takes one step per batch (ours)", published.PPO_STEPS),
        Panel("Other policies at the same step size (ours)", published.OTHER_POLICIES),
        Panel(
            OWN_STEP,
            published.TUNED,
            suffix=OWN,
            reference=f"ReMAADE w/o PPO{OWN}",
            claims=(Claim(f"REINFORCE with MADE{OWN}", "no better", f"Plain vanilla REINFORCE{OWN}", ""),),
        ),
    ),
    notes=(ONE_STEP, STEP_SIZES),
)
TABLE5 = PaperTable(
    name="table5",
    title="Table 5. Test error (%) of the incumbent after {budget} queries.",
    budget=3200,
    rows=published.TABLE5,
    claims=published.CLAIMS5,
    reference="ReMAADE",
    panels=OURS,
    takes_others=True,
    notes=(MARGINS,),
)
TABLE6 = PaperTable(
    name="table6",
    title="Table 6. Number S of autoregressive orders: test error (%) after {budget} queries.",
    budget=3200,
    rows=published.TABLE6,
    claims=published.CLAIMS6,
    reference="S = 1",
    panels=(
        Panel(
            "The order of S = 1 as in the short term: edges row by row, then operations",
            published.NATURAL_ORDER,
        ),
    ),
)
PROTOCOL = ProtocolTable(
    name="protocol",
    title="Protocol. Test error (%) after {budget} queries when one rule changes at a time.",
    budget=150,
    methods=(*(row.label for row in published.TABLE3), "local_search"),
    variants={
        "default": {},
        "run: independent test": {"protocol": "independent_test"},
        "run: mean": {"protocol": "mean_of_runs"},
        "edge_limit: raw": {"benchmark.edge_limit": "raw"},
        "repeats: free": {"protocol": "free_repeats"},
    },
)
TABLES: tuple[Declaration, ...] = (TABLE2, TABLE3, TABLE4, TABLE5, TABLE6, PROTOCOL)


def build_all(study: Study, output_dir: Path) -> list[Table[Any]]:
    """Every table."""
    return [table.build(study, output_dir) for table in TABLES]


def write_all(tables: Sequence[Table[Any]], folder: Path) -> list[str]:
    """Write every table in three forms, the document around them, and its PDF where pdflatex is installed.

    Returns:
        Sentences for the user: what could not be compiled.
    """
    for table in tables:
        table.write(folder)
    document = folder / "tables.tex"
    write_whole(document, latex.document([table.name for table in tables]).encode())
    complaint = latex.compile_document(document)
    return [complaint] if complaint else []


def results_of(tables: Iterable[Declaration], study: Study) -> list[Result]:
    """The results behind tables, each once."""
    found: dict[Path, Result] = {}
    for table in tables:
        for job in table.jobs(optional=True):
            result = study.find(job)
            if isinstance(result, Result):
                found.setdefault(result.run.folder, result)
    return list(found.values())
