"""Studies: one folder for each page or set of pictures of docs/ that is made from searches.

A study's folder holds its table (functions that return numbers), its drawing (functions that take them) and
its command; its searches stand in conf/experiment. `python -m studies` lists all studies. They run from a
checkout: what they write goes into outputs/ and docs/.
"""

from __future__ import annotations

from typing import NamedTuple


class Study(NamedTuple):
    """What a folder of studies/ says of itself, as `STUDY` in its `__init__.py`."""

    experiment: str  # a file of conf/experiment; a make target or "its own searches" where there is none
    command: str  # makes the page's tables and pictures
    page: str
