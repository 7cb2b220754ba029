"""The protocol table: how levels and ranks move when one rule of the protocol changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from analysis import statistics, verdicts
from analysis.captions import caption
from analysis.paper_table import missing_notes
from analysis.result import Missing, Result
from analysis.selection import Study
from analysis.statistics import Comparison
from analysis.style import style
from analysis.table import Column, Table, number
from nas_bench_suite.experiments import Job

T = TypeVar("T")
DEFAULT = "default"
COLLAPSED = 50  # percent: test errors above are of runs that did not train (guessing: 90)
Found = Mapping[tuple[str, str], Result | Missing]  # by (label, variant)
Numbers = Mapping[str, float]  # by variant; those without a result are absent


@dataclass(frozen=True)
class ProtocolRow:
    """A method: mean test error (percent) and rank among the methods of a column, by variant; `changes`: the
    method's own trials against the default, and `p` of that after Holm over the table."""

    label: str
    variants: Sequence[str]
    means: Numbers
    ranks: Numbers
    changes: Mapping[str, Comparison]
    p: Numbers

    @property
    def status(self) -> str:
        present = len(self.means)
        return "ok" if present == len(self.variants) else "partly" if present else "missing"

    def record(self) -> dict[str, object]:
        out: dict[str, object] = {"name": style(self.label).name, "label": self.label}
        for name in self.variants:
            out |= {f"mean, {name}": self.means.get(name), f"rank, {name}": self.ranks.get(name)}
            if name != DEFAULT:
                change = self.changes.get(name)
                out |= {
                    f"change, {name}": change and change.difference,
                    f"change_low, {name}": change and change.interval.low,
                    f"change_high, {name}": change and change.interval.high,
                    f"p_holm, {name}": self.p.get(name),
                }
        return out

    def cell(self, variant: str) -> str:
        """Mean, change against the default protocol (starred where resolved), and rank in brackets."""
        if variant not in self.means:
            return "missing"
        change = ""
        if variant != DEFAULT and DEFAULT in self.means:
            change = f" {number(self.means[variant] - self.means[DEFAULT], '+.2f')}"
            change += "*" if self.p.get(variant, 1.0) < statistics.ALPHA else ""
        return f"{self.means[variant]:.3f}{change} ({self.ranks[variant]:.3g})"


