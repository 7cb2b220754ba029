"""A table of the paper: its value, ours, the difference and the verdict, row by row.

A `PaperTable` declares one: its rows, budget, claims and title; `analysis.tables` holds the declarations. The
*reference* is the row that the paper's claims are about (ReMAADE; S = 1 in table 6). Rows of ours stand below
a rule, in *panels*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis import verdicts
from analysis.captions import caption
from analysis.published import Claim, Row
from analysis.result import Missing, Result
from analysis.row import ComparedRow, columns, compared, correlation_note, early_note, p_text
from analysis.selection import Study
from analysis.style import style
from analysis.table import Heading, Table, number
from analysis.verdicts import Verdict
from nas_bench_suite.experiments import Job

OTHERS = "Others (--also), against {reference}; Holm-corrected among themselves alone"
WORDS_OF_KIND = {"better": "better than", "no better": "no better than", "compare": "against"}


@dataclass(frozen=True)
class Panel:
    """Rows of ours, without a published counterpart in the table.

    Attributes:
        heading: stands above them.
        rows: each is compared with the reference.
        suffix: of their names, where the same names stand above.
        reference: the row that they are compared with; "": the table's.
        claims: what else is compared, by names with the suffix.
        optional: a row is shown once somebody has run it, and never asked for.
        own_family: its comparisons are a Holm family of their own, and move no verdict above.
    """

    heading: str
    rows: tuple[Row, ...]
    suffix: str = ""
    reference: str = ""
    claims: tuple[Claim, ...] = ()
    optional: bool = False
    own_family: bool = False


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper, as declared.

    Attributes:
        name: file name without ending, and the experiment that makes its results.
        title: with `{budget}` for the number of queries.
        budget: queries.
        rows, claims: the paper's.
        reference: name of the row that the others are compared with.
        panels: rows of ours.
        notes: paragraphs below the table, beside those on claims, missing rows and doubtful values.
        takes_others: the labels of `Study.also` are rows of it.
    """

    name: str
    title: str
    budget: int
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    reference: str
    panels: tuple[Panel, ...] = ()
    notes: tuple[str, ...] = ()
    takes_others: bool = False

    def all_rows(self) -> Iterator[tuple[Row, Panel | None]]:
        """The paper's rows, then ours with their panels; names are unique within the table."""
        yield from ((row, None) for row in self.rows)
        for panel in self.panels:
            for row in panel.rows:
                yield replace(row, name=row.name + panel.suffix, value=None, panel=panel.heading), panel

    def jobs(self, optional: bool = False) -> list[Job]:
        """What the table needs results of."""
        return [
            row.job(self.budget)
            for row, panel in self.all_rows()
            if optional or panel is None or not panel.optional
        ]

    def comparisons(self, present: Mapping[str, object], own_family: bool = False) -> list[Claim]:
        """The paper's claims, then a plain comparison for every row of ours, then what the panels add: one
        family of tests.

        Args:
            present: names of the rows that the table shows.
            own_family: those of the panels that are a family apart.
        """
        out = [] if own_family else list(self.claims)
        for panel in self.panels:
            if panel.own_family != own_family:
                continue
            reference = panel.reference or self.reference
            names = [row.name + panel.suffix for row in panel.rows if row.name + panel.suffix in present]
            out += [Claim(name, "compare", reference, "") for name in names if name != reference]
            out += [claim for claim in panel.claims if claim.row in present]
        return out

    def build(self, study: Study, output_dir: Path) -> Table[ComparedRow]:
        """Build the table from results."""
        if self.takes_others and study.also:
            others = tuple(Row(style(label).name, label) for label in study.also)
            heading = OTHERS.format(reference=self.reference)
            theirs = Panel(heading, others, optional=True, own_family=True)
            return replace(self, panels=(*self.panels, theirs), takes_others=False).build(study, output_dir)
        found = {row.name: study.find(row.job(self.budget)) for row, _ in self.all_rows()}
        rows = [
            (row, panel)
            for row, panel in self.all_rows()
            if panel is None or not panel.optional or isinstance(found[row.name], Result)
        ]
        found = {row.name: found[row.name] for row, _ in rows}
        used = {name: result for name, result in found.items() if isinstance(result, Result)}
        samples = {name: result.errors for name, result in used.items()}
        judged = verdicts.judge(self.comparisons(found), samples)
        judged += verdicts.judge(self.comparisons(found, own_family=True), samples)
        claimed = judged[: len(self.claims)]
        letters = {id(verdict): chr(ord("a") + i) for i, verdict in enumerate(claimed)}
        lines: list[ComparedRow | Heading] = []
        above: Panel | None = None
        for row, panel in rows:
            if panel is not None and panel is not above:
                lines.append(Heading(panel.heading))
            above = panel
            reference = (panel.reference if panel else "") or self.reference
            number_of_it = self.name.removeprefix("table")
            lines.append(compared(row, found[row.name], reference, judged, letters, number_of_it))
        return Table(
            name=self.name,
            title=self.title.format(budget=f"{study.asked(self.budget):,}"),
            caption=caption(study, list(used.values())),
            columns=columns(self.reference),
            rows=lines,
            notes=[
                *self._claim_notes(judged, letters),
                *missing_notes(found, study, self.name),
                *(f"† {row.name}: {row.value.doubt}." for row, _ in rows if row.value and row.value.doubt),
                *self.notes,
                *early_note([line for line in lines if isinstance(line, ComparedRow)]),
                *correlation_note(self.reference, {name: result.errors for name, result in used.items()}),
                verdicts.RULE,
                verdicts.LEVEL_RULE,
                verdicts.INTERVAL_NOTE,
            ],
            draft=study.draft,
            verdicts=claimed,
        )

    def _claim_notes(self, judged: Sequence[Verdict], letters: Mapping[int, str]) -> list[str]:
        """What the letters stand for; comparisons that the table's columns do not hold get their numbers
        here."""
        by_text: dict[str, list[str]] = {}
        for verdict in judged[: len(self.claims)]:
            by_text.setdefault(verdict.claim.text, []).append(letters[id(verdict)])
        claims = "; ".join(f"({', '.join(group)}) {text}" for text, group in by_text.items())
        notes = [f"Claims of the paper. {claims}."] if claims else []
        in_columns = {self.reference, *(panel.reference for panel in self.panels)}
        for verdict in judged:
            named = {verdict.claim.row, verdict.claim.other}
            if not named & in_columns and verdict.word != verdicts.MISSING:
                letter = f"({letters[id(verdict)]}) " if id(verdict) in letters else "Ours: "
                notes.append(letter + sentence(verdict))
        return notes


