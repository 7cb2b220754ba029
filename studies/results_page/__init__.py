"""Tables 2 to 6 and the protocol table on one page, as they came out (docs/results.md).

make tables
python -m studies.results_page outputs     # writes docs/results.md
"""

from studies import Study

STUDY = Study(
    experiment="make tables",
    command="python -m studies.results_page outputs",
    page="docs/results.md",
)
