"""Which method finds good cells on every table (docs/arena.md)?

    python run.py -m +experiment=arena output_dir=outputs/arena
    python -m studies.arena outputs/arena     # prints the page's tables, draws its pictures

`make arena` does both. Tables that need a file are ranked too where their results lie in the same folder.
"""

from studies import Study

STUDY = Study(
    experiment="arena",
    command="python -m studies.arena outputs/arena",
    page="docs/arena.md",
)
