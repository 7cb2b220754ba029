"""One table of everything that was run on a benchmark: `python -m analysis compare`.

Tables 2 to 6 ask for the paper's rows; this one takes what is there, whatever the benchmark: each
configuration with as many trials as asked for, best first, against a reference. What has been published on
the benchmark stands beside, where `published.ELSEWHERE` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis import published, verdicts
from analysis.comparison import columns, raw_row
from analysis.provenance import caption
from analysis.published import Claim, Row
from analysis.runs import RunInfo
from analysis.selection import PROTOCOL, Found, Study, agrees, defaults, own_rules
from analysis.style import style
from analysis.table import Table
from nas_bench_suite.checks import ConfigError, nearest

SHOWN = (
    "Algorithm",
    "Ours (mean ± SD)",
    "95 % interval of mean",
    "p (Holm)",
    "Effect",
    "P(better)",
    "Mean of runs",
)
KEYS = (
    "name",
    "label",
    "settings",
    "trials",
    "mean",
    "sd",
    "median",
    "iqm",
    "interval_low",
    "interval_high",
    "mean_of_runs",
    "validation_error",
    "reference",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
    "effect",
    "probability_better",
    "verdict",
    "paper_mean",
    "paper_sd",
    "unique_cells",
    "optimizer_seconds",
    "protocol",
    "config_hash",
)


def overview(
    study: Study, budget: int, reference: str = "random", options: Mapping[str, Any] | None = None
) -> Table:
    """Every configuration with results at `budget` queries on the study's benchmark, against `reference`,
    best mean first.

    Args:
        study: results, benchmark, trials and seed.
        budget: queries.
        reference: label of the row that others are compared with (paired over shared trials, Holm over the
            table).
        options: of the benchmark, as in {"dataset": "cifar100"}; its config's own where left out.

    Raises:
        ConfigError: if nothing was run that fits, or not the reference.
    """
    options = dict(options or {})
    infos = _fitting(study, budget, options)
    where = f"benchmark={study.benchmark}" + "".join(
        f" benchmark.{key}={value}" for key, value in options.items()
    )
    make = (
        f"python run.py -m optimizer={reference},remaade {where} budget={budget} trials={study.trials} "
        f"seed={study.seed}"
    )
    if not infos:
        raise ConfigError(
            f"no results of {study.trials} trials for {where} budget={budget} seed={study.seed}; to make "
            f"some: {make}."
        )
    names = _names(infos)
    chosen = next((name for name, info in names.items() if name == reference), None)
    if chosen is None:
        raise ConfigError(
            f"--reference={reference} has no result{nearest(reference, names)}; accepted: {', '.join(names)}."
        )
    found = {name: Found(info, study.trials) for name, info in names.items()}
    samples = {name: entry.errors for name, entry in found.items() if len(entry.errors)}
    judged = verdicts.judge(
        [Claim(name, "compare", chosen, "") for name in samples if name != chosen], samples
    )
    elsewhere, source = published.ELSEWHERE.get((study.benchmark, *map(str, options.values())), ({}, ""))
    raw = []
    for name, entry in found.items():
        assert entry.info is not None
        row = Row(name, entry.info.label, elsewhere.get(name))
        shown = style(entry.info.label).name + name.removeprefix(entry.info.label)
        raw.append(
            raw_row(0, row, entry, chosen, judged, {})
            | {"name": shown, "settings": name.removeprefix(entry.info.label).strip()}
        )
    raw.sort(key=lambda row: (row["status"] != "ok", row.get("mean", 0.0)))
    standing = style(names[chosen].label).name
    headers = (*SHOWN, *(("Paper",) if elsewhere else ()))
    display = [
        column for column in columns(standing) if column.header in headers or "[95 %]" in column.header
    ]
    notes = [
        f"Differences, effects (rank-biserial) and P(better) are of the row against {standing}; p: paired "
        "Wilcoxon, Holm over the table."
    ]
    if elsewhere:
        notes.append(f"Paper: {source}")
    notes.append(verdicts.INTERVAL_NOTE)
    words = "".join(f", {key} {value}" for key, value in options.items())
    return Table(
        name="-".join(["compare", study.benchmark, *map(str, options.values()), str(budget)]),
        title=f"{study.benchmark}{words}. Test error (%) of the incumbent after {budget:,} queries.",
        caption=caption(study, infos),
        columns=display,
        rows=raw,
        keys=KEYS,
        notes=notes,
        draft=study.draft,
    )


def _fitting(study: Study, budget: int, options: Mapping[str, Any]) -> list[RunInfo]:
    wanted = {
        key: value for key, value in defaults("benchmark", study.benchmark).items() if key != "path"
    } | dict(options)
    return [
        info
        for info in study.runs
        if info.benchmark == study.benchmark
        and info.budget == budget
        and int(info.config["seed"]) == study.seed
        and agrees(info.config["benchmark"], wanted)
        and not len(info.lacking(study.trials))
    ]


def configuration(info: RunInfo) -> str:
    """A configuration by its label and what differs from the label's config: `remaade`, `remaade
    learning_rate=0.03`, `random run=mean`."""
    return " ".join([info.label, *differing(info, "protocol"), *differing(info, "optimizer")])


def differing(info: RunInfo, section: str) -> list[str]:
    """The hyperparameters (`section` optimizer) or rules (protocol) of a run that differ from its label's
    config, as `key=value`."""
    standard = (
        defaults("optimizer", info.label)
        if section == "optimizer"
        else PROTOCOL | dict(own_rules(info.label))
    )
    return [
        f"{k}={v}"
        for k, v in info.config[section].items()
        if k in standard and not agrees({k: v}, {k: standard[k]})
    ]


def _names(infos: list[RunInfo]) -> dict[str, RunInfo]:
    """The runs by configuration; of several block sizes the largest."""
    out: dict[str, RunInfo] = {}
    for info in sorted(infos, key=lambda info: -int(info.config["trials_per_block"])):
        out.setdefault(configuration(info), info)
    return out
