"""One table of everything that was run on a benchmark: `python -m analysis compare`.

The tables of the paper ask for its rows; this one takes what is there, whatever the benchmark: each
configuration with as many trials as asked for, best first, against a reference. What has been published on
the benchmark stands beside, where `published.ELSEWHERE` has it.

A *group* is what may be compared: results under one protocol, of one seed, on one draw of the table. Each
group has a reference and a Holm family of its own; seeds and draws may be joined into one group, protocols
never. A method whose own configuration sets a rule (BOHB is charged by epochs) stands in the group of the
others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from analysis import published, verdicts
from analysis.captions import caption
from analysis.published import Claim, Row
from analysis.result import Joined, Result
from analysis.row import ComparedRow, columns, compared, correlation_note, early_note, p_text
from analysis.selection import Study, differing, fits, standard
from analysis.style import style
from analysis.table import MINUS, Column, Heading, Table, number
from analysis.verdicts import Verdict
from nas_bench_suite.checks import ConfigError, check_choice, nearest
from nas_bench_suite.experiments import compose, names
from nas_bench_suite.protocol import Protocol

AXES = ("protocol", "seed", "draw")
# Columns and values that say something about the paper's tables alone.
HIDDEN = (f"Ours {MINUS} paper", "Level", "Claim")
LEFT_OUT = ("table", "panel", "status", "reason", "doubt", "difference_from_paper", "level")
OVER_DRAWS_NOTE = (
    "Differences are of the row against {reference}. Draws of the table are the sample: interval and p are "
    "Student's t over the draws that both rows have, and speak of the model that draws the tables, not of "
    "one table."
)
NOTE = (
    "Differences are of the row against {reference}, trials independent; p: Brunner-Munzel, Holm over the "
    "rows that stand together under one protocol, seed and draw."
)


@dataclass(frozen=True)
class Choice:
    """Which results are compared, and how they are laid out.

    Attributes:
        protocols: names of conf/protocol or KEY=VALUE, each of which a result must fit; (): any protocol.
        seeds, draws: (): any.
        join: axes whose values are joined into one sample: "seed", "draw".
        by: an axis whose values are columns; "": they stand below each other.
    """

    protocols: Sequence[str] = ()
    seeds: Sequence[int] = ()
    draws: Sequence[int] = ()
    join: Sequence[str] = ()
    by: str = ""

    def __post_init__(self) -> None:
        for axis in self.join:
            check_choice("--join", axis, AXES[1:])
        if self.by:
            check_choice("--by", self.by, AXES)
        if self.by in self.join:
            raise ConfigError(f"--by={self.by} is joined; accepted: an axis that --join does not name.")

    @property
    def words(self) -> list[str]:
        """For the name of the table's files."""
        out = [word.replace("=", "-") for word in self.protocols]
        out += [f"seed{seed}" for seed in self.seeds] + [f"draw{draw}" for draw in self.draws]
        return out + [f"joined-{axis}" for axis in self.join] + ([f"by-{self.by}"] if self.by else [])


@dataclass(frozen=True)
class Group:
    """What is compared with each other; None: joined."""

    protocol: str  # `paper`, or what differs from it
    seed: int | None
    draw: int | None

    def words(self, axes: Sequence[str] = AXES) -> str:
        """`protocol run=mean, seed 1, draw 3`."""
        values = asdict(self)
        return ", ".join(f"{axis} {values[axis]}" for axis in axes if values[axis] is not None)


@dataclass(frozen=True)
class Compared:
    """A group with its rows, best mean first."""

    group: Group
    rows: list[ComparedRow]
    notes: list[str] = field(default_factory=list)


