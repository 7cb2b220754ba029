"""What becomes of each claim of the paper over draws of the table and readings of the protocol: `python -m
analysis verdicts`.

Notation: d_k is the difference of mean test errors, in percentage points, of a claim's two rows on draw k of
the table. The draws are the sample (`statistics.compare_over_draws`): the interval of their mean holds for
the model that draws the tables, where a test on one table holds for that table alone.

Readings of section 8 (`readings`): two come from the same searches; the others need searches of their own and
are shown where these were run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from analysis import captions, tables, verdicts
from analysis.paper_table import PaperTable, statement
from analysis.published import Claim
from analysis.readings import MEAN, SAME, Reading
from analysis.result import Result
from analysis.row import bounds, p_text
from analysis.selection import Study
from analysis.statistics import MARGIN, OverDraws
from analysis.table import Column, Heading, Table, number
from analysis.verdicts import Verdict
from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError

if TYPE_CHECKING:
    import pandas as pd

CLAIMED = (tables.TABLE3, tables.TABLE4, tables.TABLE5)
EXPERIMENTS = {150: "draws150", 3200: "draws3200"}  # what makes the results, by budget


READINGS = (
    Reading("same run", SAME),
    Reading("mean of runs", MEAN),
    Reading("independent run", SAME, {"protocol": "independent_test"}),
    Reading("same run, raw edges", SAME, {"benchmark.edge_limit": "raw"}),
    Reading("mean of runs, raw edges", MEAN, {"benchmark.edge_limit": "raw"}),
)
RULE = (
    "Each line is a claim under one reading. Difference: mean over draws of the difference of means, in "
    "percentage points, negative where the first row is better; its interval is Student's t over the draws' "
    "differences, so it includes how much tables differ, and holds for all claims of a table and reading "
    "together (Bonferroni). SD of draws: what remains of the spread over draws once the trials' own is taken "
    "off. Agree: share of draws on which the difference has the claimed sign (for 'no better': on which the "
    f"advantage is below {MARGIN:.2f}). A claim holds or fails by p (t test over draws, Holm over the claims "
    "of a table and reading, 0.05); 'not resolved' is no evidence of equality. The CSV holds every draw's "
    "difference and the 95 % interval of one more draw's, which says what a real table may show."
)


@dataclass(frozen=True)
class MatrixRow:
    """A claim under one reading."""

    table: str
    reading: str
    verdict: Verdict
    over: OverDraws | None
    draws: Sequence[int]  # that both rows have
    trials: int  # of each row on each draw
    known: Sequence[int]  # all draws of the table of verdicts

    @property
    def status(self) -> str:
        return "ok" if self.over is not None else "missing"

    @property
    def agree(self) -> float | None:
        """Share of draws that agree with the claim."""
        if self.over is None:
            return None
        if self.verdict.claim.kind == "no better":
            return float((self.over.differences > -MARGIN).mean())
        return self.over.agree

    def record(self) -> dict[str, object]:
        over, claim = self.over, self.verdict.claim
        by_draw = dict(zip(self.draws, over.differences.tolist())) if over is not None else {}
        return {
            "table": self.table,
            "claim": statement(claim),
            "text": claim.text,
            "reading": self.reading,
            "verdict": self.verdict.word,
            "detail": self.verdict.detail,
            "draws": len(by_draw),
            "trials_per_draw": self.trials,
            "difference": over and over.difference,
            "low": over and over.interval.low,
            "high": over and over.interval.high,
            "p": over and over.p,
            "p_holm": None if over is None else self.verdict.p,
            "sd_of_draws": over and over.between,
            "agree": self.agree,
            "next_low": over and over.next.low,
            "next_high": over and over.next.high,
            **{f"draw {draw}": by_draw.get(draw) for draw in self.known},
        }


COLUMNS: tuple[Column[MatrixRow], ...] = (
    Column("Reading", lambda row: row.reading, "l"),
    Column(
        "Difference [95 %]",
        lambda row: (
            "—"
            if row.over is None
            else f"{number(row.over.difference, '+.3f')} {bounds(row.over.interval, '+.3f')}"
        ),
    ),
    Column("SD of draws", lambda row: number(row.over and row.over.between, ".3f")),
    Column("Agree", lambda row: "—" if row.over is None else f"{row.agree:.0%} of {len(row.draws)}"),
    Column("p (Holm)", lambda row: "—" if row.over is None else p_text(row.verdict.p)),
    Column("Verdict", lambda row: row.verdict.word, "l"),
)


def build_all(study: Study, trials: int | None = None) -> list[Table[MatrixRow]]:
    """One table for each budget that has results on two draws or more.

    Args:
        study: results, benchmark and seed.
        trials: of each row on each draw; as many as the experiments have, if left out.

    Raises:
        ConfigError: if there are no such results.
    """
    built = [build(study, budget, trials) for budget in EXPERIMENTS]
    found = [table for table in built if table is not None]
    if not found:
        raise ConfigError(
            f"no claim has results on two draws of {study.benchmark} or more; to make some: python run.py -m "
            f"+experiment={EXPERIMENTS[150]}."
        )
    return found


def build(study: Study, budget: int, trials: int | None = None) -> Table[MatrixRow] | None:
    """The claims at one budget: a small matrix for each, a line for each reading. None without results on two
    draws."""
    standard = int(experiments.jobs(EXPERIMENTS[budget])[0]["trials"])
    study = replace(study, trials=trials or min(standard, study.trials))
    known = sorted({result.draw for result in study.comparable})
    used: dict[str, Result] = {}
    lines: dict[tuple[str, Claim], list[MatrixRow]] = {}
    for table in (table for table in CLAIMED if table.budget == budget):
        for reading in READINGS:
            samples = _samples(study, table, reading, known, used)
            judged, behind = verdicts.judge_over_draws(table.claims, samples)
            for verdict, over in zip(judged, behind):
                claim = verdict.claim
                both = sorted(set(samples.get(claim.row, {})) & set(samples.get(claim.other, {})))
                if over is not None:
                    row = MatrixRow(_number(table), reading.name, verdict, over, both, study.trials, known)
                    lines.setdefault((_number(table), claim), []).append(row)
    if not lines:
        return None
    rows: list[MatrixRow | Heading] = []
    for (table_number, claim), of_claim in lines.items():
        rows += [Heading(f"Table {table_number}: {statement(claim)}: {summary(of_claim)}"), *of_claim]
    results = list(used.values())
    seeds, draws = ([getattr(result, name) for result in results] for name in ("seed", "draw"))
    return Table(
        name=f"verdicts{budget}",
        title=f"Claims of the paper over draws of the table, {study.asked(budget):,} queries.",
        caption=" ".join(
            (
                captions.benchmark_words(study.benchmark, []),
                f"{study.trials} trials of each row on each draw, "
                f"{captions.numbered('seed', seeds)}, {captions.numbered('draw', draws)}.",
                captions.code_words(results),
            )
        ),
        columns=COLUMNS,
        rows=rows,
        notes=[*_without(budget, lines), RULE],
        draft=study.trials < standard,
    )


def summary(of_claim: Sequence[MatrixRow]) -> str:
    """The verdict, and the readings under which it changes."""
    words: dict[str, list[str]] = {}
    for row in of_claim:
        words.setdefault(row.verdict.word, []).append(row.reading)
    first, *others = words
    if not others:
        return first + (" under every reading" if len(of_claim) > 1 else "")
    changes = "; ".join(f"{word} by {', '.join(words[word])}" for word in others)
    return f"{first} by {', '.join(words[first])}; {changes}"


def _samples(
    study: Study, table: PaperTable, reading: Reading, known: Sequence[int], used: dict[str, Result]
) -> dict[str, dict[int, pd.Series]]:
    """Row name -> draw -> test errors in percent, of what was run; `used` collects the results."""
    needed = {name for claim in table.claims for name in (claim.row, claim.other)}
    out: dict[str, dict[int, pd.Series]] = {}
    for row in (row for row in table.rows if row.name in needed):
        for draw in known:
            job = row.job(table.budget) | dict(reading.changes) | ({"benchmark.draw": draw} if draw else {})
            found = study.find(job)
            if not isinstance(found, Result):
                continue
            errors = found.column(reading.column, percent=True).dropna()
            if len(errors) > 1:
                out.setdefault(row.name, {})[draw] = errors
                used[str(found.run.folder)] = found
    return out


def _without(budget: int, lines: Mapping[tuple[str, Claim], Any]) -> list[str]:
    """The claims that have no results on two draws."""
    absent = [
        f"{statement(claim)} (table {_number(table)})"
        for table in CLAIMED
        if table.budget == budget
        for claim in table.claims
        if (_number(table), claim) not in lines
    ]
    words = f"python run.py -m +experiment={EXPERIMENTS[budget]}"
    return (
        [f"Missing, fewer than two draws have both rows: {'; '.join(absent)}. To make them: {words}"]
        if absent
        else []
    )


def _number(table: PaperTable) -> str:
    return table.name.removeprefix("table")
