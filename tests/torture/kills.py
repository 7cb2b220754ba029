"""Commands that are killed, interrupted, or run twice at once, at random moments, and then run again: the
query files are those of an undisturbed run, and nothing else is left.

A command with workers is a new Python; one without is a fork of this process, which saves its imports."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from nas_bench_suite import process
from nas_bench_suite.cli import main
from nas_bench_suite.experiments import CONF

ROOT = CONF.parent
SMALL = ("optimizer=random", "benchmark=planted", "budget=200", "trials=160", "trials_per_block=20")
SHOWN = (signal.SIGINT, signal.SIGTERM)
LONGEST = 100.0  # seconds of one command


class Command:
    """A command in a session of its own."""

    def __init__(self, out: Path, workers: int, multirun: bool = False) -> None:
        self.code: int | None = None
        words = [*SMALL, f"output_dir={out}", f"workers={workers}"]
        words += ["-m", "seed=0,1"] if multirun else []
        descriptor, name = tempfile.mkstemp(dir=out.parent)
        self._errors = Path(name)
        if workers > 1:
            command = [sys.executable, str(ROOT / "run.py"), *words]
            quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
            seen = (os.POSIX_SPAWN_DUP2, descriptor, 2)
            self.pid = os.posix_spawn(
                sys.executable, command, os.environ, file_actions=[*quiet, seen], setsid=True
            )
        else:
            self.pid = os.fork()
            if not self.pid:
                _be_the_command(words, descriptor)
        os.close(descriptor)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def finish(self) -> str:
        """Wait until the command and all processes of its session have ended. Returns its errors."""
        deadline = time.monotonic() + LONGEST
        while self.poll() is None or _is_there(self.pid):
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                raise AssertionError(f"it, or a process that it started, did not end within {LONGEST:g} s")
            time.sleep(0.005)
        return self._errors.read_text(errors="replace")


def _be_the_command(words: list[str], errors: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        os.chdir(ROOT)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number, opened in ((0, nowhere), (1, nowhere), (2, errors)):
            os.dup2(opened, number)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        sys.modules["__main__"].__file__ = str(process.SCRIPT)  # for `process.is_command`
        sys.argv = [str(process.SCRIPT), *words]
        try:
            main(CONF)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _is_there(session: int) -> bool:
    try:
        os.killpg(session, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def files(out: Path) -> dict[str, bytes]:
    """The query files, those behind a link to a folder too."""
    found = out.glob("*/*/*/trials-*.parquet")
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


def undisturbed(folder: Path, multirun: bool, workers: int = 1) -> tuple[dict[str, bytes], float]:
    """The query files of an undisturbed run and its seconds; run once for a folder of cases."""
    out = folder / f"undisturbed-{multirun}-{workers}"
    took = out.with_suffix(".seconds")
    if not took.exists():
        began = time.monotonic()
        command = Command(out, workers, multirun)
        errors = command.finish()
        assert command.code == 0, errors
        took.write_text(str(time.monotonic() - began))
    return files(out), float(took.read_text())


def listens(command: Command) -> bool:
    """Whether a command has taken SIGTERM into its own hands."""
    try:
        status = Path(f"/proc/{command.pid}/status").read_text()
    except OSError:
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


@dataclass(frozen=True)
class Disturbed:
    """A command that gets signals, each at a random moment of a new start, and is run to its end then."""

    signals: tuple[signal.Signals, ...]
    workers: int
    multirun: bool

    @property
    def name(self) -> str:
        words = " ".join(number.name for number in self.signals)
        return f"{words} workers={self.workers}{' -m' if self.multirun else ''}"

    def run(self, rng: random.Random, folder: Path) -> str:
        expected, seconds = undisturbed(folder.parent, self.multirun, self.workers)
        out = folder / "out"
        for number in self.signals:
            command = Command(out, self.workers, self.multirun)
            if number in SHOWN:  # the promise begins where the command's first module is imported
                while command.poll() is None and not listens(command):
                    time.sleep(0.002)
            time.sleep(rng.random() * seconds * 1.05)
            command.send(number)
            errors = command.finish()
            now = files(out)
            assert all(expected.get(name) == content for name, content in now.items()), "other bytes"
            self._check(number, command.code or 0, errors, out)
        command = Command(out, 1, self.multirun)
        errors = command.finish()
        assert command.code == 0, errors
        assert files(out) == expected, "other query files than undisturbed"
        assert not list(out.rglob(".partial-*")), "partial files are left"
        return "ok"

    def _check(self, number: int, code: int, errors: str, out: Path) -> None:
        if number == signal.SIGKILL:
            assert code in (0, -signal.SIGKILL), errors
            return
        lines = errors.splitlines()
        assert "Traceback" not in errors, errors[-2000:]
        assert code in (0, 128 + number), f"exit code {code}:\n{errors[-2000:]}"
        assert not list(out.rglob(".partial-*")), "partial files are left"
        said = [line for line in lines if not line.startswith(("warning: ", "note: "))]
        assert len(said) == (1 if code else 0), errors[-2000:]


@dataclass(frozen=True)
class Writers:
    """Several commands at a time on one folder, some of which may be killed."""

    count: int
    kill: bool

    @property
    def name(self) -> str:
        return f"{self.count} writers{', one killed' if self.kill else ''}"

    def run(self, rng: random.Random, folder: Path) -> str:
        expected, seconds = undisturbed(folder.parent, False)
        out = folder / "out"
        commands = []
        for _ in range(self.count):
            commands.append(Command(out, rng.choice((1, 1, 1, 2))))
            time.sleep(rng.random() * seconds / 3)
        if self.kill:
            time.sleep(rng.random() * seconds / 2)
            commands[0].send(signal.SIGKILL)
        for command in commands:
            errors = command.finish()
            assert command.code == 0 or (self.kill and command is commands[0]), errors
            assert "Traceback" not in errors, errors
        assert files(out) == expected, "other query files than undisturbed"
        last = Command(out, 1)
        errors = last.finish()
        assert last.code == 0 and "damaged" not in errors, errors
        assert files(out) == expected and not list(out.rglob(".partial-*"))
        return "ok"


def killed(rng: random.Random) -> Iterator[Disturbed]:
    """SIGKILL, once to three times."""
    while True:
        yield Disturbed((signal.SIGKILL,) * rng.choice((1, 1, 2, 3)), rng.choice((1, 1, 1, 1, 2)), False)


def interrupted(rng: random.Random) -> Iterator[Disturbed]:
    """SIGINT or SIGTERM, once or twice."""
    while True:
        signals = tuple(rng.choice(SHOWN) for _ in range(rng.choice((1, 1, 2))))
        yield Disturbed(signals, rng.choice((1, 1, 1, 1, 2)), rng.random() < 0.3)


def writers(rng: random.Random) -> Iterator[Writers]:
    """Two or three commands at a time."""
    while True:
        yield Writers(rng.choice((2, 2, 3)), rng.random() < 0.4)
