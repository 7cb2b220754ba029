"""Every table as it came out, each with its own notes, then the notes that several share."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path

from analysis.tables import TABLES
from nas_bench_suite.checks import ConfigError

HEAD = """# Tables 2 to 6, as they came out

What `make tables` wrote, put together by `python -m studies.results_page outputs`; [in short](results.md).
[analysis.md](analysis.md#how-to-read-a-row) says how to read a row, and what each verdict means. The tables
come from the surrogate: its [model card](surrogate.md) says what may not be concluded. What stands under more
than one table is at the [end](#notes-to-several-tables). [How long the searches take](times.md)."""
MORE = {  # shown where somebody has made them: name -> heading
    "verdicts150": "Claims over draws, 150 queries",
    "verdicts3200": "Claims over draws, 3,200 queries",
    "readings": "Readings",
}
NOTES = "## Notes to several tables"


def whole(folder: Path) -> str:
    """The page's text.

    Raises:
        ConfigError: if a table is missing.
    """
    tables: dict[str, list[str]] = {}
    for table in TABLES:
        path = folder / f"{table.name}.md"
        if not path.is_file():
            raise ConfigError(f"{path} is missing; to make it: make tables OUTPUT={folder.parent}.")
        tables[table.name] = path.read_text().strip().split("\n\n")
    for name in MORE:
        if (folder / f"{name}.md").is_file():
            tables[name] = (folder / f"{name}.md").read_text().strip().split("\n\n")
    count = Counter(paragraph for paragraphs in tables.values() for paragraph in paragraphs)
    parts = [HEAD]
    for name, paragraphs in tables.items():
        parts.append(f"## {MORE.get(name) or name.replace('table', 'table ').capitalize()}")
        parts += [_wrapped(paragraph) for paragraph in paragraphs if count[paragraph] == 1]
    shared = [_wrapped(paragraph) for paragraph in count if count[paragraph] > 1]
    return "\n\n".join(parts + ([NOTES, *shared] if shared else [])) + "\n"


def _wrapped(paragraph: str) -> str:
    """A paragraph in lines as long as those of the other pages; a table as it is."""
    if paragraph.startswith("|"):
        return paragraph
    return textwrap.fill(paragraph, 110, break_long_words=False, break_on_hyphens=False)
