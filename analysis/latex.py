"""LaTeX documents around the tables, and their compilation where pdflatex is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PREAMBLE = r"""\documentclass[10pt]{article}
\usepackage[a4paper,landscape,margin=18mm]{geometry}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{booktabs}
\usepackage{graphicx}
\setlength{\parindent}{0pt}
\setlength{\belowcaptionskip}{6pt}
\renewcommand{\tablename}{}
\renewcommand{\thetable}{}
\makeatletter\long\def\@makecaption#1#2{\vskip\abovecaptionskip#2\par\vskip\belowcaptionskip}\makeatother
\begin{document}
"""


def document(names: Sequence[str]) -> str:
    """A document that includes `<name>.tex` for each name; it lies beside them."""
    return PREAMBLE + "\n".join(rf"\input{{{name}.tex}}\clearpage" for name in names) + "\n\\end{document}\n"


PAPER = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[letterpaper,textwidth=7in,textheight=9.2in,columnsep=0.4in]{geometry}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,array,graphicx}
\begin{document}
"""
COLUMN = 3.3  # inches of one column of such a page; two are 7


def paper(names: Sequence[str], figures: Sequence[tuple[str, str]] = ()) -> str:
    """A two-column document with `<name>.tex` for each name, the figures (file name, caption), and the
    notes."""
    parts = [rf"\input{{{name}.tex}}" for name in names]
    parts += [
        rf"\begin{{figure}}[tb]\centering\includegraphics{{{file}}}\caption{{{caption}}}\end{{figure}}"
        for file, caption in figures
    ]
    return PAPER + "\n".join([*parts, r"\clearpage", r"\input{notes.tex}"]) + "\n\\end{document}\n"


def pdflatex() -> str | None:
    """Path of pdflatex, or None."""
    return shutil.which("pdflatex")


def compile_document(path: Path) -> str | None:
    """Compile a document beside itself.

    Returns:
        None if it went well, else a sentence with the first error, or with the boxes that are too wide.
    """
    program = pdflatex()
    if program is None:
        return (
            f"pdflatex is not installed (docs/analysis.md says how to install it), so {path.name} was not "
            "compiled; the .tex files are complete."
        )
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        errors="replace",
    )
    log = path.with_suffix(".log")
    if done.returncode == 0:
        wide = too_wide(log.read_text(errors="replace"))
        for ending in (".aux", ".log"):
            path.with_suffix(ending).unlink(missing_ok=True)
        return (
            f"{path.with_suffix('.pdf').name} has boxes that are too wide: {'; '.join(wide)}"
            if wide
            else None
        )
    errors = [line for line in done.stdout.splitlines() if line.startswith("!")]
    return f"pdflatex stopped on {path.name}: {errors[0] if errors else 'see ' + log.name}"


def too_wide(log: str) -> list[str]:
    """The overfull boxes that a log names, with their place; one point is not seen."""
    found, file = [], ""
    for line in log.splitlines():
        box = re.match(r"Overfull \\hbox \(([\d.]+)pt too wide\) (.*)", line)
        if box and float(box[1]) > 1:
            found.append(f"{file} {box[1]} pt {box[2]}".strip())
        for opened in re.findall(r"\(\./(\S+?\.tex)", line):
            file = opened
    return found
