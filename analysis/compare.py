"""One table of everything that was run on a benchmark: `python -m analysis compare`.

The tables of the paper ask for its rows; this one takes what is there, whatever the benchmark: each
configuration with as many trials as asked for, best first, against a reference. What has been published on
the benchmark stands beside, where `published.ELSEWHERE` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analysis import published, verdicts
from analysis.captions import caption
from analysis.published import Claim, Row
from analysis.result import Result
from analysis.row import ComparedRow, columns, compared
from analysis.selection import Study, configuration, differing, fits, standard
from analysis.style import style
from analysis.table import MINUS, Table
from nas_bench_suite.checks import ConfigError, nearest

# Columns and values that say something about the paper's tables alone.
HIDDEN = (f"Ours {MINUS} paper", "Level", "Claim")
LEFT_OUT = ("table", "panel", "status", "reason", "doubt", "difference_from_paper", "level")


def compare(
    study: Study, budget: int, reference: str = "random", options: Mapping[str, str] | None = None
) -> Table[ComparedRow]:
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
    found = _by_configuration(study, budget, options)
    where = f"benchmark={study.benchmark}" + "".join(
        f" benchmark.{key}={value}" for key, value in options.items()
    )
    if not found:
        raise ConfigError(
            f"no results of {study.trials} trials for {where} budget={budget} seed={study.seed}; to make "
            f"some: python run.py -m optimizer={reference},remaade {where} budget={budget} "
            f"trials={study.trials} seed={study.seed}."
        )
    if reference not in found:
        raise ConfigError(
            f"--reference={reference} has no result{nearest(reference, found)}; accepted: {', '.join(found)}."
        )
    samples = {name: result.errors for name, result in found.items() if len(result.errors)}
    judged = verdicts.judge(
        [Claim(name, "compare", reference, "") for name in samples if name != reference], samples
    )
    elsewhere, source = published.ELSEWHERE.get((study.benchmark, *options.values()), ({}, ""))
    rows = []
    for name, result in found.items():
        words = [*differing(result, "protocol"), *differing(result, "optimizer")]
        settings = dict(word.split("=", 1) for word in words)
        row = compared(Row(name, result.label, elsewhere.get(name)), result, reference, judged)
        shown = " ".join([result.name, *words])
        rows.append(replace(row, row=replace(row.row, name=shown, settings=settings)))
    rows.sort(key=lambda row: (row.sample is None, row.sample.mean if row.sample is not None else 0.0))
    standing = style(found[reference].label).name
    hidden = HIDDEN if elsewhere else (*HIDDEN, "Paper")
    notes = [
        f"Differences, effects (rank-biserial) and P(better) are of the row against {standing}; p: paired "
        "Wilcoxon, Holm over the table."
    ]
    if elsewhere:
        notes.append(f"Paper: {source}")
    words_of_options = "".join(f", {key} {value}" for key, value in options.items())
    return Table(
        name="-".join(["compare", study.benchmark, *options.values(), str(budget)]),
        title=f"{study.benchmark}{words_of_options}. Test error (%) of the incumbent after {budget:,} "
        "queries.",
        caption=caption(study, list(found.values())),
        columns=[column for column in columns(standing) if column.header not in hidden],
        rows=rows,
        left_out=LEFT_OUT,
        notes=[*notes, verdicts.INTERVAL_NOTE],
        draft=study.draft,
    )


def _by_configuration(study: Study, budget: int, options: Mapping[str, str]) -> dict[str, Result]:
    """The results that fit, by configuration; of several block sizes the largest."""
    own = standard("random", study.benchmark)["benchmark"]
    wanted = {key: value for key, value in own.items() if key != "path"} | dict(options)
    fitting = [
        result.first(study.trials)
        for result in study.results
        if (result.benchmark, result.budget, result.seed) == (study.benchmark, budget, study.seed)
        and fits(result, "benchmark", wanted)
        and not len(result.lacking(study.trials))
    ]
    out: dict[str, Result] = {}
    for result in sorted(fitting, key=lambda result: -result.block_size):
        out.setdefault(configuration(result), result)
    return out
