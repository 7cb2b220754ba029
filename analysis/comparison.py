"""Tables 3 to 6: the paper's value, ours, the difference and the verdict, row by row.

The *reference* of a table is the row that the paper's claims are about (ReMAADE; S = 1 in table 6). Columns
that compare are oriented row against reference: a negative difference means that the row's error is lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis import published, statistics, verdicts
from analysis.provenance import caption
from analysis.published import Claim, Row
from analysis.selection import Found, Study
from analysis.table import MINUS, Column, Table, number
from analysis.verdicts import Verdict

OURS = "Ours: no published counterpart in this table"
LIBRARIES = "Library wrappers (outside the default)"
OWN_STEP = "Each policy at the step size of its own sweep (ours); reference: ReMAADE w/o PPO in this panel"
OWN = ", own step size"
OWN_REFERENCE = "ReMAADE w/o PPO" + OWN
OTHER = "Other policies at the same step size (ours)"

WORDS_OF_KIND = {"better": "better than", "no better": "no better than", "compare": "against"}
TITLES = {
    3: "Table 3. Test error (%) of the incumbent after {budget} queries.",
    4: "Table 4. Ablation: test error (%) after {budget} queries.",
    5: "Table 5. Test error (%) of the incumbent after {budget} queries.",
    6: "Table 6. Number S of autoregressive orders: test error (%) after {budget} queries.",
}
STEP_SIZES = (
    "What the first panel shows and does not show: the paper compares policies at one step size. A policy's "
    "step size in parameter space "
    "is not its "
    "step size in distribution space, and policies differ in how many parameters move a probability; a gap "
    "at one step size may be a gap "
    "in effective "
    "learning speed. The second panel gives each policy the step size that its own sweep chose on other "
    "seeds, with the same number of "
    "settings tried for "
    "each (docs/defaults.md). An order that holds in both panels speaks for the policy; one that holds in "
    "the first alone speaks for the "
    "step size."
)
KEYS = (
    "table",
    "panel",
    "name",
    "label",
    "settings",
    "status",
    "reason",
    "paper_mean",
    "paper_sd",
    "doubt",
    "trials",
    "mean",
    "sd",
    "median",
    "iqm",
    "interval_low",
    "interval_high",
    "difference_from_paper",
    "level",
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
    "unique_cells",
    "optimizer_seconds",
    "protocol",
    "config_hash",
)


def rows_of(table: int) -> list[Row]:
    """All rows of a table: the paper's, then ours by panel, with names that are unique within the table."""
    rows = list(published.TABLES[table][1])

    def add(panel: str, more: Sequence[Row], suffix: str = "") -> None:
        rows.extend(Row(row.name + suffix, row.label, None, row.settings, panel) for row in more)

    if table in (3, 5):
        add(OURS, published.OURS_150 if table == 3 else published.OURS_3200)
        add(LIBRARIES, published.WRAPPERS)
    if table == 4:
        add(OTHER, published.OTHER_POLICIES)
        add(OWN_STEP, published.TUNED, OWN)
    return rows


def comparisons_of(table: int, rows: Sequence[Row]) -> list[Claim]:
    """The paper's claims, then a plain comparison for every row of ours."""
    _, _, claims, reference = published.TABLES[table]
    out = list(claims)
    for row in rows:
        if row.panel in (OURS, OTHER):
            out.append(Claim(row.name, "compare", reference, ""))
        elif row.panel == LIBRARIES:
            out += [
                Claim(row.name, "compare", reference, ""),
                Claim(row.name, "compare", row.name.split(" (")[0], ""),
            ]
    if table == 4:
        out += [
            Claim(row.name, "compare", OWN_REFERENCE, "")
            for row in rows
            if row.panel == OWN_STEP and row.name != OWN_REFERENCE
        ]
        out.append(Claim("REINFORCE with MADE" + OWN, "no better", "Plain vanilla REINFORCE" + OWN, ""))
    return out


