"""A small LaTeX document around the tables, and its compilation where pdflatex is installed."""

from __future__ import annotations

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


def pdflatex() -> str | None:
    """Path of pdflatex, or None."""
    return shutil.which("pdflatex")


def compile_document(path: Path) -> str | None:
    """Compile a document beside itself.

    Returns:
        None if it went well, else a sentence with the first error.
    """
    program = pdflatex()
    if program is None:
        return (
            "pdflatex is not installed (docs/analysis.md says how to install it), so tables.tex was not "
            "compiled; the .tex files are complete."
        )
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode == 0:
        for ending in (".aux", ".log"):
            path.with_suffix(ending).unlink(missing_ok=True)
        return None
    errors = [line for line in done.stdout.splitlines() if line.startswith("!")]
    return (
        f"pdflatex stopped on {path.name}: {errors[0] if errors else 'see ' + path.with_suffix('.log').name}"
    )
