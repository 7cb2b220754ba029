"""What does each choice matter that the paper leaves open? One key changed at a time (docs/defaults.md).

python run.py -m +experiment=defaults output_dir=outputs/defaults
python -m studies.defaults outputs/defaults     # prints the page's tables, writes docs/images/defaults.png
"""

from studies import Study

STUDY = Study(
    experiment="defaults",
    command="python -m studies.defaults outputs/defaults",
    page="docs/defaults.md",
)
