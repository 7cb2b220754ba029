"""Lines of progress while jobs run.

On a terminal a multirun has two lines, one for all its jobs and one for the job that runs. Elsewhere (a file,
a pipe, a scheduler's log) there are plain lines, the first after `FIRST` seconds and then every `EVERY`:
short jobs are silent.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import Any

FIRST, EVERY = 30.0, 30.0  # seconds until the first plain line, and between two
_SWEEP = "NBS_SWEEP"  # tells processes of a launcher how many jobs there are, and since when


class Sweep:
    """The line over all jobs of a multirun, and what its jobs need to know of it."""

    def __init__(self, here: bool) -> None:
        """`here`: the jobs run in this process, one after another."""
        self.jobs, self.here = 0, here
        self._began = time.time()
        self._done = 0
        self._bar: Any = None

    def expect(self, more: int) -> None:
        """There are so many more jobs."""
        self.jobs += more
        if _sweep is self:  # while it runs, and no longer
            os.environ[_SWEEP] = f"{self.jobs} {self._began}"

    def __enter__(self) -> Sweep:
        global _sweep
        _sweep = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _sweep
        _sweep = None
        os.environ.pop(_SWEEP, None)
        if self._bar is not None:
            self._bar.close()

    def show(self, part: float) -> None:
        """A part of the job that runs is done."""
        if not self.here or self.jobs < 2:
            return
        if self._bar is None:
            form = "{desc} {percentage:3.0f}% |{bar}| {elapsed} elapsed, about {remaining} left"
            self._bar = _bar(self.jobs, form, 0, self._words)
        if not self._bar.disable and self._bar.desc != self._words:
            self._bar.set_description_str(self._words)
        self._bar.update(self._done + part - self._bar.n)

    @property
    def _words(self) -> str:
        return _cut(f"job {min(self._done + 1, self.jobs)} of {self.jobs}")

    def job_ended(self) -> None:
        """A job has ended, well or not."""
        self._done += 1
        self.show(0.0)


_sweep: Sweep | None = None


class JobProgress:
    """The line of a job.

    Args:
        name: the method, and what tells this job from others.
        trials: that were asked for.
        number: of the job in its multirun, from 0; None for a single job.
    """

    def __init__(self, name: str, trials: Any, number: int | None = None) -> None:
        self._name, self._asked, self._number = name, trials, number
        self._bar: Any = None
        self._lines = _Lines()
        self._began = time.monotonic()

    def __enter__(self) -> JobProgress:
        return self

    def __call__(self, done: float, total: int) -> None:
        """`done` of `total` trials, which whole blocks make more than were asked for, are finished."""
        more = "" if total == self._asked else f" (whole blocks; {self._asked} asked for)"
        if _sweep is not None:
            _sweep.show(done / total)
        if self._apart:
            return
        if self._bar is None:
            form = "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} trials, {remaining} left"
            place = 1 if _sweep is not None and _sweep.jobs > 1 else 0
            self._bar = _bar(total, form, place, _cut(self._name))
        self._bar.update(done - self._bar.n)
        if self._bar.disable and done < total:
            spent = time.monotonic() - self._began
            left = f", about {_clock(spent * (total - done) / done)} left" if done else ""
            self._lines.say(f"{self._where}{self._name}: {done:.0f} of {total} trials{more}{left}")

    @property
    def _apart(self) -> bool:
        """Whether this job runs beside others, in a process that a launcher started."""
        return _sweep is None and self._number is not None and _SWEEP in os.environ

    @property
    def _where(self) -> str:
        if self._number is None:
            return ""
        jobs = _sweep.jobs if _sweep is not None else int(os.environ.get(_SWEEP, "0 0").split()[0])
        return f"job {self._number + 1} of {jobs}, " if jobs > 1 else ""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if _sweep is not None:
            _sweep.job_ended()
        elif self._apart and error is None:
            since = float(os.environ[_SWEEP].split()[1])
            if time.time() - since > FIRST:
                took = time.monotonic() - self._began
                print(f"{self._where}{self._name}: done in {_clock(took)}", file=sys.stderr, flush=True)


class _Lines:
    """Plain lines on stderr, not too many."""

    def __init__(self) -> None:
        self._next = time.monotonic() + FIRST

    def say(self, words: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY
            print(words, file=sys.stderr, flush=True)


def _bar(total: float, form: str, place: int, words: str) -> Any:
    """A bar on stderr, disabled where that is no terminal."""
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())  # its own is shared by processes, and leaks if one is killed
    return tqdm(
        desc=words, total=float(total), bar_format=form, disable=None, leave=False, mininterval=0.2,
        position=place, dynamic_ncols=True,
    )  # fmt: skip


def _cut(name: str, width: int = 26) -> str:
    """A name in a fixed width."""
    return f"{name if len(name) <= width else name[: width - 3] + '...':<{width}}"


def _clock(seconds: float) -> str:
    """`0:07`, `12:03`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
