"""Wrong command lines: nonsense in every key, in every form that Hydra's grammar has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.forked import check, command

SMALL = ("benchmark=planted", "optimizer=random", "budget=3", "trials=2")
KEYS = ("budget", "trials", "first_trial", "seed", "trials_per_block", "workers", "device", "output_dir")
GROUPS = ("optimizer", "benchmark", "protocol", "optimizer._target_", "benchmark.name", "protocol.run")
OPTIONS = ("optimizer.batch", "optimizer.repeats", "benchmark.noise", "benchmark.seed", "protocol.cost")
HYDRA = (
    "hydra.run.dir",
    "hydra.sweep.dir",
    "hydra.sweep.subdir",
    "hydra.job.chdir",
    "hydra.job.name",
    "hydra.mode",
    "hydra.output_subdir",
    "hydra.verbose",
    "hydra/launcher",
    "hydra/sweeper",
    "hydra/job_logging",
    "hydra.sweeper.max_batch_size",
    "hydra.sweeper.products",
    "hydra.sweeper.experiments",
    "hydra.sweeper.params",
    "hydra.launcher",
    "hydra.job",
    "hydra",
    "experiment",
    "nosuch",
    "",
)
VALUES = (
    "",
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1.5",
    "2.0",
    "nan",
    "inf",
    "1e400",
    "-0.0",
    "2147483647",
    "9223372036854775808",
    "9" * 5000,
    "1" + "0" * 400,
    "abc",
    "x" * 20000,
    "''",
    "'",
    '"',
    "'a b'",
    "a b",
    "[]",
    "[x]",
    "[1,2",
    "{}",
    "{a: 1}",
    "{a: {_target_: os.getcwd}}",
    "[[[[[[[[[[]]]]]]]]]]",
    "${nothing}",
    "${budget}",
    "${seed}",
    "${oc.env:HOME}",
    "${oc.env:NO_SUCH_VARIABLE}",
    "${oc.decode:'['}",
    "${",
    "$",
    "???",
    "glob(*)",
    "range(0,3)",
    "range(3)",
    "range(0,1e9)",
    "choice(1,2)",
    "choice()",
    "interval(0,1)",
    "shuffle(1,2)",
    "sort(2,1)",
    "tag(a,1)",
    "extend_list(1)",
    "int(x)",
    "float(nan)",
    "1,2",
    "1,,2",
    ",",
    "random,nosuch",
    "/dev/null",
    "/dev/full",
    "../..",
    "ünïcödé",
    "\udcff",
    "\x01\x1b[31m",
    "a\nb",
    "%s%n",
    "=",
    "a=b",
    "os.system",
    "os",
    ".",
    "..",
    "optimizers.random_search.RandomSearch",
    "optimizers.random_search",
    "nas_bench_suite.optimizer.Optimizer",
)
FORMS = ("{}={}", "+{}={}", "++{}={}", "~{}={}", "~{}", "{}={},{}", "{}@x={}", "{}.x={}")


@dataclass(frozen=True)
class Line:
    """One command line."""

    name: str
    words: tuple[str, ...]
    multirun: bool

    def run(self, rng: random.Random, folder: Path) -> str:
        own = () if any("output_dir" in word for word in self.words) else (f"output_dir={folder / 'out'}",)
        inside = folder / "here"  # relative paths lead here
        inside.mkdir(parents=True, exist_ok=True)
        words = [*(["-m"] if self.multirun else []), *SMALL, *own, *self.words]
        return check(command(words, folder, cwd=inside), folder, self.multirun)


def line(*words: str, multirun: bool = False) -> Line:
    """A case for these words after those of a small job."""
    shown = " ".join(word if len(word) < 60 else f"{word[:40]}...({len(word)})" for word in words)
    return Line(("-m " if multirun else "") + ascii(shown)[1:-1], words, multirun)


def cases(rng: random.Random) -> Iterator[Line]:
    """Endless random command lines."""
    while True:
        words = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            key = rng.choice(rng.choice((KEYS, GROUPS, OPTIONS, HYDRA)))
            value, other = rng.choice(VALUES), rng.choice(VALUES)
            words.append(rng.choice((FORMS[0], *FORMS)).format(key, value, other))
        if rng.random() < 0.05:
            words.append(
                "".join(chr(rng.choice((rng.randrange(1, 128), rng.randrange(1, 0xD800)))) for _ in range(9))
            )
        yield line(*words, multirun=rng.random() < 0.4)
