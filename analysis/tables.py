"""All tables, built from results and written as `.tex`, `.md` and `.csv`."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis import comparison, latex, published, statistics
from analysis.provenance import caption
from analysis.runs import RunInfo
from analysis.selection import Found, Study
from analysis.style import style
from analysis.table import Column, Table, number
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.results import write_whole

# What the protocol table changes, one rule at a time: name -> (protocol rules, benchmark options).
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default": ({}, {}),
    "run: independent test": ({"run": "single_independent"}, {}),
    "run: mean": ({"run": "mean"}, {}),
    "edge_limit: raw": ({}, {"edge_limit": "raw"}),
    "repeats: free": ({"repeats": "free"}, {}),
}
PROTOCOL_METHODS = (*(row.label for row in published.TABLE3), "local_search")
COLLAPSED = 50  # percent: test errors above are of runs that did not train (guessing: 90)
COMPLEXITY_COLUMNS = ("policy", "N", "d", "context_parameters")


def build_all(study: Study, output_dir: Path) -> list[Table]:
    """Tables 2 to 6 and the protocol table."""
    return [
        table2(output_dir),
        *(comparison.build(number, study) for number in (3, 4, 5, 6)),
        protocol_table(study),
    ]


def write_all(tables: Sequence[Table], folder: Path) -> list[str]:
    """Write every table in three forms, the document around them, and its PDF where pdflatex is installed.

    Returns:
        Sentences for the user: what could not be compiled.
    """
    for table in tables:
        write_table(table, folder)
    document = folder / "tables.tex"
    write_whole(document, latex.document([table.name for table in tables]).encode())
    complaint = latex.compile_document(document)
    return [complaint] if complaint else []


def write_table(table: Table, folder: Path) -> None:
    """Write one table as `.tex`, `.md` and `.csv`."""
    for ending, content in (("tex", table.to_tex()), ("md", table.to_markdown()), ("csv", table.to_csv())):
        write_whole(folder / f"{table.name}.{ending}", content.encode())


def read_complexity(path: Path) -> dict[str, np.ndarray]:
    """Measured parameter counts of the context layers: arrays `policy, N, d, context_parameters` and, where
    the file says it, `commit`.

    Raises:
        ConfigError: if the file is unreadable or has other columns.
    """
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or any(set(COMPLEXITY_COLUMNS) - set(row) for row in rows):
            raise ValueError(f"columns {list(rows[0]) if rows else []}")
        numbers = {name: np.array([int(row[name]) for row in rows]) for name in COMPLEXITY_COLUMNS[1:]}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}); accepted: a CSV file with columns "
            f"{', '.join(COMPLEXITY_COLUMNS)}; remove it to have it made."
        ) from None
    words = {name: np.array([row[name] for row in rows]) for name in ("policy", "commit") if name in rows[0]}
    return words | numbers


def table2(output_dir: Path) -> Table:
    """Table 2: parameters of the context layer, counted on the policies, with fitted exponents beside the
    paper's O()."""
    path = output_dir / "complexity" / "table2.csv"
    make = f"python -m optimizers.reinforce.policies.complexity --output-dir {output_dir}"
    counted, lacking = None, f"{path} does not exist; to make it: {make}."
    if path.exists():
        try:
            counted = read_complexity(path)
        except ConfigError as error:
            lacking = str(error)
    commit = (
        ", ".join(np.unique(counted["commit"]).tolist())
        if counted is not None and "commit" in counted
        else ""
    )
    pairs = [(n, d) for d in published.COMPLEXITY_D for n in published.COMPLEXITY_N]
    rows: list[dict[str, Any]] = []
    for entry in published.TABLE2:
        row: dict[str, Any] = {
            "table": 2, "name": entry.name, "policy": entry.policy, "paper": entry.order,
            "paper_exponent_n": entry.exponent_n, "paper_exponent_d": entry.exponent_d, "status": "missing",
        }  # fmt: skip
        if counted is not None:
            mine = counted["policy"] == entry.policy
            at = {
                (int(n), int(d)): int(c)
                for n, d, c in zip(
                    counted["N"][mine], counted["d"][mine], counted["context_parameters"][mine]
                )
            }
            if all(pair in at for pair in pairs):
                n, d = np.array(pairs, dtype=float).T
                exponent_n, exponent_d = statistics.growth_exponents(
                    n, d, np.array([at[pair] for pair in pairs], dtype=float)
                )
                row |= {f"parameters_N{a}_d{b}": at[a, b] for a, b in pairs}
                row |= {"status": "ok", "exponent_n": exponent_n, "exponent_d": exponent_d}
                gap = max(abs(exponent_n - entry.exponent_n), abs(exponent_d - entry.exponent_d))
                row["verdict"] = "agrees" if gap < 0.15 else "differs"
        rows.append(row)

    def count(n: int, d: int) -> Column:
        return Column(
            f"N={n}, d={d}",
            lambda row: f"{row[f'parameters_N{n}_d{d}']:,}" if row["status"] == "ok" else "missing",
        )

    def exponent(variable: str) -> Column:
        def show(row: dict[str, Any]) -> str:
            fitted = number(row[f"exponent_{variable.lower()}"]) if row["status"] == "ok" else "missing"
            return f"{fitted} ({row[f'paper_exponent_{variable.lower()}']})"

        return Column(f"Exponent of {variable}", show)

    notes = [
        "Counted on the policies that the searches use (python -m optimizers.reinforce.policies.complexity), "
        "context layer alone: no "
        "embeddings, no output "
        "layer. Exponents: least squares of log count on log N and log d over the six counts, the paper's in "
        "brackets. Agrees: both within "
        "0.15 of the paper's O()."
    ]
    if counted is None:
        notes.append(f"Missing: {lacking}")
    return Table(
        name="table2",
        title="Table 2. Parameters of the context representation layer.",
        caption="N: variables; d: width. N = 26 is NASBench-101. Counted on the code, no search behind it: "
        "no benchmark, protocol or trials. " + (f"Code: commit {commit}." if commit else ""),
        columns=[
            Column("Architecture", lambda row: row["name"], "l"),
            Column("Paper", lambda row: row["paper"], "l"),
            *(count(n, d) for n, d in pairs),
            exponent("N"),
            exponent("d"),
            Column("Verdict", lambda row: row.get("verdict", "missing"), "l"),
        ],
        rows=rows,
        keys=[
            "table",
            "name",
            "policy",
            "paper",
            "paper_exponent_n",
            "paper_exponent_d",
            "status",
            *(f"parameters_N{n}_d{d}" for n, d in pairs),
            "exponent_n",
            "exponent_d",
            "verdict",
        ],
        notes=notes,
    )


