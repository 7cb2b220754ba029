"""What `make docs` needs beside the pages: pages from files above docs/, and formulas without a script.

README.md becomes the first page, ARCHITECTURE.md and CHANGELOG.md pages of their own, the programs of
examples/ pages that show them, and the folder of methods gets a list. Formulas become MathML, which browsers
draw by themselves.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ABOVE = {"README.md": "index.md", "ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(\]\()(?!https?://|#)([^)\s#]+)")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">(?:\\\(|\\\[)(.*?)(?:\\\)|\\\])</\1>', re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie above docs/."""
    from mkdocs.structure.files import File

    for source, target in ABOVE.items():
        text = (ROOT / source).read_text()
        files.append(File.generated(config, target, content=relinked(text, ROOT, "")))
    for program in sorted((ROOT / "examples").glob("*.py")):
        text = f"# {program.name}\n\n```python\n{program.read_text()}```\n"
        files.append(File.generated(config, f"examples/{program.stem}.md", content=text))
    methods = sorted((ROOT / "docs" / "methods").glob("*.md"))
    titles = {path.name: path.read_text().partition("\n")[0].lstrip("# ") for path in methods}
    listed = "\n".join(f"- [{title}]({name})" for name, title in titles.items())
    files.append(File.generated(config, "methods/index.md", content=f"# Methods\n\n{listed}\n"))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links to files above docs/ into links to their pages."""
    if page.file.abs_src_path is None or page.file.generated_by:
        return markdown
    depth = page.file.src_uri.count("/")
    return relinked(markdown, Path(page.file.abs_src_path).parent, "../" * depth)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Turn formulas into MathML."""
    from latex2mathml.converter import convert

    def formula(found: re.Match[str]) -> str:
        display = "block" if found[1] == "div" else "inline"
        return str(convert(unescape(found[2]).strip(), display=display))

    return _FORMULA.sub(formula, html)


def relinked(text: str, folder: Path, up: str) -> str:
    """Links of a page that lies in `folder`, as the site has them; `up` leads from it to the first page."""

    def link(found: re.Match[str]) -> str:
        path = (folder / found[2]).resolve()
        if not path.is_relative_to(ROOT):
            return found[0]
        inside = path.relative_to(ROOT) / ("index.md" if path.is_dir() else "")
        if str(inside) in ABOVE:
            return f"{found[1]}{up}{ABOVE[str(inside)]}"
        if inside.parts[0] == "examples":
            return f"{found[1]}{up}{inside.with_suffix('.md')}"
        if inside.parts[0] == "docs":
            return f"{found[1]}{up}{Path(*inside.parts[1:])}"
        return found[0]

    return _LINK.sub(link, text)
