"""Do the paper's claims of small effects hold in 5,000 trials (docs/small-effects.md)?

    python run.py -m +experiment=small_effects output_dir=outputs/small_effects
    python -m studies.small_effects outputs/small_effects     # prints the page's tables

The claims (`claims.py`) were written down before the first of these searches was run.
"""

from studies import Study

STUDY = Study(
    experiment="small_effects",
    command="python -m studies.small_effects outputs/small_effects",
    page="docs/small-effects.md",
)