def compare(
    study: Study,
    budget: int,
    reference: str = "random",
    options: Mapping[str, str] | None = None,
    choice: Choice | None = None,
) -> Table[Any]:
    """Every configuration with results at `budget` queries on the study's benchmark, against `reference`,
    best mean first, group by group.

    Args:
        study: results, benchmark and trials (of each seed and draw).
        budget: queries.
        reference: label of the row that others are compared with, in each group.
        options: of the benchmark, as in {"dataset": "cifar100"}; its config's own where left out.
        choice: which protocols, seeds and draws; the study's seed where left out.

    Raises:
        ConfigError: if nothing was run that fits, or not the reference.
    """
    options, words_of_choice = dict(options or {}), choice.words if choice else []
    choice = choice or Choice(seeds=(study.seed,))
    groups = _groups(study, budget, options, choice)
    where = f"benchmark={study.benchmark}" + "".join(
        f" benchmark.{key}={value}" for key, value in options.items()
    )
    if not groups:
        words = _command_words(study, choice)
        raise ConfigError(
            f"no results of {study.trials} trials for {where} budget={budget}{words}; to make some: "
            f"python run.py -m optimizer={reference},remaade {where} budget={budget} "
            f"trials={study.trials}{words}."
        )
    known = list(dict.fromkeys(name for found in groups.values() for name in found))
    if reference not in known:
        raise ConfigError(
            f"--reference={reference} has no result{nearest(reference, known)}; accepted: {', '.join(known)}."
        )
    elsewhere, source = published.ELSEWHERE.get((study.benchmark, *options.values()), ({}, ""))
    parts = [_compared(group, found, reference, elsewhere) for group, found in groups.items()]
    standing = style(reference).name
    over_draws = any(
        isinstance(r, Joined) and len(r.errors_by_draw()) > 1 for f in groups.values() for r in f.values()
    )
    notes = [(OVER_DRAWS_NOTE if over_draws else NOTE).format(reference=standing)]
    notes += [note for part in parts for note in part.notes]
    if elsewhere:
        notes.append(f"Paper: {source}")
    words_of_options = "".join(f", {key} {value}" for key, value in options.items())
    name = "-".join(["compare", study.benchmark, *options.values(), str(budget)])
    table: Table[Any] = Table(
        name="-".join([name, *words_of_choice]),
        title=f"{study.benchmark}{words_of_options}. Test error (%) of the incumbent after {budget:,} "
        "queries.",
        caption=caption(study, [result for found in groups.values() for result in found.values()]),
        columns=[],
        rows=[],
        notes=[*notes, verdicts.INTERVAL_NOTE],
        draft=study.draft,
    )
    if choice.by:
        return _by_columns(parts, choice.by, table)
    hidden = HIDDEN if elsewhere else (*HIDDEN, "Paper")
    rows: list[ComparedRow | Heading] = []
    for part in parts:
        if len(parts) > 1:
            rows.append(Heading(part.group.words(_varying([one.group for one in parts]))))
        rows += part.rows
    return replace(
        table,
        columns=[column for column in columns(standing) if column.header not in hidden],
        rows=rows,
        left_out=[name for name in LEFT_OUT if len(parts) == 1 or name != "panel"],
    )


def protocol_group(result: Result) -> dict[str, str]:
    """The rules that decide with what a result may be compared: a rule that the method's own configuration
    sets counts as the paper's."""
    own = standard(result.label, result.benchmark)["protocol"]
    return {
        key: default if result.rules[key] == own[key] else result.rules[key]
        for key, default in asdict(Protocol()).items()
    }


def _groups(
    study: Study, budget: int, options: Mapping[str, str], choice: Choice
) -> dict[Group, dict[str, Result]]:
    """The results that fit, by group and configuration; of several block sizes the largest."""
    own = standard("random", study.benchmark)["benchmark"]
    wanted = {key: value for key, value in own.items() if key not in ("path", "draw")} | dict(options)
    rules = [_rules(word) for word in choice.protocols]
    default = asdict(Protocol())
    found: dict[Group, dict[str, list[Result]]] = {}
    fitting = [
        result.first(study.trials)
        for result in study.results
        if (result.benchmark, result.budget) == (study.benchmark, budget)
        and (not choice.seeds or result.seed in choice.seeds)
        and (not choice.draws or result.draw in choice.draws)
        and fits(result, "benchmark", wanted)
        and not len(result.lacking(study.trials))
    ]
    fitting = replace(study, results=fitting).comparable
    for result in sorted(
        fitting, key=lambda result: (result.draw, result.seed, -result.block_size, result.key)
    ):
        of_it = protocol_group(result)
        if any(value not in (of_it[key], result.rules[key]) for rule in rules for key, value in rule.items()):
            continue
        words = " ".join(f"{key}={value}" for key, value in of_it.items() if value != default[key]) or "paper"
        group = Group(
            words,
            None if "seed" in choice.join else result.seed,
            None if "draw" in choice.join else result.draw,
        )
        same = found.setdefault(group, {}).setdefault(_configuration(result), [])
        if (result.seed, result.draw) not in [(other.seed, other.draw) for other in same]:
            same.append(result)
    order = sorted(found, key=lambda g: (g.protocol != "paper", g.protocol, g.seed or 0, g.draw or 0))
    return {
        group: {name: Joined.of(parts) if choice.join else parts[0] for name, parts in found[group].items()}
        for group in order
    }


def _rules(word: str) -> dict[str, str]:
    """The rules that `--protocol` names: those of a file, or one."""
    key, equals, value = word.partition("=")
    if not equals:
        check_choice("--protocol", word, names("protocol"))
        return {key: str(value) for key, value in compose({"protocol": word})["protocol"].items()}
    check_choice("--protocol", key, tuple(asdict(Protocol())))
    Protocol(**{key: value})
    return {key: value}


def _configuration(result: Result) -> str:
    """A configuration within its group: the label and the hyperparameters that differ from the label's, and a
    rule that others take from the protocol (`bohb cost=query`)."""
    own, paper = standard(result.label, result.benchmark)["protocol"], asdict(Protocol())
    beside = [
        f"{key}={value}" for key, value in result.rules.items() if value == paper[key] and value != own[key]
    ]
    return " ".join([result.label, *beside, *differing(result, "optimizer")])


