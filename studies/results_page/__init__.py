"""The paper's tables in short (docs/results.md), and as they came out (docs/tables.md).

make tables
python -m analysis verdicts; python -m analysis readings
python -m studies.results_page outputs     # writes both pages
"""

from studies import Study

STUDY = Study(
    experiment="make tables",
    command="python -m studies.results_page outputs",
    page="docs/results.md",
)
