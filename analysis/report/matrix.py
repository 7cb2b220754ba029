"""One small matrix for each claim: a line for each reading of the protocol, a square for each draw of the
table."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.claims_over_draws import MatrixRow, summary
from analysis.paper_table import statement
from analysis.row import bounds
from analysis.statistics import MARGIN
from analysis.table import Heading, Table, number

STEPS = ((0.02, "1"), (0.1, "2"), (float("inf"), "3"))  # |difference| in points below -> strength of colour


@dataclass(frozen=True)
class Square:
    """A draw: the class of its colour, and its difference in words."""

    css: str
    title: str


@dataclass(frozen=True)
class Line:
    """A claim under one reading."""

    reading: str
    word: str
    difference: str
    agree: str
    squares: list[Square]


@dataclass(frozen=True)
class Matrix:
    """A claim: its table, what it says, and its lines."""

    table: str
    claim: str
    summary: str
    lines: list[Line]


def matrices(built: Table[MatrixRow]) -> list[Matrix]:
    """The claims of a table of verdicts over draws, in its order."""
    out: list[Matrix] = []
    rows: list[MatrixRow] = []
    for row in [*built.rows, Heading("")]:
        if not isinstance(row, Heading):
            rows.append(row)
        elif rows:
            claim = statement(rows[0].verdict.claim)
            out.append(Matrix(rows[0].table, claim, summary(rows), [_line(row) for row in rows]))
            rows = []
    return out


def _line(row: MatrixRow) -> Line:
    assert row.over is not None  # rows without are not built
    no_better = row.verdict.claim.kind == "no better"
    squares = []
    for draw, difference in zip(row.draws, row.over.differences.tolist()):
        agrees = difference > -MARGIN if no_better else difference < 0
        strength = next(step for limit, step in STEPS if abs(difference) < limit)
        squares.append(
            Square(
                f"{'agrees' if agrees else 'differs'}{strength}",
                f"draw {draw}: {number(difference, '+.3f')} points",
            )
        )
    return Line(
        row.reading,
        row.verdict.word,
        f"{number(row.over.difference, '+.3f')} {bounds(row.over.interval, '+.3f')}",
        f"{row.agree:.0%} of {len(row.draws)}",
        squares,
    )
