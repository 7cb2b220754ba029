"""One Hydra job: benchmark x optimizer x protocol -> result files. Composes, nothing else.

python run.py -m optimizer=remaade,random budget=150
"""

from pathlib import Path

from nas_bench_suite.cli import main

if __name__ == "__main__":
    main(Path(__file__).parent / "conf")
