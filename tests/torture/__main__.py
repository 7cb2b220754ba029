"""The campaign: `python -m tests.torture [--minutes 10] [--seed 0] [CLASS ...]`, or `make torture`.

Classes take turns until the time is up; the one that has had the least time is next. A case follows from the
class, the seed and its number alone. It runs in a process and an empty folder of its own, so one that crashes
or hangs costs itself alone. At the end stand the counts by class, and for each case that failed the command
that repeats it. Exit code 1 if any failed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Protocol

from nas_bench_suite.checks import ConfigError, nearest
from nas_bench_suite.job import run_job
from nas_bench_suite.messages import exit_code
from tests.torture import (
    command_line,
    disk,
    journals,
    kills,
    methods,
    numba_cache,
    optimizer_keys,
    pickles,
    results,
    tables,
)
from tests.torture.forked import call

LONGEST = 300.0  # seconds of one case
REFUSED, FAILED = 3, 4  # exit codes of a case
SHOWN = 1500  # characters of what went wrong


class Case(Protocol):
    """What modules make."""

    @property
    def name(self) -> str: ...

    def run(self, rng: random.Random, folder: Path) -> str: ...


CLASSES: dict[str, Callable[[random.Random], Iterator[Case]]] = {
    "kills": kills.killed,
    "interrupts": kills.interrupted,
    "writers": kills.writers,
    "disk": disk.cases,
    "results": results.files,
    "manifests": results.manifests,
    "journals": journals.damaged,
    "shared_journals": journals.shared,
    "tables": tables.cases,
    "numba_cache": numba_cache.cases,
    "command_line": command_line.cases,
    "optimizer_keys": optimizer_keys.cases,
    "pickles": pickles.cases,
    "methods": methods.cases,
}


def main(words: Sequence[str]) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description="Seeded damage, by class.")
    parser.add_argument("classes", nargs="*", metavar="CLASS", help=f"of {', '.join(CLASSES)}; default: all")
    parser.add_argument("--minutes", type=float, default=10.0, help="when to stop; default: 10")
    parser.add_argument("--seed", type=int, default=0, help="of all cases; default: 0")
    parser.add_argument("--only", metavar="CLASS:NUMBER", help="repeat this case")
    args = parser.parse_args(words)
    chosen = args.classes or list(CLASSES)
    numbers: tuple[int, ...] = ()
    if args.only:
        name, _, number = args.only.partition(":")
        if not number.isdecimal():
            raise ConfigError(f"--only={args.only} is no case; accepted: CLASS:NUMBER, as in kills:12.")
        chosen, numbers = [name], (int(number),)
    for name in chosen:
        if name not in CLASSES:
            raise ConfigError(
                f"{name} is no class of cases{nearest(name, tuple(CLASSES))}; accepted: {', '.join(CLASSES)}."
            )
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        return campaign(chosen, args.seed, 60 * args.minutes, Path(folder), numbers)


def campaign(
    classes: Sequence[str], seed: int, seconds: float, folder: Path, only: tuple[int, ...] = ()
) -> int:
    """Try cases until the time is up, or `only` the cases with these numbers. Returns 1 if any failed."""
    tried: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    spent = dict.fromkeys(classes, 0.0)
    failed: list[tuple[str, int]] = []
    end = time.monotonic() + seconds
    numbers = {name: iter(only or count()) for name in classes}
    warm(folder)
    try:
        while time.monotonic() < end and numbers:
            name = min(numbers, key=lambda name: spent[name])
            number = next(numbers[name], None)
            if number is None:
                del numbers[name]
                continue
            began = time.monotonic()
            answer, what = one(name, seed, number, folder / name)
            spent[name] += time.monotonic() - began
            tried[name] += 1
            refused[name] += answer == "refused"
            if answer == "failed":
                failed.append((name, number))
                print(f"{name}:{number} failed: {what}", flush=True)
    finally:
        _report(classes, tried, refused, spent, failed, seed)
    return int(bool(failed))


def warm(folder: Path) -> None:
    """Load, once, the modules and compiled kernels that most cases need."""
    run_job(results.config(folder / "warm", 0), "random", "planted")
    journals.run(folder / "warm" / "journal.jsonl")


def one(name: str, seed: int, number: int, folder: Path) -> tuple[str, str]:
    """Run one case in a process of its own. Returns "ok", "refused" or "failed", and what went wrong."""
    rng = random.Random(f"{name}:{seed}:{number}")
    here = folder / str(number)

    def run() -> None:
        case = next(CLASSES[name](rng))
        print(ascii(case.name), flush=True)
        here.mkdir(parents=True, exist_ok=True)
        try:
            answer = case.run(rng, here)
        except BaseException:
            traceback.print_exc()
            raise SystemExit(FAILED) from None
        raise SystemExit(REFUSED if answer == "refused" else 0)

    try:
        done = call(run, folder.parent / "said", timeout=LONGEST)
    except AssertionError as error:
        return "failed", str(error)
    finally:
        shutil.rmtree(here, ignore_errors=True)
    if done.code in (0, REFUSED):
        return ("refused" if done.code else "ok"), ""
    ended = "" if done.code == FAILED else f"exit code {done.code}; "
    return "failed", f"{done.out.strip()[:300]}\n{ended}{done.err.strip()[-SHOWN:]}"


def _report(
    classes: Sequence[str],
    tried: Counter[str],
    refused: Counter[str],
    spent: dict[str, float],
    failed: list[tuple[str, int]],
    seed: int,
) -> None:
    lost = Counter(name for name, _ in failed)
    print("\n| class | tried | survived | of these refused in a sentence | seconds |\n|---|---|---|---|---|")
    for name in classes:
        print(
            f"| {name} | {tried[name]} | {tried[name] - lost[name]} | {refused[name]} | {spent[name]:.0f} |"
        )
    total = tried.total()
    print(f"| all | {total} | {total - len(failed)} | {refused.total()} | {sum(spent.values()):.0f} |")
    for name, number in failed:
        print(f"failed: python -m tests.torture --seed {seed} --only {name}:{number}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(exit_code(lambda: main(sys.argv[1:])))
