"""One setting changed at a time, against the label's own configuration.

Notation: errors are test errors of the incumbent in percent; a *group* is a method at a budget under one
protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from analysis.statistics import Comparison, Description, compare_paired, describe
from studies import markdown
from studies.results import Searches

BUDGET = 150  # of the step sizes that the figure shows
LEAST_STEP_SIZES = 3  # fewer are no sweep


@dataclass(frozen=True)
class Setting:
    """A row: what differs from the configuration (nothing for its own row), its level, and the paired
    difference from the configuration (None for its own row, and where that was not run)."""

    differs: tuple[str, ...]
    described: Description
    stalled: int
    against: Comparison | None
    learning_rate: float | None


@dataclass(frozen=True)
class Group:
    """The settings of a method at a budget."""

    label: str
    budget: int
    rules: tuple[str, ...]  # of the protocol that differ from the label's
    settings: list[Setting]


def table(results: Sequence[Searches]) -> list[Group]:
    """All groups in the order of their labels; the configuration itself first, then by key and value."""
    groups = []
    ordered = sorted(results, key=lambda result: (_group(result), _place(result)))
    for (label, budget, rules), members in groupby(ordered, _group):
        found = list(members)
        own = None if found[0].settings else found[0]
        groups.append(Group(label, budget, rules, [_setting(result, own) for result in found]))
    return groups


def _group(result: Searches) -> tuple[str, int, tuple[str, ...]]:
    return result.label, result.budget, result.rules


def _place(result: Searches) -> list[tuple[str, float, str]]:
    """Numbers by size, words after them."""
    out = []
    for setting in result.settings:
        key, _, value = setting.partition("=")
        try:
            out.append((key, float(value), ""))
        except ValueError:
            out.append((key, float("inf"), value))
    return out


def _setting(result: Searches, own: Searches | None) -> Setting:
    errors, rate = result.errors.to_numpy(), result.hyperparameters.get("learning_rate")
    return Setting(
        result.settings,
        describe(errors),
        result.stalled,
        compare_paired(errors, own.errors.to_numpy()) if own is not None and result.settings else None,
        None if rate is None else float(rate),
    )


def to_markdown(groups: Sequence[Group]) -> str:
    """The page's tables."""
    return "\n".join(_group_markdown(group) for group in groups)


def _group_markdown(group: Group) -> str:
    rules = f", `{' '.join(group.rules)}`" if group.rules else ""
    rows = []
    for setting in group.settings:
        d, c = setting.described, setting.against
        what = ", ".join(f"`{word}`" for word in setting.differs) or "as configured"
        if setting.stalled:
            what += f" ({setting.stalled} of {d.n} trials stalled)"
        against = "-" if c is None else f"{c.difference:+.3f} [{c.interval.low:+.3f}, {c.interval.high:+.3f}]"
        rows.append(
            (what, f"{d.mean:.3f} +- {d.sd:.3f}", f"[{d.interval.low:.3f}, {d.interval.high:.3f}]", against)
        )
    headers = ("setting", "test error, %", "95 % interval", "against the default (95 % interval)")
    return f"\n**`{group.label}`**, {group.budget:,} queries{rules}\n\n{markdown.table(headers, rows)}"


def step_sizes(groups: Sequence[Group]) -> dict[str, list[tuple[float, Description]]]:
    """(Learning rate, level) of every policy at its step sizes, all else as configured, at `BUDGET`
    queries."""
    sweeps = {}
    for group in groups:
        if group.budget != BUDGET or group.rules:
            continue
        sweep = [
            (setting.learning_rate, setting.described)
            for setting in group.settings
            if setting.learning_rate is not None
            and all(word.startswith("learning_rate=") for word in setting.differs)
        ]
        if len(sweep) >= LEAST_STEP_SIZES:
            sweeps[group.label] = sorted(sweep, key=lambda point: point[0])
    return sweeps
