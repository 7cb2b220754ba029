"""Can results over draws of the surrogate's table be trusted, and how far do levels move (docs/draws.md)?

    python -m studies.draws.folds                               # fits to nine tenths, predicts the rest
    python run.py -m +experiment=draws output_dir=outputs/draws
    python -m studies.draws                                     # prints the page's tables, draws its figure

The fits need the observed cells (`surrogate.observed.shared_data`) and lightgbm (the extra `surrogate`), and
half an hour on one core for each fold.
"""

from studies import Study

STUDY = Study(
    experiment="draws",
    command="python -m studies.draws",
    page="docs/draws.md",
)