def build(table: int, study: Study) -> Table:
    """Build table 3, 4, 5 or 6 from results."""
    budget, _, claims, reference = published.TABLES[table]
    rows = rows_of(table)
    found = {row.name: study.find(row.label, budget, row.settings) for row in rows}
    rows = [row for row in rows if row.panel != LIBRARIES or found[row.name].info is not None]
    samples = {row.name: found[row.name].errors for row in rows if found[row.name].info is not None}
    judged = verdicts.judge(comparisons_of(table, rows), samples)
    letters = {id(verdict): chr(ord("a") + i) for i, verdict in enumerate(judged[: len(claims)])}
    raw: list[dict[str, Any]] = []
    panel = ""
    for row in rows:
        if row.panel != panel:
            panel = row.panel
            raw.append({"panel": panel})
        raw.append(
            raw_row(
                table,
                row,
                found[row.name],
                OWN_REFERENCE if row.panel == OWN_STEP else reference,
                judged,
                letters,
            )
        )
    notes = _claim_notes(judged, len(claims), reference, letters) + missing_notes(
        {row.name: found[row.name] for row in rows}, study, f"table{table}"
    )
    notes += [f"† {row.name}: {row.value.doubt}." for row in rows if row.value and row.value.doubt]
    if table == 4:
        notes.append(STEP_SIZES)
    if table == 5:
        notes.append(_margins())
    notes += [verdicts.RULE, verdicts.LEVEL_RULE, verdicts.INTERVAL_NOTE]
    shown = study.budgets.get(budget, budget)
    used = [entry.info for entry in found.values() if entry.info is not None]
    return Table(
        name=f"table{table}",
        title=TITLES[table].format(budget=f"{shown:,}"),
        caption=caption(study, used),
        columns=columns(reference),
        rows=raw,
        keys=KEYS,
        notes=notes,
        draft=study.draft,
        verdicts=judged[: len(claims)],
    )


def raw_row(
    table: int, row: Row, found: Found, reference: str, judged: Sequence[Verdict], letters: dict[int, str]
) -> dict[str, Any]:
    """What a row holds: the published value, the statistics of its trials, and how it compares with the
    reference."""
    value = row.value
    out: dict[str, Any] = {
        "table": table,
        "panel": row.panel,
        "name": row.name,
        "label": row.label,
        "settings": " ".join(f"{key}={entry}" for key, entry in row.settings.items()),
        "status": "missing",
        "reason": found.reason,
        "paper_mean": value.mean if value else None,
        "paper_sd": value.sd if value else None,
        "doubt": value.doubt if value else None,
        "reference": reference,
        "verdict": "missing",
        "level": "—",
    }
    if found.info is None:
        return out
    errors = found.errors
    if not len(errors):
        return out | {"reason": "no trial has a test value"}
    described = statistics.describe(errors.to_numpy())
    out |= {
        "status": "ok",
        "trials": described.n,
        "mean": described.mean,
        "sd": described.sd,
        "median": described.median,
        "iqm": described.iqm,
        "interval_low": described.interval.low,
        "interval_high": described.interval.high,
        "difference_from_paper": described.mean - value.mean if value else None,
        "level": verdicts.level(value, described),
        "mean_of_runs": float(found.column("incumbent_test_mean", percent=True).mean()),
        "validation_error": float(found.column("incumbent_validation", percent=True).mean()),
        "unique_cells": float(found.column("unique_cells").mean()),
        "optimizer_seconds": float(found.column("optimizer_seconds").mean()),
        "protocol": found.info.protocol,
        "config_hash": found.info.key,
    }
    out |= _against(row.name, reference, judged)
    words = [
        verdict.word + (f" ({letters[id(verdict)]})" if id(verdict) in letters else "")
        for verdict in judged
        if _owner(verdict.claim, reference) == row.name
        and (id(verdict) in letters or (verdict.word != verdicts.MISSING and verdict.claim.kind == "compare"))
    ]
    out["verdict"] = "; ".join(words) or ("reference" if row.name == reference else "—")
    return out


def _owner(claim: Claim, reference: str) -> str:
    """The row in which a verdict is shown: the one that is not the reference, else the claim's subject."""
    return claim.other if claim.row == reference else claim.row


def _against(name: str, reference: str, judged: Sequence[Verdict]) -> dict[str, Any]:
    """Comparison of a row with the reference, turned to row minus reference."""
    for verdict in judged:
        pair = (verdict.claim.row, verdict.claim.other)
        if verdict.comparison is None or set(pair) != {name, reference}:
            continue
        c, sign = verdict.comparison, 1 if pair[0] == name else -1
        low, high = sorted((sign * c.interval.low, sign * c.interval.high))
        return {
            "difference": sign * c.difference,
            "difference_low": low,
            "difference_high": high,
            "p": c.p,
            "p_holm": verdict.p,
            "effect": sign * c.effect,
            "probability_better": c.probability if sign == 1 else 1 - c.probability,
        }
    return {}


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
        f"p {p_text(verdict.p, '= ')}, effect {number(c.effect, '+.2f')}, P(better) {c.probability:.2f}, "
        f"{c.n} shared trials"
    )
    return text + (f" ({verdict.detail})" if verdict.detail else "")


