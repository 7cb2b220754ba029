"""`make bench`: speed, as ratios within one run, so that the numbers hold on any machine. Names after `-m
...bench` choose some of them."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def main(wanted: list[str]) -> int:
    """Run every bench_*.py beside this file (or the wanted ones) and print its rows."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    wrong = [name for name in wanted if name not in known]
    if wrong:
        print(f"error: there is no benchmark '{wrong[0]}'; accepted: {', '.join(known)}.", file=sys.stderr)
        return 2
    failed = False
    for name in wanted or known:
        began = time.perf_counter()
        print(f"\n{name}")
        try:
            rows = importlib.import_module(f"bench.bench_{name}").run()
        except Exception as error:  # one that fails must not hide the others
            print(f"  failed: {type(error).__name__}: {error}")
            failed = True
            continue
        width = max(len(what) for what, _ in rows)
        for what, measured in rows:
            print(f"  {what:<{width}}  {measured}", flush=True)
        print(f"  ({time.perf_counter() - began:.0f} s)")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
