"""Methods that misbehave: none makes a result that is silently wrong.

Each is random search with one fault, and says in `EXPECTED` what becomes of it: "crash" (a fault of the code:
its traceback, one sentence, exit code 1), "refused" (a proposal that is not accepted: one sentence, exit code
2), "same" (what it does reaches nobody: the query files of random search) or "unsaid" (the same, and one
sentence that nothing could be printed). "in workers": where a worker process searches.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.optimizer import Outcome, Proposal, Task
from optimizers.random_search import RandomSearch
from tests.torture.forked import check, command

SMALL = ("benchmark=planted", "optimizer=random", "budget=12", "trials=6", "trials_per_block=3")
RIGHT = "optimizers.random_search.RandomSearch"
EXPECTED: dict[str, str] = {}


def expected(what: str) -> Any:
    def enter(method: type) -> type:
        EXPECTED[method.__name__] = what
        return method

    return enter


class Changed(RandomSearch):
    """Hands in a changed proposal."""

    def ask(self, room: np.ndarray) -> Proposal:
        changed: Proposal = self.change(super().ask(room), room)
        return changed

    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return proposal


@expected("crash")
class RaisesInInit(RandomSearch):
    def __init__(self, *, repeats: bool, batch: int) -> None:
        raise RuntimeError("no good reason")


@expected("crash")
class RaisesInStart(RandomSearch):
    def start(self, task: Task) -> None:
        raise ZeroDivisionError


@expected("crash")
class RaisesInAsk(RandomSearch):
    def ask(self, room: np.ndarray) -> Proposal:
        raise KeyError("a\nkey\x1b[31m")


@expected("crash")
class RaisesInTell(RandomSearch):
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        raise AssertionError


@expected("crash")
class ForgetsSuper(RandomSearch):
    def start(self, task: Task) -> None:
        pass


@expected("crash")
class EndsTheProcess(RandomSearch):
    def ask(self, room: np.ndarray) -> Proposal:
        sys.exit(0)


@expected("refused in workers")
class ExitsHard(RandomSearch):
    """Nothing can be said of it but in a worker: there, its block is tried once more and named."""

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        os._exit(3)


@expected("crash")
class EndsWithAnInterrupt(RandomSearch):
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        raise KeyboardInterrupt


@expected("crash")
class Recursive(RandomSearch):
    def ask(self, room: np.ndarray) -> Proposal:
        return self.ask(room)


@expected("refused")
class ReturnsNothing(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return None


@expected("refused")
class ReturnsArrays(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return proposal.architectures, proposal.wanted


@expected("refused")
class WrongTrials(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, architectures=proposal.architectures[1:], wanted=proposal.wanted[1:])


@expected("refused")
class WrongVariables(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, architectures=proposal.architectures[..., 1:])


@expected("refused")
class Floats(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, architectures=proposal.architectures + 0.5)


@expected("refused")
class OutOfRange(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, architectures=proposal.architectures + 100)


@expected("refused")
class Negative(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, architectures=-1 - proposal.architectures)


@expected("refused")
class Lists(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, architectures=proposal.architectures.tolist())


@expected("refused")
class WantedNumbers(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, wanted=proposal.wanted.astype(np.int8))


@expected("refused")
class WrongFidelity(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, fidelity=np.full(proposal.wanted.shape, 7))


@expected("refused")
class FidelityOfOneSlot(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, fidelity=np.full((1, 1), 108))


@expected("refused")
class NegativeRejected(Changed):
    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, rejected=np.full(len(proposal.wanted), -5))


@expected("refused")
class NeverWantsEnough(Changed):
    """Proposes the same invalid strings for ever, as slots of trials that have ended would be."""

    def change(self, proposal: Proposal, room: np.ndarray) -> Any:
        return replace(proposal, rejected=np.zeros(len(room)))


@expected("same")
class ChangesRoom(RandomSearch):
    def ask(self, room: np.ndarray) -> Proposal:
        proposal = super().ask(room.copy())
        room[:] = 10**6
        return proposal


@expected("same")
class ChangesOutcome(RandomSearch):
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        outcome.accuracy[:] = 1.0
        outcome.status[:] = 2
        proposal.architectures[:] = 0
        proposal.wanted[:] = False


@expected("same")
class KeepsAndChangesArrays(RandomSearch):
    """Changes, at the next `ask`, whatever it was given before."""

    def start(self, task: Task) -> None:
        super().start(task)
        self.kept: list[np.ndarray] = [task.fidelity_cost]

    def ask(self, room: np.ndarray) -> Proposal:
        for array in self.kept:
            array[...] = 77 if array.dtype.kind != "b" else True
        proposal = super().ask(room.copy())
        self.kept += [room]
        return proposal

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        self.kept += [outcome.accuracy, outcome.status, proposal.architectures, proposal.wanted]


@expected("same")
class DrawsFromTheLoopsStream(RandomSearch):
    """The loop's choice of runs does not move when a method draws from a stream of that name."""

    def start(self, task: Task) -> None:
        super().start(task)
        task.streams.uniforms("run", 1000)
        for generator in task.streams.typed("run"):
            generator.random()


