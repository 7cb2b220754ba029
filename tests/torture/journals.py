"""Damaged and foreign journals: never a wrong value, never a lost file. Two searches on one journal: the
second is refused while the first runs, and goes on where it was killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas_bench_suite import ConfigError, Lookups, Objective, SearchRecord, search
from nas_bench_suite.benchmarks.planted import Planted
from optimizers.random_search import RandomSearch
from tests.torture.tables import mutated

BUDGET, TRIALS = 8, 2
SLOW = 0.01  # seconds of one evaluation where two searches meet


class Accuracy:
    """The planted accuracy as a user's function; `calls` counts, `wait` is in seconds."""

    def __init__(self, wait: float = 0.0) -> None:
        self.calls, self.wait, self.planted = 0, wait, Planted()

    def __call__(self, architecture: np.ndarray) -> tuple[float, float]:
        self.calls += 1
        time.sleep(self.wait)
        found = self.planted.query(Lookups(self.planted.space.cell_id(architecture), 0))
        return float(found.validation), float(found.test)


def run(journal: Path | None, wait: float = 0.0, seed: int = 0) -> tuple[SearchRecord, int]:
    """The search, and how many evaluations it made."""
    function = Accuracy(wait)
    objective = Objective(function.planted.space, function)
    record = search(RandomSearch(), objective, budget=BUDGET, trials=TRIALS, seed=seed, journal=journal)
    return record, function.calls


def same(record: SearchRecord, expected: SearchRecord) -> bool:
    """Whether two searches read the same values of the same cells."""
    names = ("trial", "query", "cell_id", "run", "fidelity", "validation", "test", "status")
    return all(
        np.array_equal(record.queries[name], expected.queries[name], equal_nan=name in ("validation", "test"))
        for name in names
    )


@dataclass(frozen=True)
class Damaged:
    """A journal of the search with bytes or lines changed, or a file that is none."""

    name: str

    def run(self, rng: random.Random, folder: Path) -> str:
        path = folder / "journal.jsonl"
        expected, _ = run(path)
        whole = path.read_bytes()
        content = self._content(rng, whole, folder)
        path.write_bytes(content)
        try:
            record, calls = run(path)
        except ConfigError as error:
            assert path.read_bytes() == content, "a refused file was changed"
            assert str(error).endswith(".") and str(path) in str(error), str(error)
            return "refused"
        assert self.name != "foreign" or not content.strip(b"\0"), "a foreign file was taken for a journal"
        assert same(record, expected), "a wrong value was taken from a damaged journal"
        written = path.read_bytes()
        assert calls or len(written) >= len(content.rstrip(b"\0")), "the journal became shorter"
        assert written.startswith(content[: content.rfind(b"\n") + 1]), "whole lines were lost"
        again, calls = run(path)
        assert same(again, expected) and calls == 0, "the mended journal is not whole"
        return "ok"

    def _content(self, rng: random.Random, whole: bytes, folder: Path) -> bytes:
        lines = whole.splitlines(keepends=True)
        if self.name == "bytes":
            return mutated(rng, whole)
        if self.name == "cut":
            return whole[: rng.randrange(len(whole) + 1)] + rng.choice((b"", b"", b"\0" * 99))
        if self.name == "lines":
            at = rng.randrange(len(lines))
            kind = rng.randrange(4)
            if kind == 0:
                del lines[at]
            elif kind == 1:
                lines.insert(at, rng.choice(lines))
            elif kind == 2:
                rng.shuffle(lines)
            else:
                run(folder / "other.jsonl", seed=1)
                lines[at] = rng.choice((folder / "other.jsonl").read_bytes().splitlines(keepends=True))
            return b"".join(lines)
        others = (b"a,b\n1,2\n", b"{}\n", b"[]\n", b'{"journal": 1}\n', b"\n", b"\0" * 50, b"x" * 100_000)
        return rng.choice((*others, rng.randbytes(rng.randrange(1, 300))))


@dataclass(frozen=True)
class Shared:
    """A second search while the first one runs, and after it was killed."""

    name: str = "two searches"

    def run(self, rng: random.Random, folder: Path) -> str:
        expected, _ = run(None)
        path = folder / "journal.jsonl"
        for _ in range(rng.choice((1, 2))):
            child = os.fork()
            if not child:
                try:
                    run(path, SLOW)
                finally:
                    os._exit(0)
            time.sleep(rng.random() * SLOW * BUDGET * TRIALS * 1.3)
            refused = self._second(path, expected)
            if rng.random() < 0.7:
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        record, _ = run(path)
        assert same(record, expected), "a wrong value"
        record, calls = run(path)
        assert same(record, expected) and calls == 0, "the journal is not whole"
        return "refused" if refused else "ok"

    def _second(self, path: Path, expected: SearchRecord) -> bool:
        try:
            record, _ = run(path)
        except ConfigError as error:
            assert "in use by" in str(error), str(error)
            return True
        assert same(record, expected), "a wrong value"
        return False


def damaged(rng: random.Random) -> Iterator[Damaged]:
    """Endless random damage."""
    while True:
        yield Damaged(rng.choice(("bytes", "bytes", "cut", "lines", "foreign")))


def shared(rng: random.Random) -> Iterator[Shared]:
    """Two searches at random moments."""
    while True:
        yield Shared()
