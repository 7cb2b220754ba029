"""What does a method do in one search? The pictures of the pages in docs/methods.

    python -m studies.method_pictures             # all of them
    python -m studies.method_pictures tpe bohb    # some

Each runs its searches on the surrogate when it is made (under a minute, BANANAS included) and keeps no
results.
"""

from studies import Study

STUDY = Study(
    experiment="its own searches",
    command="python -m studies.method_pictures",
    page="docs/methods/*.md",
)