@dataclass(frozen=True)
class ProtocolTable:
    """The table, as declared.

    Attributes:
        name: file name without ending, and the experiment that makes its results.
        title: with `{budget}` for the number of queries.
        budget: queries.
        methods: labels.
        variants: column -> what it changes, as on the command line; the first, `DEFAULT`, changes nothing.
    """

    name: str
    title: str
    budget: int
    methods: tuple[str, ...]
    variants: Mapping[str, Job]

    def _job(self, label: str, variant: str) -> Job:
        return {"optimizer": label, "budget": self.budget, **self.variants[variant]}

    def jobs(self, optional: bool = False) -> list[Job]:
        """What the table needs results of."""
        return [self._job(label, variant) for label in self.methods for variant in self.variants]

    def build(self, study: Study, output_dir: Path) -> Table[ProtocolRow]:
        """Build the table from results."""
        found = {
            (label, variant): study.find(self._job(label, variant))
            for label in self.methods
            for variant in self.variants
        }
        used = [result for result in found.values() if isinstance(result, Result)]
        return Table(
            name=self.name,
            title=self.title.format(budget=f"{study.asked(self.budget):,}"),
            caption=caption(study, used).replace("Protocol:", "Default protocol:"),
            columns=[
                Column("Algorithm", lambda row: style(row.label).name, "l"),
                *map(_column, self.variants),
            ],
            rows=self._rows(found),
            notes=self._notes(found, study),
            draft=study.draft,
        )

    def _rows(self, found: Found) -> list[ProtocolRow]:
        from scipy import stats

        means = {
            key: float(result.errors.mean())
            for key, result in found.items()
            if isinstance(result, Result) and len(result.errors)
        }
        ranks: dict[tuple[str, str], float] = {}
        for variant in self.variants:
            present = [label for label in self.methods if (label, variant) in means]
            ranked = stats.rankdata([means[label, variant] for label in present])
            ranks |= {(label, variant): float(rank) for label, rank in zip(present, ranked)}
        changes = self._changes(found)
        adjusted = statistics.holm([change.p for change in changes.values()]).tolist()
        p = dict(zip(changes, adjusted))
        return [
            ProtocolRow(
                label, list(self.variants), *(_of(label, values) for values in (means, ranks, changes, p))
            )
            for label in self.methods
        ]

    def _changes(self, found: Found) -> dict[tuple[str, str], Comparison]:
        """Each method under each variant against itself under the default, in pairs of trials: the same
        searches read otherwise, or searches that share their beginnings. Intervals hold for
        all of them together (Bonferroni)."""
        pairs = {}
        for label in self.methods:
            for variant in self.variants:
                ours, default = found[label, variant], found[label, DEFAULT]
                if variant != DEFAULT and isinstance(ours, Result) and isinstance(default, Result):
                    x, y = verdicts.align(ours.errors, default.errors)
                    if len(x) > 1:
                        pairs[label, variant] = x, y
        confidence = 1 - (1 - statistics.CONFIDENCE) / max(1, len(pairs))
        return {key: statistics.compare_paired(x, y, confidence) for key, (x, y) in pairs.items()}

    def _notes(self, found: Found, study: Study) -> list[str]:
        rows = self._rows(found)
        return [
            "Mean test error (%), change against the default protocol, and in brackets the rank among the "
            "methods present in that column. *: the change is resolved (Wilcoxon signed-rank over a method's "
            "own trials, which are the same searches read otherwise or share their beginnings; Holm over the "
            f"table, {statistics.ALPHA:.2f}). The CSV holds the changes' intervals, which are simultaneous.",
            *_order_notes(rows),
            *missing_notes(self._absent(found), study, self.name),
            *(
                sentence
                for variant in self.variants
                for sentence in collapsed({label: found[label, variant] for label in self.methods}, variant)
            ),
            "Disagreements between papers on this benchmark are of this size: which run a query reads, "
            "whether a test error is one run's or a mean of three, and which strings count as valid move "
            "levels as much as methods do.",
        ]

    def _absent(self, found: Found) -> dict[str, Missing]:
        """What the table lacks, in few words: variants that the same methods lack for the same reason stand
        together."""
        groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for variant in self.variants:
            without = {
                label: entry.reason
                for label in self.methods
                if isinstance(entry := found[label, variant], Missing)
            }
            for reason in sorted(set(without.values())):
                names = tuple(style(label).name for label, why in without.items() if why == reason)
                groups.setdefault((reason, names), []).append(variant)
        out = {}
        for (reason, names), variants in groups.items():
            who = "all methods" if len(names) == len(self.methods) else "; ".join(names)
            where = "" if len(variants) == len(self.variants) else f" ({'; '.join(variants)})"
            out[who + where] = Missing(reason)
        return out


def _of(label: str, values: Mapping[tuple[str, str], T]) -> dict[str, T]:
    return {variant: value for (owner, variant), value in values.items() if owner == label}


def _column(variant: str) -> Column[ProtocolRow]:
    return Column(variant, lambda row: row.cell(variant))


def _order_notes(rows: Sequence[ProtocolRow]) -> list[str]:
    """How each variant's order and level stand to the default's."""
    from scipy import stats

    notes = []
    for variant in rows[0].variants[1:]:
        both = [
            (row.means[DEFAULT], row.means[variant]) for row in rows if {DEFAULT, variant} <= set(row.means)
        ]
        if len(both) > 2:
            before, after = np.array(both).T
            notes.append(
                f"{variant}: Kendall's τ with the default order "
                f"{number(float(stats.kendalltau(before, after).statistic))}, mean shift of the level "
                f"{number(float(np.mean(after - before)), '+.3f')} points."
            )
    return notes


def collapsed(found: Mapping[str, Result | Missing], variant: str) -> list[str]:
    """A sentence if trials ended on a test run that did not train: a single one moves a mean over 500 by 0.17
    points."""
    parts = []
    for label, result in found.items():
        if isinstance(result, Missing) or not (result.errors > COLLAPSED).any():
            continue
        rest = result.errors[result.errors <= COLLAPSED]
        parts.append(
            f"{style(label).name} {len(result.errors) - len(rest)} (without: "
            f"{number(float(rest.mean()), '.3f')})"
        )
    if not parts:
        return []
    return [
        f"{variant}: trials whose reported test run did not train (error above {COLLAPSED} %), which move "
        f"means and ranks: {'; '.join(parts)}."
    ]