def p_text(p: float, equals: str = "") -> str:
    """A p value, not more exact than is meaningful."""
    if p != p:
        return "—"
    return (
        "< 0.0001"
        if p < 1e-4
        else equals + (f"{p:.4f}" if p < 0.01 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}")
    )


def _claim_notes(
    judged: Sequence[Verdict], claims: int, reference: str, letters: dict[int, str]
) -> list[str]:
    """What the letters stand for; comparisons that the table's columns do not hold get their numbers here."""
    by_text: dict[str, list[str]] = {}
    for verdict in judged[:claims]:
        by_text.setdefault(verdict.claim.text, []).append(letters[id(verdict)])
    notes = [
        "Claims of the paper. "
        + "; ".join(f"({', '.join(group)}) {text}" for text, group in by_text.items())
        + "."
    ]
    for verdict in judged:
        named = (verdict.claim.row, verdict.claim.other)
        if reference not in named and OWN_REFERENCE not in named and verdict.word != verdicts.MISSING:
            letter = f"({letters[id(verdict)]}) " if id(verdict) in letters else "Ours: "
            notes.append(letter + sentence(verdict))
    return notes


def missing_notes(found: dict[str, Found], study: Study, experiment: str) -> list[str]:
    """Missing rows by name, grouped by the reason, and the command that makes them."""
    groups: dict[str, list[str]] = {}
    for name, entry in found.items():
        if entry.info is None:
            groups.setdefault(entry.reason, []).append(name)
    notes = [f"Missing, {reason}: {'; '.join(names)}." for reason, names in groups.items()]
    words = f"python run.py -m +experiment={experiment} trials={study.trials}"
    words += "" if study.benchmark == Study.benchmark else f" benchmark={study.benchmark}"
    words += "" if study.seed == Study.seed else f" seed={study.seed}"
    return notes + [f"To make what is missing: {words}"] if notes else []


def _margins() -> str:
    parts = ", ".join(
        f"{name} {short:.2f} then {medium:.2f}" for name, (short, medium) in published.MARGINS.items()
    )
    return (
        "The paper adds that the margin is bigger at 3,200 queries. Its own tables give these margins over "
        "ReMAADE, at 150 and at 3,200: "
        f"{parts}. They grow for Reg Evolution alone."
    )


def columns(reference: str) -> list[Column]:
    """What the tables show; everything else is in the CSV."""

    def ours(row: dict[str, Any]) -> str:
        return f"{row['mean']:.3f} ± {number(row['sd'])}" if row["status"] == "ok" else "missing"

    def paper(row: dict[str, Any]) -> str:
        if row["paper_mean"] is None:
            return "—"
        return f"{row['paper_mean']:.2f} ± {row['paper_sd']:.2f}" + ("†" if row["doubt"] else "")

    def interval(low: str, high: str, form: str) -> Any:
        return lambda row: (
            f"[{number(row[low], form)}, {number(row[high], form)}]" if row.get(low) is not None else "—"
        )

    def against(row: dict[str, Any]) -> str:
        if row.get("difference") is None:
            return "—"
        bounds = interval("difference_low", "difference_high", "+.3f")(row)
        return f"{number(row['difference'], '+.3f')} {bounds}"

    return [
        Column("Algorithm", lambda row: row["name"], "l"),
        Column("Paper", paper),
        Column("Ours (mean ± SD)", ours),
        Column("95 % interval of mean", interval("interval_low", "interval_high", ".3f")),
        Column(f"Ours {MINUS} paper", lambda row: number(row.get("difference_from_paper"), "+.2f")),
        Column("Level", lambda row: row["level"], "l"),
        Column("Claim", lambda row: row["verdict"], "l"),
        Column(f"Row {MINUS} {reference} [95 %]", against),
        Column("p (Holm)", lambda row: p_text(row.get("p_holm", float("nan")))),
        Column("Effect", lambda row: number(row.get("effect"), "+.2f")),
        Column("P(better)", lambda row: number(row.get("probability_better"))),
        Column("Mean of runs", lambda row: number(row.get("mean_of_runs"), ".3f")),
    ]
