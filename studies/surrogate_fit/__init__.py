"""Where does the surrogate of NASBench-101 come from, and how good is it (docs/surrogate.md)?

    python -m studies.surrogate_fit                     # or make surrogate: fits it, writes its artefact
    python -m studies.surrogate_fit.published_values    # published values beside the surrogate's
    python -m studies.surrogate_fit.search_levels       # levels of searches, with the noise drawn anew
    python -m studies.surrogate_fit.card                # the model card's plots and tables

The fit needs the observed cells (`surrogate.observed.shared_data`) and lightgbm (the extra `surrogate`).
"""

from studies import Study

STUDY = Study(
    experiment="make surrogate",
    command="python -m studies.surrogate_fit.card",
    page="docs/surrogate.md",
)
