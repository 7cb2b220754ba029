"""How do all methods do on NAS-Bench-201's three datasets, beside published values (docs/nasbench201.md)?

python run.py -m +experiment=nasbench201 benchmark.path=FILE
python -m studies.nasbench201 outputs     # prints the page's table, writes docs/images/nasbench201.png
"""

from studies import Study

STUDY = Study(
    experiment="nasbench201",
    command="python -m studies.nasbench201 outputs",
    page="docs/nasbench201.md",
)