def sentence(verdict: Verdict) -> str:
    """A verdict in words, with its numbers."""
    word = verdict.word if verdict.claim.kind == "compare" else verdict.word.upper()
    return f"{statement(verdict.claim)}: {word}, {evidence(verdict)}."


def statement(claim: Claim) -> str:
    """What a claim says of its two rows."""
    return f"{claim.row} {WORDS_OF_KIND[claim.kind]} {claim.other}"


def evidence(verdict: Verdict) -> str:
    """The numbers behind a verdict, or what is missing."""
    c = verdict.comparison
    if c is None:
        return verdict.detail
    text = (
        f"difference {number(c.difference, '+.3f')} [{number(c.interval.low, '+.3f')}, "
        f"{number(c.interval.high, '+.3f')}], "
        f"p {p_text(verdict.p, '= ')}, P(better) {c.probability:.2f}, {c.n} and {c.m} trials"
    )
    return text + (f" ({verdict.detail})" if verdict.detail else "")


def missing_notes(found: Mapping[str, Result | Missing], study: Study, experiment: str) -> list[str]:
    """Missing rows by name, grouped by the reason, and the command that makes them."""
    groups: dict[str, list[str]] = {}
    for name, entry in found.items():
        if isinstance(entry, Missing):
            groups.setdefault(entry.reason, []).append(name)
    notes = [f"Missing, {reason}: {'; '.join(names)}." for reason, names in groups.items()]
    words = f"python run.py -m +experiment={experiment} trials={study.trials}"
    words += "" if study.benchmark == Study.benchmark else f" benchmark={study.benchmark}"
    words += "" if study.seed == Study.seed else f" seed={study.seed}"
    return notes + [f"To make what is missing: {words}"] if notes else []
