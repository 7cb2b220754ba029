"""One table in memory, written as LaTeX (booktabs), Markdown and CSV.

A `Table` holds typed rows (`Entry`); columns say how a row is shown. LaTeX and Markdown show the columns, CSV
holds the rows' raw values, so the three cannot differ. Text is plain Unicode; `tex` escapes it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from analysis.verdicts import Verdict
from nas_bench_suite.results import write_whole

RAW_FORMAT = ".6g"
MINUS = "\u2212"

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "\u2212": r"$-$",
    "\u2013": "--",
    "—": "---",
    "†": r"$^\dagger$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "\u00d7": r"$\times$",
    "≈": r"$\approx$",
    "τ": r"$\tau$",
    "²": r"$^2$",
    "<": r"$<$",
    ">": r"$>$",
    "'": "'",
}


def tex(text: str) -> str:
    """Escape plain text for LaTeX."""
    return "".join(_TEX.get(character, character) for character in text)


class Entry(Protocol):
    """What every row of a table has."""

    @property
    def status(self) -> str:
        """`ok`, `partly` or `missing`."""

    def record(self) -> Mapping[str, object]:
        """The raw values that the CSV holds, in order; the same keys for every row, None for what is not
        there."""


R = TypeVar("R", bound=Entry)


@dataclass(frozen=True)
class Heading:
    """A line in place of a row: it opens a panel, under a rule."""

    text: str


@dataclass(frozen=True)
class Column(Generic[R]):
    """A displayed column: its header, how a row is shown, and its alignment (`l`, `r` or `c`)."""

    header: str
    show: Callable[[R], str]
    align: str = "r"


@dataclass
class Table(Generic[R]):
    """A table.

    Attributes:
        name: file name without ending (`table3`).
        title: what a caption begins with ("Table 3. ...").
        caption: the rest of the caption: benchmark, protocol, trials, commit.
        columns: what is shown.
        rows: the rows in order, with headings.
        left_out: raw values that the CSV does not hold.
        notes: paragraphs below the table.
        draft: whether fewer trials than the paper's stand behind it.
        verdicts: the paper's claims as judged, where there are any.
    """

    name: str
    title: str
    caption: str
    columns: Sequence[Column[R]]
    rows: Sequence[R | Heading]
    left_out: Collection[str] = ()
    notes: list[str] = field(default_factory=list)
    draft: bool = False
    verdicts: Sequence[Verdict] = ()

    @property
    def full_caption(self) -> str:
        return " ".join(part for part in ("DRAFT." if self.draft else "", self.title, self.caption) if part)

    @property
    def data(self) -> list[R]:
        """The rows without the headings."""
        return [row for row in self.rows if not isinstance(row, Heading)]

    @property
    def complete(self) -> int:
        """How many rows have all that they need."""
        return sum(row.status == "ok" for row in self.data)

    def records(self) -> list[dict[str, Any]]:
        """The raw values of every row, by the names of the CSV's columns."""
        return [
            {key: value for key, value in row.record().items() if key not in self.left_out}
            for row in self.data
        ]

    def to_markdown(self) -> str:
        """GitHub-flavoured Markdown."""
        lines = [f"**{_escape_markdown(self.full_caption)}**", ""]
        lines.append("| " + " | ".join(column.header for column in self.columns) + " |")
        lines.append(
            "|"
            + "|".join({"l": ":---", "r": "---:", "c": ":---:"}[column.align] for column in self.columns)
            + "|"
        )
        for row in self.rows:
            if isinstance(row, Heading):
                lines.append(f"| *{row.text}* |" + " |" * (len(self.columns) - 1))
            else:
                lines.append(
                    "| " + " | ".join(column.show(row).replace("|", "\\|") for column in self.columns) + " |"
                )
        for note in self.notes:
            lines += ["", _escape_markdown(note)]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Raw values, one line per row; the caption travels in the last column."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        records = self.records()
        writer.writerow([*records[0], "draft", "caption"])
        for record in records:
            writer.writerow([*map(_raw, record.values()), _raw(self.draft), self.full_caption])
        return buffer.getvalue()

    def to_tex(self) -> str:
        """A `table` environment with booktabs rules; needs the packages booktabs and graphicx."""
        lines = [
            r"\begin{table}[p]",
            r"\centering",
            rf"\caption{{{tex(self.full_caption)}}}",
            rf"\label{{tab:{self.name}}}",
            r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{''.join(column.align for column in self.columns)}}}",
            r"\toprule",
            " & ".join(tex(column.header) for column in self.columns) + r" \\",
            r"\midrule",
        ]
        for i, row in enumerate(self.rows):
            if isinstance(row, Heading):
                if i:
                    lines.append(r"\midrule")
                lines.append(rf"\multicolumn{{{len(self.columns)}}}{{l}}{{\emph{{{tex(row.text)}}}}} \\")
            else:
                lines.append(" & ".join(tex(column.show(row)) for column in self.columns) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}}"]
        if self.notes:
            lines += ["", r"\medskip", r"\begin{minipage}{\textwidth}\footnotesize"]
            lines += [tex(note) + r"\par" for note in self.notes]
            lines.append(r"\end{minipage}")
        return "\n".join([*lines, r"\end{table}"]) + "\n"

    def write(self, folder: Path) -> None:
        """Write the three forms."""
        for ending, content in (("tex", self.to_tex()), ("md", self.to_markdown()), ("csv", self.to_csv())):
            write_whole(folder / f"{self.name}.{ending}", content.encode())


def _escape_markdown(text: str) -> str:
    return text.replace("_", "\\_").replace("*", "\\*")


def _raw(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, RAW_FORMAT) if isinstance(value, float) else str(value)


def number(value: float | None, form: str = ".2f", missing: str = "—") -> str:
    """A number as text with a true minus sign; missing ones as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return missing
    text = format(value, form)
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")  # a zero has no sign once it is rounded
    return text.replace("-", MINUS)
