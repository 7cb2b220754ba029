"""`python -m analysis paper` (`make paper`): the tables as a paper prints them.

Each table has at most five columns and fits one column of a two-column page (3.3 in). Its caption has at
most two lines; what holds for all tables, and what is to be said about each, stands once in `notes.tex`. The
lowest mean is bold, and so are those that are not resolved from it. `paper.tex` holds everything and becomes
`paper.pdf` where pdflatex is installed; a box that is too wide is then named.

A table is a `ColumnTable`: cells in plain Unicode, which `table.tex` escapes. In a document of your own write
`\\usepackage{booktabs}` and `\\input{table3.tex}`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis import claims_over_draws, latex, readings, tables, verdicts
from analysis.axes import ONE
from analysis.captions import on_surrogate
from analysis.claims_over_draws import MatrixRow
from analysis.complexity_table import ComplexityRow
from analysis.figures import IN_A_PAPER, draw_all
from analysis.material import Material
from analysis.paper_table import statement
from analysis.protocol_table import DEFAULT, ProtocolRow
from analysis.readings import ReadingRow
from analysis.row import Against, ComparedRow
from analysis.selection import Study
from analysis.standing import unresolved
from analysis.style import style
from analysis.table import Heading, Table, number, tex
from analysis.verdicts import Verdict
from nas_bench_suite.results import write_whole

MOST_COLUMNS = 5
CAPTION_LINES = 2
READINGS = 8  # of all combinations the default and those that come nearest
WORDS = {verdicts.UNRESOLVED: "open", verdicts.MISSING: "no data"}
LEGEND = (
    "In every table the mean test error of the incumbent in percent is followed by the SD over trials in "
    "brackets, the lowest mean is bold, and so is each that is not resolved from it (Holm over the table's "
    "rows). A difference is row minus reference in percentage points; after ± stands half of its 95 % "
    "interval, which holds for all comparisons of the table together. 'open': not resolved, which is no "
    "evidence of equality. A dagger marks a published value that is doubtful. In claims over draws 'A < B' "
    "says that A has the lower test error, 'Draws' counts those that agree with the claim, and 'Same' the "
    "readings of section 8 with this verdict."
)


@dataclass(frozen=True)
class Span:
    """A line over all columns: it opens a panel."""

    text: str


@dataclass(frozen=True)
class ColumnTable:
    """A table of one column's width.

    Attributes:
        name: file name without ending, and label (`tab:table3`).
        caption: at most two lines of a column.
        header: at most five heads.
        align: of the columns, as in a tabular (`p{0.8in}` wraps).
        rows: cells of plain text; bold ones are named in `bold`.
        bold: (row, column) of bold cells.
        notes: what the appendix says about this table.
    """

    name: str
    caption: str
    header: Sequence[str]
    align: Sequence[str]
    rows: Sequence[Sequence[str] | Span]
    bold: frozenset[tuple[int, int]] = frozenset()
    notes: Sequence[str] = field(default_factory=tuple)

    def to_tex(self) -> str:
        """A `table` environment with booktabs rules; needs the packages booktabs and array."""
        wrap = r">{\raggedright\hangindent=0.6em\arraybackslash}"
        align = "".join(f"{wrap}{one}" if one.startswith("p") else one for one in self.align)
        lines = [
            r"\begin{table}[tb]",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{tex(self.caption)}}}",
            rf"\label{{tab:{self.name}}}",
            rf"\begin{{tabular}}{{@{{}}{align}@{{}}}}",
            r"\toprule",
            " & ".join(tex(head) for head in self.header) + r" \\",
            r"\midrule",
        ]
        for i, row in enumerate(self.rows):
            if isinstance(row, Span):
                lines += [r"\midrule"] if i else []
                across = rf"@{{}}{wrap}p{{\columnwidth}}@{{}}"
                words = rf"\emph{{{tex(row.text)}}}"
                lines.append(rf"\multicolumn{{{len(self.header)}}}{{{across}}}{{{words}}} \\")
            else:
                cells = [
                    rf"\textbf{{{tex(cell)}}}" if (i, j) in self.bold else tex(cell)
                    for j, cell in enumerate(row)
                ]
                lines.append(" & ".join(cells) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def write_paper(study: Study, output_dir: Path) -> list[str]:
    """Build every table from results and write `paper/`.

    Returns:
        Sentences for the user: what is missing, what could not be compiled, which box is too wide.
    """
    built = tables.build_all(study, output_dir)
    over_draws = [
        table for budget in claims_over_draws.EXPERIMENTS if (table := claims_over_draws.build(study, budget))
    ]
    by_reading = readings.build_if_any(study)
    every: list[Table[Any]] = [*built, *over_draws, *([by_reading] if by_reading else [])]
    surrogate = on_surrogate(study.benchmark, tables.results_of(tables.TABLES, study))
    narrow = [one for table in every for one in column_tables(table, study, surrogate)]
    folder = output_dir / "paper"
    for one in narrow:
        write_whole(folder / f"{one.name}.tex", one.to_tex().encode())
    write_whole(folder / "notes.tex", notes(every).encode())
    made_of = _made_of(study, surrogate)
    drawn, undrawn = draw_all(Material(study), folder, ONE, IN_A_PAPER)
    pictures = [
        (f"{path.stem}.pdf", tex(_marks(path.with_suffix(".txt").read_text(), made_of))) for path in drawn
    ]
    document = folder / "paper.tex"
    write_whole(document, latex.paper([one.name for one in narrow], pictures).encode())
    complaint = latex.compile_document(document)
    print(f"{len(narrow)} tables and {len(drawn)} figures of a column's width")
    missing = [
        f"{table.name}: {note}" for table in built for note in table.notes if note.startswith("Missing")
    ]
    return [*([complaint] if complaint else []), *missing, *undrawn]


def _made_of(study: Study, surrogate: bool) -> str:
    return f"{study.trials} trials" + (", surrogate" if surrogate else "")


def _marks(caption: str, made_of: str) -> str:
    """What the marks of a figure mean, from its caption, and what it is made of; the axes say the rest."""
    marks = caption.partition(": ")[2].split(". ")[1].strip(". ")
    return f"{marks}; {made_of}."


def column_tables(table: Table[Any], study: Study, surrogate: bool) -> list[ColumnTable]:
    """A table as one column's width takes it; a wide one becomes two, one without rows none."""
    kinds: dict[type, Callable[[Table[Any], str], list[ColumnTable]]] = {
        ComparedRow: _compared,
        ComplexityRow: _complexity,
        ProtocolRow: _protocol,
        MatrixRow: _claims,
        ReadingRow: _readings,
    }
    if not any(row.status != "missing" for row in table.data):
        return []
    draft = "DRAFT. " if table.draft else ""
    made_of = _made_of(study, surrogate)
    return [
        ColumnTable(
            one.name, draft + one.caption.format(made_of=made_of), one.header, one.align, one.rows, one.bold
        )
        for one in kinds[type(table.data[0])](table, table.title.partition(".")[0])
    ]


