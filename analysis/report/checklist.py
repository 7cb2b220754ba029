"""The best-practice checklist for NAS research (Lindauer and Hutter, 2019; appendix A of the paper), answered
from the records.

Every answer is computed from configurations, manifests and ledgers, or states what these records cannot show.
'no' and 'partly' are answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analysis import tables
from analysis.captions import commits, on_surrogate
from analysis.result import Result
from analysis.selection import FULL_TRIALS, Study
from analysis.table import Table
from nas_bench_suite.experiments import CONF
from nas_bench_suite.protocol import Protocol

YES, PARTLY, NO = "yes", "partly", "no"


@dataclass(frozen=True)
class Item:
    """A question of the checklist, its answer and what shows it."""

    question: str
    answer: str
    evidence: str


def checklist(study: Study, used: Sequence[Result], built: Sequence[Table[Any]]) -> list[Item]:
    """All items in the order of appendix A."""
    if not used:
        return [Item("All items", NO, "there are no results yet, so nothing can be shown.")]
    by_name = {table.name: table for table in built}
    surrogate = on_surrogate(study.benchmark, used)
    # What a query costs may be a rule of the method's own.
    paper = {key: value for key, value in asdict(Protocol()).items() if key != "cost"}
    default = [result for result in used if paper.items() <= result.rules.items()]
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
            f"({', '.join(sorted({str(result.seed) for result in used}))}) stand in "
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


def _same_benchmark(used: Sequence[Result]) -> Item:
    checksums = {origin.checksum for result in used for origin in result.origins}
    names = {result.benchmark for result in used}
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


def _confounders(used: Sequence[Result], default: Sequence[Result]) -> Item:
    costs = {result.name for result in default if result.rules["cost"] != Protocol().cost}
    sources = {origin.source_hash.partition("-")[2] for result in used for origin in result.origins}
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


def _present(table: Table[Any] | None) -> tuple[int, int]:
    return (0, 0) if table is None else (table.complete, len(table.data))


def _ablations(built: Mapping[str, Table[Any]]) -> Item:
    (have4, all4), (have6, all6) = _present(built.get("table4")), _present(built.get("table6"))
    answer = YES if (have4, have6) == (all4, all6) else PARTLY if have4 + have6 else NO
    evidence = (
        f"policies: {have4} of {all4} rows of table 4; number of orders: {have6} of {all6} rows of table 6."
    )
    return Item("Did you run ablation studies?", answer, evidence)


def _same_protocol(default: Sequence[Result]) -> Item:
    rules = sorted({result.protocol for result in default})
    return Item(
        "Did you use the same evaluation protocol for the methods being compared?",
        YES if len(rules) == 1 else PARTLY,
        f"tables 3 to 6 were made under: {' | '.join(rules)}. The protocol table shows what other rules "
        "change.",
    )


def _over_time(used: Sequence[Result]) -> Item:
    budgets = sorted({result.budget for result in used})
    return Item(
        "Did you compare performance over time?",
        YES if len(budgets) > 1 else PARTLY,
        f"budgets {', '.join(f'{budget:,}' for budget in budgets)}; curves of the incumbent after every "
        "query, and by simulated training time.",
    )


def _random_search(built: Mapping[str, Table[Any]]) -> Item:
    where = [
        number
        for number in (3, 4, 5)
        if f"table{number}" in built
        and any(r["label"] == "random" and r["status"] == "ok" for r in built[f"table{number}"].records())
    ]
    answer = YES if len(where) == 3 else PARTLY if where else NO
    evidence = (
        f"random search has results in tables {', '.join(map(str, where))}."
        if where
        else "random search has no result."
    )
    return Item("Did you compare to random search?", answer, evidence)


def _multiple_runs(study: Study, used: Sequence[Result]) -> Item:
    seeds = sorted({result.seed for result in used})
    return Item(
        "Did you perform multiple runs of your experiments and report seeds?",
        PARTLY if study.draft else YES,
        f"{study.trials} trials per row"
        + (f" (a draft; the paper has {FULL_TRIALS})" if study.draft else "")
        + f", seed {', '.join(map(str, seeds))}; trial t's randomness depends on (seed, t) alone; trials "
        "of two methods are independent.",
    )


def _tuning(built: Mapping[str, Table[Any]]) -> Item:
    page = (
        "docs/defaults.md"
        if (CONF.parent / "docs" / "defaults.md").exists()
        else "docs/defaults.md, which is missing"
    )
    tuned = sum(
        row["status"] == "ok" and row["panel"] == tables.OWN_STEP for row in built["table4"].records()
    )
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


def _time(used: Sequence[Result]) -> Item:
    hours, own = (
        [float(np.mean(result.ledger[name])) for result in used if name in result.ledger]
        for name in ("training_seconds", "optimizer_seconds")
    )
    hours = [seconds / 3600 for seconds in hours]
    return Item(
        "Did you report the time for the entire end-to-end NAS method?",
        PARTLY,
        f"simulated training: {min(hours):,.0f} to {max(hours):,.0f} hours per trial, as the benchmark "
        f"states it; the optimizers themselves: {min(own):.2g} to {max(own):.2g} seconds per trial, "
        f"measured; wall-clock time of all runs together {sum(result.seconds for result in used):,.0f} s. "
        "No network was trained, so no end-to-end time was measured.",
    )


def _setup(used: Sequence[Result]) -> Item:
    dirty = [result for result in used if any(origin.dirty for origin in result.origins)]
    unknown = [result for result in used if any(not origin.commit for origin in result.origins)]
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


def _values(used: Sequence[Result], section: str, key: str) -> str:
    return ", ".join(sorted({str(result.config[section].get(key)) for result in used}))
