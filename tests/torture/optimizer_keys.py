"""Nonsense in every hyperparameter of every method: a sentence, or a search within its budget."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_bench_suite.experiments import compose, names
from tests.torture.forked import Done, call, check

VALUES: tuple[Any, ...] = (
    None,
    [],
    {},
    [1],
    [-1.0, 2.0],
    [float("nan")],
    ["a"],
    [[1]],
    {"edge": 0.1},
    {"edge": -1, "op": "x"},
    {"nosuch": 0.5},
    {1: 2},
    "",
    "abc",
    "all",
    "0",
    float("nan"),
    float("inf"),
    -1,
    0,
    0.5,
    1,
    1.5,
    2.0,
    -0.0,
    1e-300,
    1e300,
    10**6,
    10**9,
    10**12,
    2**63 - 1,
    2**63,
    10**400,
    -(10**30),
    True,
    False,
    "x" * 10_000,
    "\0",
)
MEMORY = 6 * 10**9  # bytes of address space beyond what the process has
SECONDS = 120  # that a job of these sizes may take


@dataclass(frozen=True)
class Key:
    """One method with one or more of its keys set."""

    label: str
    values: tuple[tuple[str, Any], ...]
    budget: int

    @property
    def name(self) -> str:
        shown = " ".join(f"{key}={_short(value)}" for key, value in self.values)
        return f"{self.label} {shown} budget={self.budget}"

    def run(self, rng: random.Random, folder: Path) -> str:
        config = compose({"optimizer": self.label, "benchmark": "planted"})
        _import(str(config["optimizer"]["_target_"]).rpartition(".")[0])
        config["optimizer"] |= dict(self.values)
        config |= {"budget": self.budget, "trials": 2, "output_dir": str(folder / "out")}
        done: Done = call(lambda: _job(config, self.label), folder, timeout=SECONDS)
        return check(done, folder)


def _import(module: str) -> None:
    """Import a method once for all forks, if it can be."""
    with suppress(ImportError):
        importlib.import_module(module)


def _short(value: Any) -> str:
    huge = isinstance(value, int) and abs(value) > 10**30
    return "10**400" if huge else ascii(value)[:40]


def _job(config: dict[str, Any], label: str) -> None:
    import resource

    from nas_bench_suite.job import run_job
    from nas_bench_suite.messages import exit_code

    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))

    def command() -> int:
        run_job(config, label, "planted")
        return 0

    raise SystemExit(exit_code(command))


def every() -> Iterator[Key]:
    """Each key of each method with each value."""
    for label in names("optimizer"):
        for key in compose({"optimizer": label})["optimizer"]:
            if key != "_target_":
                for value in VALUES:
                    yield Key(label, ((key, value),), 12)


def refusals(rng: random.Random) -> Iterator[Key]:
    """Endless random values of one key each that no key accepts."""
    never = [
        v for v in VALUES if isinstance(v, (list, str)) or (isinstance(v, (int, float)) and not _small(v))
    ]
    for case in cases(rng):
        key = case.values[0][0]
        yield Key(case.label, ((key, rng.choice(never)),), 1)


def _small(value: float) -> bool:
    return isinstance(value, bool) or -1 <= value <= 10**6


def cases(rng: random.Random) -> Iterator[Key]:
    """Endless random choices: one or several keys at a time."""
    methods = {
        label: [key for key in compose({"optimizer": label})["optimizer"] if key != "_target_"]
        for label in names("optimizer")
    }
    while True:
        label = rng.choice(list(methods))
        count = min(len(methods[label]), rng.choice((1, 1, 1, 2, 3)))
        chosen = rng.sample(methods[label], count)
        values = tuple((key, rng.choice(VALUES)) for key in chosen)
        yield Key(label, values, rng.choice((1, 12, 40)))