def _compared(table: Table[ComparedRow], title: str) -> list[ColumnTable]:
    """Tables 3 to 6 and their like."""
    present = {row.row.name: row.result.errors for row in table.data if row.result is not None}
    best = min(present, key=lambda name: float(present[name].mean()))
    level = {best} | unresolved(present)
    rows: list[Sequence[str] | Span] = []
    bold = set()
    for row in table.rows:
        if isinstance(row, Heading):
            if rows and isinstance(rows[-1], Span):
                rows.pop()  # a panel without a result
            rows.append(Span(row.text))
        elif row.sample is not None:
            if row.row.name in level:
                bold.add((len(rows), 2))
            rows.append(_compared_cells(row, table.verdicts))
    if isinstance(rows[-1], Span):
        rows.pop()
    budget = next(row.result.budget for row in table.data if row.result is not None)
    reference = next(row.reference for row in table.data)
    return [
        ColumnTable(
            table.name,
            f"{title} of the paper: error (%), {budget:,} queries, vs. {reference}; {{made_of}}.",
            ("Method", "Paper", "Ours", "Difference", "Claim"),
            ("p{0.82in}", "r", "r", "r", "l"),
            rows,
            frozenset(bold),
        )
    ]


def _compared_cells(row: ComparedRow, judged: Sequence[Verdict]) -> tuple[str, ...]:
    value, sample = row.row.value, row.sample
    assert sample is not None
    if row.against is not None:
        difference = _half(row.against)
    else:
        difference = "reference" if row.row.name == row.reference or row.verdict == "reference" else ""
    return (
        row.row.name.partition(", own step")[0],
        f"{value.mean:.2f}" + ("†" if value.doubt else "") if value else "",
        f"{sample.mean:.3f} ({number(sample.sd)})",
        difference,
        _word(row, judged),
    )


def _half(against: Against) -> str:
    """A difference and half of its interval; Welch's is symmetric."""
    low, high = against.interval
    return f"{number(against.difference, '+.3f')} ± {_short((high - low) / 2)}"


def _short(half: float) -> str:
    """Three decimals, or one where the interval is so wide that more mean nothing."""
    return f"{half:.3f}" if half < 1 else f"{half:.1f}"


def _word(row: ComparedRow, judged: Sequence[Verdict]) -> str:
    """What became of the claim about a row and its reference; for a row of ours the comparison."""
    pair = {row.row.name, row.reference}
    of_pair = [verdict.word for verdict in judged if {verdict.claim.row, verdict.claim.other} == pair]
    if not of_pair and row.row.panel:
        of_pair = [word for word in (verdicts.BETTER, verdicts.WORSE, verdicts.EVEN) if word == row.verdict]
    return "; ".join(WORDS.get(word, word) for word in of_pair)