def _collapsed(found: dict[str, Found], variant: str) -> list[str]:
    """A sentence if trials ended on a test run that did not train: a single one moves a mean over 500 by 0.17
    points."""
    parts = []
    for label, entry in found.items():
        errors = entry.errors if entry.info is not None else None
        if errors is None or not (errors > COLLAPSED).any():
            continue
        rest = errors[errors <= COLLAPSED]
        parts.append(
            f"{style(label).name} {len(errors) - len(rest)} (without: {number(float(rest.mean()), '.3f')})"
        )
    if not parts:
        return []
    return [
        f"{variant}: trials whose reported test run did not train (error above {COLLAPSED} %), which move "
        f"means and ranks: {'; '.join(parts)}."
    ]


def protocol_table(study: Study, methods: Sequence[str] = PROTOCOL_METHODS, budget: int = 150) -> Table:
    """How levels and ranks move when one rule of the protocol changes."""
    from scipy import stats

    found = {
        (label, name): study.find(label, budget, protocol=rules, options=options)
        for label in methods
        for name, (rules, options) in VARIANTS.items()
    }
    means = {
        key: float(entry.errors.mean())
        for key, entry in found.items()
        if entry.info is not None and len(entry.errors)
    }
    rows: list[dict[str, Any]] = []
    ranks = {
        name: dict(zip(present, stats.rankdata([means[label, name] for label in present])))
        for name in VARIANTS
        for present in [[label for label in methods if (label, name) in means]]
    }
    for label in methods:
        present = sum((label, name) in means for name in VARIANTS)
        row: dict[str, Any] = {
            "name": style(label).name,
            "label": label,
            "status": "ok" if present == len(VARIANTS) else "partly" if present else "missing",
        }
        for name in VARIANTS:
            row[f"mean, {name}"] = means.get((label, name))
            row[f"rank, {name}"] = float(ranks[name][label]) if label in ranks[name] else None
        rows.append(row)

    def cell(name: str) -> Column:
        def show(row: dict[str, Any]) -> str:
            mean, rank = row[f"mean, {name}"], row[f"rank, {name}"]
            if mean is None:
                return "missing"
            change = (
                ""
                if name == "default" or row["mean, default"] is None
                else f" {number(mean - row['mean, default'], '+.2f')}"
            )
            return f"{mean:.3f}{change} ({rank:.3g})"

        return Column(name, show)

    notes = [
        "Mean test error (%), change against the default protocol, and in brackets the rank among the "
        "methods present in that column."
    ]
    for name in list(VARIANTS)[1:]:
        both = [label for label in methods if (label, name) in means and (label, "default") in means]
        if len(both) > 2:
            tau = stats.kendalltau(
                [means[label, "default"] for label in both], [means[label, name] for label in both]
            ).statistic
            shift = np.mean([means[label, name] - means[label, "default"] for label in both])
            notes.append(
                f"{name}: Kendall's τ with the default order {number(tau)}, mean shift of the level "
                f"{number(shift, '+.3f')} points."
            )
    notes += comparison.missing_notes(_absent(found, methods), study, "protocol")
    notes += [
        sentence
        for name in VARIANTS
        for sentence in _collapsed({label: found[label, name] for label in methods}, name)
    ]
    notes.append(
        "Disagreements between papers on this benchmark are of this size: which run a query reads, whether a "
        "test error is one run's or "
        "a mean of three, and which strings count as valid move levels as much as methods do."
    )
    used: list[RunInfo] = [entry.info for entry in found.values() if entry.info is not None]
    default_words = caption(study, used).replace("Protocol:", "Default protocol:")
    return Table(
        name="protocol",
        title=f"Protocol. Test error (%) after {study.budgets.get(budget, budget):,} queries when one rule "
        "changes at a time.",
        caption=default_words,
        columns=[Column("Algorithm", lambda row: row["name"], "l"), *(cell(name) for name in VARIANTS)],
        rows=rows,
        keys=["name", "label", *(f"{kind}, {name}" for name in VARIANTS for kind in ("mean", "rank"))],
        notes=notes,
        draft=study.draft,
    )


def _absent(found: Mapping[tuple[str, str], Found], methods: Sequence[str]) -> dict[str, Found]:
    """What the protocol table lacks, in few words: variants that the same methods lack for the same reason
    stand together."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name in VARIANTS:
        without = [label for label in methods if found[label, name].info is None]
        for reason in sorted({found[label, name].reason for label in without}):
            names = tuple(style(label).name for label in without if found[label, name].reason == reason)
            groups.setdefault((reason, names), []).append(name)
    out = {}
    for (reason, names), variants in groups.items():
        who = "all methods" if len(names) == len(methods) else "; ".join(names)
        where = "" if len(variants) == len(VARIANTS) else f" ({'; '.join(variants)})"
        out[who + where] = Found(None, 0, reason)
    return out
