"""Commands without the cost of starting Python: each runs in a fork of a process that has imported what it
needs.

What a user would see is what the fork writes to file descriptors 1 and 2, and its exit code.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nas_bench_suite.cli import main
from nas_bench_suite.experiments import CONF

ROOT = CONF.parent
NEVER_SEEN = ("Traceback", "Exception ignored", "Segmentation fault", "Fatal Python error")


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code (negative: killed by that signal), output and errors, seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        """Its sentences."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def command(
    words: Sequence[str], folder: Path, conf: Path = CONF, cwd: Path = ROOT, timeout: float = 120
) -> Done:
    """`python run.py WORDS`, with its output in files of `folder`."""

    def run() -> None:
        sys.argv = [str(ROOT / "run.py"), *words]
        main(conf)

    return call(run, folder, cwd, timeout)


def call(function: Callable[[], object], folder: Path, cwd: Path = ROOT, timeout: float = 120) -> Done:
    """Call a function as a command would: `SystemExit` is its exit code."""
    _prepare()
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / ".out", folder / ".err"
    began = time.perf_counter()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setsid()
            os.chdir(cwd)
            for number, path in ((1, out), (2, err)):
                opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(opened, number)
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            code = _exit_code(function)
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
        finally:
            os._exit(code)
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.perf_counter() - began > timeout:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"it did not end within {timeout:g} s")
        time.sleep(0.002)
    done = Done(
        os.waitstatus_to_exitcode(status),
        out.read_text(errors="replace"),
        err.read_text(errors="replace"),
        time.perf_counter() - began,
    )
    out.unlink()
    err.unlink()
    return done


def _exit_code(function: Callable[[], object]) -> int:
    try:
        function()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


@cache
def _prepare() -> None:
    """Import what commands need and load what they compile, once."""
    import hydra.main  # noqa: F401
    import rich.table  # noqa: F401
    import scipy.special  # noqa: F401
    import tqdm  # noqa: F401

    import nas_bench_suite.job
    import nas_bench_suite.sweeper  # noqa: F401
    from nas_bench_suite import load_benchmark, provenance, search
    from optimizers.random_search import RandomSearch

    benchmark = load_benchmark("planted")
    search(RandomSearch(), benchmark, budget=2, trials=2, seed=0)
    provenance.git_state(provenance.sources(RandomSearch(), benchmark, "planted"))


def check(done: Done, folder: Path, multirun: bool = False) -> str:
    """Hold a command to the promise about wrong input. Returns "ok" or "refused".

    Raises:
        AssertionError: with what was wrong.
    """
    for words in NEVER_SEEN:
        assert words not in done.err and words not in done.out, f"{words}:\n{done.err[-3000:]}"
    assert done.code in (0, 2), f"exit code {done.code}:\n{done.err[-3000:]}"
    assert not list(folder.rglob(".partial-*")), "it left partial files"
    if done.code == 0:
        assert not done.errors, f"exit code 0 and errors:\n{done.err[-3000:]}"
        return "ok"
    lines = [line for line in done.err.splitlines() if not line.startswith(("warning: ", "note: "))]
    assert lines and all(line.startswith("error: ") for line in lines), f"no sentence:\n{done.err[-3000:]}"
    assert multirun or len(lines) == 1, f"{len(lines)} sentences:\n{done.err[-3000:]}"
    return "refused"