def _compared(
    group: Group, found: Mapping[str, Result], reference: str, elsewhere: Mapping[str, published.Value]
) -> Compared:
    """A group's rows: each against the reference, Holm over the group."""
    samples = {name: result.errors for name, result in found.items() if len(result.errors)}
    claims = [Claim(name, "compare", reference, "") for name in samples if name != reference]
    by_draw = {name: result.errors_by_draw() for name, result in found.items() if isinstance(result, Joined)}
    judged: list[Verdict] = []
    notes: list[str] = []
    if reference not in samples:
        notes.append(f"{group.words()}: {reference} was not run, so nothing is tested.")
    elif any(len(draws) > 1 for draws in by_draw.values()):
        judged, _ = verdicts.judge_over_draws(claims, by_draw)
    else:
        judged = verdicts.judge(claims, samples)
        notes += correlation_note(reference, samples)
    rows = []
    for name, result in found.items():
        words = name.split()[1:]
        settings = dict(word.split("=", 1) for word in words if "=" in word)
        row = compared(Row(name, result.label, elsewhere.get(name)), result, reference, judged)
        shown = replace(row.row, name=" ".join([result.name, *words]), settings=settings, panel=group.words())
        rows.append(replace(row, row=shown))
    rows.sort(key=lambda row: (row.sample is None, row.sample.mean if row.sample is not None else 0.0))
    return Compared(group, rows, [*notes, *early_note(rows)])


def _varying(groups: Sequence[Group]) -> list[str]:
    """The axes in which groups differ."""
    return [axis for axis in AXES if len({asdict(group)[axis] for group in groups}) > 1]


def _command_words(study: Study, choice: Choice) -> str:
    """What the choice adds to a command."""
    words = [f"protocol={word}" if "=" not in word else f"protocol.{word}" for word in choice.protocols]
    seeds = ",".join(map(str, choice.seeds or (study.seed,)))
    draws = [f"benchmark.draw={','.join(map(str, choice.draws))}"] if choice.draws else []
    return "".join(f" {word}" for word in [*words, *draws, f"seed={seeds}"])


@dataclass(frozen=True)
class AcrossRow:
    """A configuration, one cell for each value of an axis."""

    name: str
    cells: Mapping[str, ComparedRow]
    values: Sequence[str]

    @property
    def status(self) -> str:
        present = sum(value in self.cells for value in self.values)
        return "ok" if present == len(self.values) else "partly"

    def record(self) -> dict[str, object]:
        out: dict[str, object] = {"name": self.name}
        for value in self.values:
            row = self.cells.get(value)
            sample, against = (row.sample, row.against) if row is not None else (None, None)
            out |= {
                f"mean, {value}": sample and sample.mean,
                f"sd, {value}": sample and sample.sd,
                f"difference, {value}": against and against.difference,
                f"difference_low, {value}": against and against.interval.low,
                f"difference_high, {value}": against and against.interval.high,
                f"p_holm, {value}": against and against.p_holm,
            }
        return out

    def cell(self, value: str) -> str:
        """Mean, difference from the reference, and its p."""
        row = self.cells.get(value)
        if row is None or row.sample is None:
            return "missing"
        text = f"{row.sample.mean:.3f}"
        if row.against is None:
            return text
        p = p_text(row.against.p_holm, "= ")
        return f"{text} ({number(row.against.difference, '+.3f')}, p {p})"


def _by_columns(parts: Sequence[Compared], axis: str, table: Table[Any]) -> Table[Any]:
    """One row for each configuration, one column for each value of an axis; values of other axes stand below
    each other."""
    values = list(dict.fromkeys(part.group.words([axis]) for part in parts))
    others = [one for one in _varying([part.group for part in parts]) if one != axis]
    blocks: dict[str, list[Compared]] = {}
    for part in parts:
        blocks.setdefault(part.group.words(others), []).append(part)
    rows: list[AcrossRow | Heading] = []
    for heading, of_it in blocks.items():
        if heading:
            rows.append(Heading(heading))
        cells: dict[str, dict[str, ComparedRow]] = {}
        for part in of_it:
            for row in part.rows:
                cells.setdefault(row.row.name, {})[part.group.words([axis])] = row
        rows += [AcrossRow(name, of_row, values) for name, of_row in cells.items()]

    def column(value: str) -> Column[AcrossRow]:
        return Column(value, lambda row: row.cell(value))

    first = "Mean test error, and in brackets the difference from the reference with its p."
    named: Column[AcrossRow] = Column("Algorithm", lambda row: row.name, "l")
    return replace(table, columns=[named, *map(column, values)], rows=rows, notes=[first, *table.notes])
