"""`python -m studies.arena OUTPUTS`: the tables and pictures of docs/arena.md."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from studies import command
from studies.arena import drawing, ranking, report
from studies.arena.landscape import landscape
from studies.arena.scores import BUDGETS, FAMILIES, Arena, Table, read
from studies.drawing import save

BUDGET = 150  # of the pictures and the verdicts
NEED_FILES = {"nasbench201": "arena_nasbench201", "transnas101": "arena_transnas101"}


def cells_of(arena: Arena, kind: str, tables: list[Table], budget: int) -> ranking.Cells:
    """Regrets at one budget, by the table's name."""
    at = BUDGETS.index(budget)
    held = arena.regrets[kind]
    return {table.name: {label: x[at] for label, x in held[table].items()} for table in tables}


def build(outputs: Path, images: Path) -> None:
    """Print the tables and draw the pictures."""
    arena = read(outputs)
    tables = ranked_tables(arena)
    labels = arena.labels(tables)
    for line in notices(arena, tables, labels):
        print(line)
    tested = [table for table in tables if table in arena.regrets["test"]]
    by_budget = {
        budget: ranking.places(cells_of(arena, "validation", tables, budget), labels) for budget in BUDGETS
    }
    cells = cells_of(arena, "validation", tables, BUDGET)
    by_test = ranking.places(cells_of(arena, "test", tested, BUDGET), labels) if tested else []
    print("\n" + report.trials(arena, tables, labels) + "\n")
    print(report.ranking(by_budget, by_test, BUDGET, len(tables)) + "\n")
    order = [place.label for place in by_budget[BUDGET]]
    omnibus = ranking.omnibus(cells, labels)
    print(f"Friedman's test: p = {omnibus.p:.2g}; critical difference {omnibus.difference:.2f}.\n")
    print(report.stability(ranking.halves(cells, labels)) + "\n")
    print(report.claims(cells, labels) + "\n")
    found = {table: landscape(arena.values[table]) for table in tables}
    print(report.landscapes(arena, found) + "\n")
    lead = {
        label: [float(held[label].mean() / held["random"].mean()) for held in cells.values()]
        for label in order
        if label != "random"
    }
    print(report.associations(lead, list(found.values())))
    save(drawing.rank_figure(by_budget, order, len(tables)), images / "arena_ranks.png", dpi=150)
    save(
        drawing.difference_figure(by_budget[BUDGET], omnibus, labels, BUDGET),
        images / "arena_differences.png",
        dpi=150,
    )
    signs = ranking.against_random(cells, labels)
    save(drawing.heat_figure(cells, labels, signs, BUDGET), images / "arena_tables.png", dpi=150)
    kinds = {"validation": cells} | ({"test": cells_of(arena, "test", tested, BUDGET)} if tested else {})
    save(drawing.profile_figure(kinds, order, BUDGET), images / "arena_profiles.png", dpi=150)
    shown = {label: lead[label] for label in order[:3] if label in lead}
    smooth = [land.smoothness for land in found.values()]
    families = [table.family for table in tables]
    save(drawing.landscape_figure(smooth, shown, families, BUDGET), images / "arena_landscape.png", dpi=150)


def ranked_tables(arena: Arena) -> list[Table]:
    """The real tables that are ranked: where NAS-Bench-201's file was searched, it stands for the package's
    values of the same cells; tables that lack a usual method are left out."""
    real = arena.having("validation")
    complete = {table.options for table in real if table.benchmark == "nasbench201"}
    real = [t for t in real if t.benchmark != "nasbench201_validation" or t.options not in complete]
    labels = usual(arena, real)
    return [table for table in real if labels <= set(arena.regrets["validation"][table])]


def usual(arena: Arena, tables: list[Table]) -> set[str]:
    """The methods that ran on at least half of the tables: a table is ranked if it has all of these."""
    counts = Counter(label for table in tables for label in arena.regrets["validation"][table])
    return {label for label, count in counts.items() if 2 * count >= len(tables)}


def notices(arena: Arena, tables: list[Table], labels: list[str]) -> list[str]:
    """What is not ranked, and why."""
    out = []
    here = {table.benchmark for table in arena.tables}
    for benchmark, experiment in NEED_FILES.items():
        if benchmark not in here:
            out.append(
                f"note: {FAMILIES[benchmark]} is not there; to add it: python run.py -m "
                f"+experiment={experiment} benchmark.path=FILE output_dir=(this folder)."
            )
    for table in arena.having("validation"):
        if table not in tables:
            lacking = sorted(set(labels) - set(arena.regrets["validation"][table]))
            why = (
                f"no {', '.join(lacking)}" if lacking else "the file's values of the same cells stand for it"
            )
            out.append(f"note: {table.name} is not ranked ({why}).")
    return out


if __name__ == "__main__":
    sys.exit(command.run("arena", build, "outputs/arena"))