@expected("same")
class DrawsFromGlobalStreams(RandomSearch):
    def ask(self, room: np.ndarray) -> Proposal:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        return super().ask(room)


@expected("refused")
class ChangesTheSpace(RandomSearch):
    def start(self, task: Task) -> None:
        super().start(task)
        self.space = task.space

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        self.space.sizes[:] = 1


@expected("same")
class Prints(RandomSearch):
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        print("ünïcödé \udcff\x00", file=sys.stdout)
        sys.stdout.flush()


@expected("unsaid")
class ClosesStdout(RandomSearch):
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        sys.stdout.close()


@expected("same")
class ChangesFolder(RandomSearch):
    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        os.chdir("/")


@dataclass(frozen=True)
class Misbehaving:
    """One method, alone or beside a good one, in this process or in workers."""

    method: str
    multirun: bool
    workers: int

    @property
    def name(self) -> str:
        return f"{self.method} {'-m ' if self.multirun else ''}workers={self.workers}"

    def run(self, rng: random.Random, folder: Path) -> str:
        right = _right(folder / "good")
        words = [*SMALL, f"workers={self.workers}", f"output_dir={folder / 'out'}"]
        target = f"optimizer._target_={__name__}.{self.method}"
        targets = f"{target},{RIGHT}" if self.multirun else target
        done = command([*(["-m"] if self.multirun else []), *words, targets], folder / "bad")
        made = files(folder / "out")
        what = EXPECTED[self.method].removesuffix(" in workers")
        if what == "crash":
            assert done.code == 1, f"exit code {done.code}:\n{done.err[-2000:]}"
            assert "Traceback" in done.err and done.errors, done.err[-2000:]
        else:
            answer = "ok" if what == "same" else "refused"
            assert check(done, folder, self.multirun) == answer, done.err[-2000:]
        if self.multirun:
            assert {name: made.pop(name) for name in right} == right
        new = list(made.values())
        assert sorted(new) == (sorted(right.values()) if what in ("same", "unsaid") else []), (
            "it left other results"
        )
        return "ok" if what == "same" else "refused"


def files(folder: Path) -> dict[str, bytes]:
    """The query files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("trials-*.parquet")}


_found: dict[str, bytes] = {}


def _right(folder: Path) -> dict[str, bytes]:
    """The query files of random search."""
    if not _found:
        out = folder / "out"
        done = command([*SMALL, f"optimizer._target_={RIGHT}", f"output_dir={out}"], folder)
        assert done.code == 0, done.err
        _found.update(files(out))
    return _found


def every() -> Iterator[Misbehaving]:
    """Each method alone, in this process."""
    for method, what in EXPECTED.items():
        if what != "refused in workers":
            yield Misbehaving(method, False, 1)


def cases(rng: random.Random) -> Iterator[Misbehaving]:
    """Endless random choices."""
    while True:
        method = rng.choice(list(EXPECTED))
        workers = 2 if EXPECTED[method] == "refused in workers" else rng.choice((1, 1, 1, 2))
        yield Misbehaving(method, rng.random() < 0.5, workers)
