"""How do a policy's parameters, quality and seconds grow with the number N of variables (docs/scaling.md)?

    python -m studies.scaling --output-dir outputs     # or make scaling; runs what is missing

builds `figures/scaling.png`, `.pdf` and `.csv` below the output folder from result files
(conf/experiment/scaling.yaml) and from the costs that `python -m studies.scaling.measure` writes. The page's
step sizes are conf/experiment/scaling_steps.yaml.
"""

from studies import Study

STUDY = Study(
    experiment="scaling",
    command="python -m studies.scaling",
    page="docs/scaling.md",
)
