"""A row of the tables that compare methods: what it holds, and how each value is written.

Tables 3 to 6 and `compare` share these rows. A value that the CSV files hold stands in `ComparedRow.record`,
a column that readers see in `columns`: nowhere else. Statistics of the trials come as
`statistics.Description` has them.

Columns that compare are oriented row against *reference*: a negative difference means that the row's error is
lower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis import statistics, verdicts
from analysis.published import Claim, Row
from analysis.result import Missing, Result
from analysis.statistics import Description, Interval
from analysis.table import MINUS, Column, number
from analysis.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

NONE = "—"


@dataclass(frozen=True)
class Against:
    """A row compared with the reference: row minus reference. `p_holm` is corrected over
    the table."""

    difference: float
    interval: Interval
    p: float
    p_holm: float
    effect: float
    probability: float


@dataclass(frozen=True)
class Means:
    """Means of ledger columns over trials; errors in percent."""

    mean_of_runs: float
    validation_error: float
    unique_cells: float
    optimizer_seconds: float

    @classmethod
    def of(cls, result: Result) -> Means:
        return cls(
            mean_of_runs=float(result.column("incumbent_test_mean", percent=True).mean()),
            validation_error=float(result.column("incumbent_validation", percent=True).mean()),
            unique_cells=float(result.column("unique_cells").mean()),
            optimizer_seconds=float(result.column("optimizer_seconds").mean()),
        )


@dataclass(frozen=True)
class ComparedRow:
    """What a row holds.

    Attributes:
        table: the table's number; "" where it has none.
        row: as declared: name, label, settings, published value, panel.
        result: the result behind it.
        reason: why it has none, or no test value.
        sample: statistics of the final test error (percent) over trials; None without a result.
        means: of the ledger.
        reference: the row that it is compared with.
        against: that comparison, where the table makes it.
        verdict: what became of the claims about the row, in words.
    """

    table: str
    row: Row
    result: Result | None
    reason: str
    sample: Description | None
    means: Means | None
    reference: str
    against: Against | None
    verdict: str

    @property
    def status(self) -> str:
        return "ok" if self.sample is not None else "missing"

    @property
    def level(self) -> str:
        """Whether the level agrees with the published one."""
        return verdicts.level(self.row.value, self.sample) if self.sample is not None else NONE

    @property
    def difference_from_paper(self) -> float | None:
        value = self.row.value
        return self.sample.mean - value.mean if self.sample is not None and value is not None else None

    def record(self) -> dict[str, object]:
        """The row's raw values, as the CSV files hold them."""
        row, value, ok = self.row, self.row.value, self.sample is not None
        sample = (self.sample or Description()).values()
        means, against, result = self.means, self.against, self.result if ok else None
        return {
            "table": self.table,
            "panel": row.panel,
            "name": row.name,
            "label": row.label,
            "settings": " ".join(f"{key}={entry}" for key, entry in row.settings.items()),
            "status": self.status,
            "reason": self.reason,
            "paper_mean": value and value.mean,
            "paper_sd": value and value.sd,
            "doubt": value and value.doubt,
            **{
                {"low": "interval_low", "high": "interval_high"}.get(name, name): number if ok else None
                for name, number in sample.items()
            },
            "difference_from_paper": self.difference_from_paper,
            "level": self.level,
            "mean_of_runs": means and means.mean_of_runs,
            "validation_error": means and means.validation_error,
            "reference": self.reference,
            "difference": against and against.difference,
            "difference_low": against and against.interval.low,
            "difference_high": against and against.interval.high,
            "p": against and against.p,
            "p_holm": against and against.p_holm,
            "effect": against and against.effect,
            "probability_better": against and against.probability,
            "verdict": self.verdict,
            "ended_early": result and " ".join(f"{why} {n}" for why, n in result.ended_early().items()),
            "unique_cells": means and means.unique_cells,
            "optimizer_seconds": means and means.optimizer_seconds,
            "protocol": result and result.protocol,
            "config_hash": result and result.key,
        }


def columns(reference: str) -> list[Column[ComparedRow]]:
    """What readers see; everything else is in the CSV."""

    def ours(row: ComparedRow) -> str:
        return f"{row.sample.mean:.3f} ± {number(row.sample.sd)}" if row.sample is not None else "missing"

    def paper(row: ComparedRow) -> str:
        value = row.row.value
        return f"{value}" + ("†" if value.doubt else "") if value is not None else NONE

    def against(row: ComparedRow) -> str:
        if row.against is None:
            return NONE
        return f"{number(row.against.difference, '+.3f')} {bounds(row.against.interval, '+.3f')}"

    return [
        Column("Algorithm", lambda row: row.row.name, "l"),
        Column("Paper", paper),
        Column("Ours (mean ± SD)", ours),
        Column("95 % interval of mean", lambda row: bounds(row.sample and row.sample.interval)),
        Column(f"Ours {MINUS} paper", lambda row: number(row.difference_from_paper, "+.2f")),
        Column("Level", lambda row: row.level, "l"),
        Column("Claim", lambda row: row.verdict, "l"),
        Column(f"Row {MINUS} {reference} [95 %]", against),
        Column("p (Holm)", lambda row: p_text(row.against.p_holm) if row.against else NONE),
        Column("P(better)", lambda row: number(row.against and row.against.probability)),
        Column("Mean of runs", lambda row: number(row.means and row.means.mean_of_runs, ".3f")),
    ]


