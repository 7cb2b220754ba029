"""The best-practice checklist for NAS research (Lindauer and Hutter, 2019; appendix A of the paper), answered
from the records.

Every answer is computed from configurations, manifests and ledgers, or states what these records cannot show.
'no' and 'partly' are answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.comparison import OWN_STEP
from analysis.provenance import commits
from analysis.runs import RunInfo
from analysis.selection import CONF, FULL_TRIALS, PROTOCOL, Study
from analysis.style import style
from analysis.table import Table

YES, PARTLY, NO = "yes", "partly", "no"


@dataclass(frozen=True)
class Item:
    """A question of the checklist, its answer and what shows it."""

    question: str
    answer: str
    evidence: str


def checklist(study: Study, used: Sequence[RunInfo], tables: Sequence[Table]) -> list[Item]:
    """All items in the order of appendix A."""
    if not used:
        return [Item("All items", NO, "there are no results yet, so nothing can be shown.")]
    by_name = {table.name: table for table in tables}
    surrogate = any(info.surrogate for info in used)
    default = [
        info
        for info in used
        if all(info.config["protocol"].get(key) == PROTOCOL[key] for key in ("run", "repeats", "invalid"))
    ]
    return [
        _training(study, surrogate),
        Item(
            "Code for the search space",
            YES,
            f"the space of {study.benchmark} is part of the project (nas_bench_suite/benchmarks); "
            f"option edge_limit: {_values(used, 'benchmark', 'edge_limit')}.",
        ),
        Item(
            "Hyperparameters used for the final evaluation pipeline, as well as random seeds",
            PARTLY,
            "every method's hyperparameters and the seed "
            f"({', '.join(sorted({str(info.config['seed']) for info in used}))}) stand in "
            f"the config.yaml beside its "
            "results. Hyperparameters and seeds of network training belong to the benchmark and are not "
            "among these records.",
        ),
        _same_benchmark(used),
        _confounders(used, default),
        _ablations(by_name),
        _same_protocol(default),
        _over_time(used),
        _random_search(by_name),
        _multiple_runs(study, used),
        Item(
            "Did you use tabular or surrogate benchmarks for in-depth evaluations?",
            PARTLY if surrogate else YES,
            f"all results are on {study.benchmark}"
            + (
                ", a surrogate: its cells were not trained, and an order of methods found on it is not one "
                "found on NASBench-101."
                if surrogate
                else ", a table."
            ),
        ),
        _tuning(by_name),
        _time(used),
        _setup(used),
    ]


def _training(study: Study, surrogate: bool) -> Item:
    why = "accuracies are predictions of a model" if surrogate else "accuracies are read from a table"
    return Item(
        "Code for the training pipeline used to evaluate the final architectures",
        NO,
        f"no network is trained here: {why} ({study.benchmark}). The code of the searches is part of the "
        "project.",
    )


def _same_benchmark(used: Sequence[RunInfo]) -> Item:
    checksums = {
        str((manifest.get("benchmark") or {}).get("checksum")) for info in used for manifest in info.manifests
    }
    names = {info.benchmark for info in used}
    same = len(checksums) == 1 and len(names) == 1
    return Item(
        "For all NAS methods you compare, did you use exactly the same NAS benchmark, including the same "
        "dataset, search space, and code for "
        "training the architectures and hyperparameters for that code?",
        YES if same else NO,
        f"{len(used)} runs on {', '.join(sorted(names))} with "
        + (
            f"one data checksum ({next(iter(checksums))[:12]})."
            if same
            else f"{len(checksums)} data checksums: not the same benchmark."
        ),
    )


def _confounders(used: Sequence[RunInfo], default: Sequence[RunInfo]) -> Item:
    costs = {
        style(info.label).name for info in default if info.config["protocol"].get("cost") != PROTOCOL["cost"]
    }
    sources = {
        str(manifest.get("source_hash")).partition("-")[2] for info in used for manifest in info.manifests
    }
    versions = commits(used)
    parts = [
        "methods share seeds, trials, space, sampler and the loop that owns budget, incumbents and test "
        "scores"
    ]
    if costs:
        parts.append(f"but {', '.join(sorted(costs))} is charged by epochs, not by queries")
    if len(versions) > 1:
        parts.append(f"but the runs come from {len(versions)} commits ({', '.join(versions)})")
    if len(sources) > 1:
        parts.append("and from more than one version of the benchmark's data")
    parts.append("time was not controlled: optimizer seconds depend on the machine and its load")
    answer = PARTLY if costs or len(versions) > 1 or len(sources) > 1 else YES
    return Item("Did you control for confounding factors?", answer, "; ".join(parts) + ".")


def _present(table: Table | None) -> tuple[int, int]:
    if table is None:
        return 0, 0
    return sum(row.get("status") == "ok" for row in table.data), len(table.data)


def _ablations(tables: dict[str, Table]) -> Item:
    (have4, all4), (have6, all6) = _present(tables.get("table4")), _present(tables.get("table6"))
    answer = YES if (have4, have6) == (all4, all6) else PARTLY if have4 + have6 else NO
    evidence = (
        f"policies: {have4} of {all4} rows of table 4; number of orders: {have6} of {all6} rows of table 6."
    )
    return Item("Did you run ablation studies?", answer, evidence)


def _same_protocol(default: Sequence[RunInfo]) -> Item:
    rules = sorted({info.protocol for info in default})
    return Item(
        "Did you use the same evaluation protocol for the methods being compared?",
        YES if len(rules) == 1 else PARTLY,
        f"tables 3 to 6 were made under: {' | '.join(rules)}. The protocol table shows what other rules "
        "change.",
    )


def _over_time(used: Sequence[RunInfo]) -> Item:
    budgets = sorted({info.budget for info in used})
    return Item(
        "Did you compare performance over time?",
        YES if len(budgets) > 1 else PARTLY,
        f"budgets {', '.join(f'{budget:,}' for budget in budgets)}; curves of the incumbent after every "
        "query, and by simulated training time.",
    )


def _random_search(tables: dict[str, Table]) -> Item:
    where = [
        number
        for number in (3, 4, 5)
        if f"table{number}" in tables
        and any(r["label"] == "random" and r["status"] == "ok" for r in tables[f"table{number}"].data)
    ]
    answer = YES if len(where) == 3 else PARTLY if where else NO
    evidence = (
        f"random search has results in tables {', '.join(map(str, where))}."
        if where
        else "random search has no result."
    )
    return Item("Did you compare to random search?", answer, evidence)


def _multiple_runs(study: Study, used: Sequence[RunInfo]) -> Item:
    seeds = sorted({int(info.config["seed"]) for info in used})
    return Item(
        "Did you perform multiple runs of your experiments and report seeds?",
        PARTLY if study.draft else YES,
        f"{study.trials} trials a row"
        + (f" (a draft; the paper has {FULL_TRIALS})" if study.draft else "")
        + f", seed {', '.join(map(str, seeds))}; trial t's randomness depends on (seed, t) alone and is "
        "shared by all methods.",
    )


def _tuning(tables: dict[str, Table]) -> Item:
    page = (
        "docs/defaults.md"
        if (CONF.parent / "docs" / "defaults.md").exists()
        else "docs/defaults.md, which is missing"
    )
    tuned = sum(row["status"] == "ok" and row["panel"] == OWN_STEP for row in tables["table4"].data)
    return Item(
        "Did you report how you tuned hyperparameters, and what time and resources this required?",
        PARTLY,
        "rows of the paper run with the settings of their sources, and what differs stands in their configs; "
        "what the paper leaves open, "
        f"and the step sizes of the {tuned} rows marked 'own step size', were measured on a seed that no "
        "table uses, with the same number of "
        f"settings for each policy ({page}). The time that this took is not part of these records, nor is "
        "the tuning that the sources did on "
        "the real table.",
    )


def _time(used: Sequence[RunInfo]) -> Item:
    hours = [
        float(np.mean(info.ledger["training_seconds"])) / 3600
        for info in used
        if "training_seconds" in info.ledger
    ]
    own = [
        float(np.mean(info.ledger["optimizer_seconds"]))
        for info in used
        if "optimizer_seconds" in info.ledger
    ]
    return Item(
        "Did you report the time for the entire end-to-end NAS method?",
        PARTLY,
        f"simulated training: {min(hours):,.0f} to {max(hours):,.0f} hours a trial, as the benchmark states "
        "it; the optimizers "
        f"themselves: {min(own):.2g} to "
        f"{max(own):.2g} seconds a trial, measured; wall-clock time of all runs together "
        f"{sum(info.seconds for info in used):,.0f} s. No "
        f"network was trained, "
        "so no end-to-end time was measured.",
    )


def _setup(used: Sequence[RunInfo]) -> Item:
    dirty = [info for info in used if any(manifest.get("dirty") for manifest in info.manifests)]
    unknown = [info for info in used if any(not manifest.get("commit") for manifest in info.manifests)]
    evidence = (
        "each result has its configuration, versions of Python and libraries, commit, source hash, "
        "device and command"
    )
    if dirty:
        evidence += (
            f"; {len(dirty)} of {len(used)} runs were made with uncommitted changes, so their exact "
            "code is known by its hash only"
        )
    if unknown:
        evidence += f"; {len(unknown)} of {len(used)} runs have no commit"
    return Item(
        "Did you report all details of your experimental setup?",
        PARTLY if dirty or unknown else YES,
        evidence + ".",
    )


def _values(used: Sequence[RunInfo], section: str, key: str) -> str:
    return ", ".join(sorted({str(info.config[section].get(key)) for info in used}))
