"""`python -m nas_bench_suite`: the command `nas-bench-suite`, which is `python run.py` wherever one is."""

from nas_bench_suite.cli import installed

if __name__ == "__main__":
    installed()