def compared(
    row: Row,
    found: Result | Missing,
    reference: str,
    judged: Sequence[Verdict],
    letters: dict[int, str] | None = None,
    table: str = "",
) -> ComparedRow:
    """The row with its numbers.

    Args:
        row: as declared.
        found: its result.
        reference: the row that it is compared with.
        judged: all verdicts of the table.
        letters: id of a verdict -> the letter of its claim below the table.
        table: the table's number.
    """
    result = found if isinstance(found, Result) else None
    reason = found.reason if isinstance(found, Missing) else ""
    if result is not None and not len(result.errors):
        result, reason = None, "no trial has a test value"
    if result is None:
        return ComparedRow(table, row, None, reason, None, None, reference, None, "missing")
    return ComparedRow(
        table,
        row,
        result,
        reason,
        statistics.describe(result.errors.to_numpy()),
        Means.of(result),
        reference,
        _against(row.name, reference, judged),
        _verdict(row.name, reference, judged, letters or {}),
    )


def _verdict(name: str, reference: str, judged: Sequence[Verdict], letters: dict[int, str]) -> str:
    """The words of the verdicts that a row shows: on the paper's claims with their letters, else on plain
    comparisons."""
    words = [
        verdict.word + (f" ({letters[id(verdict)]})" if id(verdict) in letters else "")
        for verdict in judged
        if _owner(verdict.claim, reference) == name
        and (id(verdict) in letters or (verdict.word != verdicts.MISSING and verdict.claim.kind == "compare"))
    ]
    return "; ".join(words) or ("reference" if name == reference else NONE)


def _owner(claim: Claim, reference: str) -> str:
    """The row in which a verdict is shown: the one that is not the reference, else the claim's subject."""
    return claim.other if claim.row == reference else claim.row


def _against(name: str, reference: str, judged: Sequence[Verdict]) -> Against | None:
    """Comparison of a row with the reference, turned to row minus reference."""
    for verdict in judged:
        pair = (verdict.claim.row, verdict.claim.other)
        if verdict.comparison is None or set(pair) != {name, reference}:
            continue
        c, sign = verdict.comparison, 1 if pair[0] == name else -1
        low, high = sorted((sign * c.interval.low, sign * c.interval.high))
        return Against(
            difference=sign * c.difference,
            interval=Interval(low, high),
            p=c.p,
            p_holm=verdict.p,
            effect=sign * c.effect,
            probability=c.probability if sign == 1 else 1 - c.probability,
        )
    return None


def bounds(interval: Interval | None, form: str = ".3f") -> str:
    """An interval in brackets."""
    if interval is None:
        return NONE
    return f"[{number(interval.low, form)}, {number(interval.high, form)}]"


def p_text(p: float, equals: str = "") -> str:
    """A p value, not more exact than is meaningful."""
    if p != p:
        return NONE
    return (
        "< 0.0001"
        if p < 1e-4
        else equals + (f"{p:.4f}" if p < 0.01 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}")
    )


def early_note(rows: Sequence[ComparedRow]) -> list[str]:
    """A sentence on the trials that ended before their budget, row by row and why."""
    parts = []
    for row in rows:
        early = row.result.ended_early() if row.result is not None else {}
        if row.result is not None and early:
            why = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in early.items())
            parts.append(f"{row.row.name} {sum(early.values())} of {len(row.result.trial_ids)} ({why})")
    meaning = (
        "exhausted: the method proposes nothing more; stalled: 10,000 free outcomes or rejections in a row; "
        "no room: the next query costs more than is left"
    )
    return (
        [f"Trials that ended before their budget: {'; '.join(parts)}. {meaning.capitalize()}."]
        if parts
        else []
    )


def correlation_note(reference: str, samples: Mapping[str, pd.Series]) -> list[str]:
    """A sentence on how much trials of equal index have in common with the reference's; none below three
    trials."""
    found = {
        name: statistics.correlation(*verdicts.align(sample, samples[reference]))
        for name, sample in samples.items()
        if name != reference and reference in samples
    }
    found = {name: r for name, r in found.items() if not np.isnan(r)}
    if not found:
        return []
    most = max(found, key=lambda name: abs(found[name]))
    mean, largest = number(float(np.mean(list(found.values()))), "+.3f"), number(found[most], "+.3f")
    return [
        f"Correlation of trials of equal index with those of {reference}: {mean} in the mean over "
        f"{len(found)} row{'s' if len(found) > 1 else ''}, {largest} where it is largest ({most})."
    ]
