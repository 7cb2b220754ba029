"""docs/results.md, from what `make tables` built.

python docs/figures/results.py outputs
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAD = """# Tables 2 to 6, as they came out

What `make tables` wrote, from 500 trials a row; [analysis.md](analysis.md) says how to read a row, and what
each verdict means. It is a surrogate: its [model card](surrogate.md) says what may not be
concluded. How long it takes is in the README.
"""


def main(folder: str) -> None:
    parts = [
        (Path(folder) / "tables" / f"{name}.md").read_text()
        for name in ("table2", "table3", "table4", "table5", "table6", "protocol")
    ]
    (ROOT / "docs" / "results.md").write_text("\n\n".join([HEAD, *parts]))


if __name__ == "__main__":
    main(sys.argv[1])