def _complexity(table: Table[ComplexityRow], title: str) -> list[ColumnTable]:
    rows = []
    for row in table.data:
        if row.parameters is None or row.exponents is None:
            continue
        a, b = row.exponents
        cells = (row.paper.policy.upper(), row.paper.order, f"{row.parameters[0]:,}", number(a), number(b))
        rows.append(cells)
    return [
        ColumnTable(
            table.name,
            f"Context parameters (paper: {title.lower()}) for 26 variables, width 36; fitted exponents.",
            ("Policy", "Paper", "Parameters", "of N", "of d"),
            ("l", "l", "r", "r", "r"),
            rows,
        )
    ]


def _protocol(table: Table[ProtocolRow], title: str) -> list[ColumnTable]:
    """Two tables: what is read, and what counts."""
    names = table.data[0].variants
    groups = {
        "runs": ("What a query reads", [name for name in names if name.startswith("run")]),
        "rules": ("What counts", [name for name in names if name != DEFAULT and not name.startswith("run")]),
    }
    out = []
    for ending, (what, variants) in groups.items():
        there = [name for name in variants if any(name in row.means for row in table.data)]
        if not there:
            continue
        shown = [DEFAULT, *there][: MOST_COLUMNS - 1]
        rows = [
            (style(row.label).name, *(_protocol_cell(row, variant) for variant in shown))
            for row in table.data
            if row.means
        ]
        out.append(
            ColumnTable(
                f"{table.name}-{ending}",
                f"{what}: error (%) and rank, * where it changes; {{made_of}}.",
                ("Method", *(variant.partition(": ")[2] or variant for variant in shown)),
                ("p{0.82in}", *("r" for _ in shown)),
                rows,
            )
        )
    return out


def _protocol_cell(row: ProtocolRow, variant: str) -> str:
    if variant not in row.means:
        return ""
    star = "*" if row.p.get(variant, 1.0) < 0.05 else ""
    return f"{row.means[variant]:.3f}{star} ({row.ranks[variant]:.3g})"


def _claims(table: Table[MatrixRow], title: str) -> list[ColumnTable]:
    """One line for each claim: the default reading, and on how many readings the verdict is the same."""
    claims: dict[str, list[MatrixRow]] = {}
    for row in table.data:
        claims.setdefault(statement(row.verdict.claim), []).append(row)
    rows = []
    for said, of_claim in claims.items():
        first = of_claim[0]
        over = first.over
        assert over is not None  # rows without are not built
        half = (over.interval.high - over.interval.low) / 2
        agree = round((first.agree or 0.0) * len(first.draws))
        same = sum(row.verdict.word == first.verdict.word for row in of_claim)
        rows.append(
            (
                said.replace("no better than", "not <").replace("better than", "<"),
                f"{number(over.difference, '+.3f')} ± {_short(half)}",
                f"{agree}/{len(first.draws)}",
                WORDS.get(first.verdict.word, first.verdict.word),
                f"{same}/{len(of_claim)}",
            )
        )
    trials = table.data[0].trials
    return [
        ColumnTable(
            table.name,
            f"Claims over draws of the table, {trials} trials on each; same: readings that agree.",
            ("Claim", "Difference", "Draws", "Verdict", "Same"),
            ("p{1.08in}", "r", "r", "l", "r"),
            rows,
        )
    ]


def _readings(table: Table[ReadingRow], title: str) -> list[ColumnTable]:
    """The default reading and those that come nearest in level."""
    rows = []
    for row in table.data[:READINGS]:
        fits = [row.fits.get(budget) for budget in readings.EXPERIMENTS]
        cells = [text for fit in fits for text in _fit_cells(fit)]
        rows.append((", ".join((row.of.test, *row.of[1:])), *cells))
    heads = [f"{what} {budget:,}" for budget in readings.EXPERIMENTS for what in ("τ", "gap")]
    return [
        ColumnTable(
            table.name,
            "Readings of section 8: Kendall's τ with the paper's order, gap of levels (points).",
            ("Reading", *heads),
            ("p{1.1in}", "r", "r", "r", "r"),
            rows,
        )
    ]


def _fit_cells(fit: readings.Fit | None) -> tuple[str, str]:
    return ("", "") if fit is None else (number(fit.tau), f"{fit.gap:.2f}")


def notes(built: Sequence[Table[Any]]) -> str:
    """The appendix: what holds for all tables, once, then what is to be said about each."""
    said: dict[str, list[str]] = {}  # note -> titles of the tables that have it
    for table in built:
        for note in [table.caption, *table.notes]:
            if note and not note.startswith(("Missing", "To make what is missing")):
                said.setdefault(note, []).append(_title(table))
    common = [note for note, where in said.items() if len(where) > 1]
    lines = [r"\section*{Notes}", r"\footnotesize\sloppy"]
    lines += [tex(note) + r"\par" for note in [LEGEND, *common]]
    for table in built:
        own = [tex(note) for note, where in said.items() if where == [_title(table)]]
        if own:
            head = rf"\medskip\noindent\textbf{{{tex(_title(table))}.}} "
            lines.append(head + r"\par ".join(own) + r"\par")
    return "\n".join(lines) + "\n"


def _title(table: Table[Any]) -> str:
    return table.title.partition(".")[0]
