"""Worker processes whose calls can be stopped: one that hangs or takes its process down costs one call.

Each worker is an executor of one process. If the process dies, it is known which call it was making. A call
that takes too long is stopped by killing the process and its children. Before each call the worker answers
that it is ready, that is, has imported the function: a time limit counts from there.
"""

from __future__ import annotations

import math
import os
import re
import signal
import threading
import time
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from joblib.externals.loky import ProcessPoolExecutor, process_executor

from nas_bench_suite import process
from nas_bench_suite.checks import ConfigError

GROWTH = 2 << 30  # bytes by which a worker's memory may grow before it is replaced between two calls
IDLE_SECONDS = 60  # a worker process that has nothing to do for so long ends
WATCH_SECONDS = 0.5  # how often a worker looks whether its parent still lives


class Stopped(Exception):
    """A call that ended after `seconds` without an answer; the text says why."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class Queue(Protocol):
    """What `call_each` takes calls from: (number, arguments); a deque is one."""

    def __len__(self) -> int: ...

    def popleft(self) -> tuple[int, tuple[Any, ...]]: ...


class Workers:
    """Up to `count` worker processes that call `function`.

    They serve several rounds of calls, so that imports are paid once. They end with `close`, when they are
    idle for a minute, or when nobody holds this object any more.

    Args:
        function: what is called. Workers import it by name, or get it by value if it is defined in
            `__main__`. It returns what can be pickled.
        count: calls at a time.
        timeout: seconds that a call may take; None for no limit.
        name: what messages call the function.
    """

    def __init__(self, function: Callable[..., Any], count: int, timeout: float | None, name: str) -> None:
        self._function, self._count, self._name = function, count, name
        self._timeout = math.inf if timeout is None else timeout
        self._idle: list[_Worker] = []
        # the list and not self, which would otherwise never be forgotten
        weakref.finalize(self, _kill, self._idle).atexit = False

    def close(self) -> None:
        """End the worker processes; the next call starts new ones."""
        _kill(self._idle)

    def call_each(self, waiting: Queue) -> Generator[tuple[int, Any], None, None]:
        """Call the function with the arguments of each (index, arguments): (index, answer) as they come,
        where the answer is a `Stopped` if the call took too long or its process died. The caller may add to
        `waiting` meanwhile.

        All worker processes are killed if an exception (Ctrl-C, say) or `close` ends this generator early.

        Raises:
            ConfigError: if a worker process can't be started or can't import the function.
        """
        busy: list[_Worker] = []

        def fill() -> None:
            while waiting and len(busy) < self._count:
                busy.append(self._idle.pop() if self._idle else _Worker(self._name))
                busy[-1].prepare(self._function, *waiting.popleft())

        try:
            while waiting or busy:
                fill()
                soonest = min(worker.deadline for worker in busy)
                patience = None if soonest == math.inf else max(0.0, soonest - time.monotonic())
                wait([worker.future for worker in busy], patience, FIRST_COMPLETED)
                answers = []
                for worker in list(busy):
                    if not worker.future.done():
                        if time.monotonic() < worker.deadline:
                            continue
                        answer: Any = Stopped(f"took longer than timeout={self._timeout:g} s", worker.seconds)
                    elif not worker.calling:
                        worker.call(self._function, self._timeout)
                        continue
                    else:
                        answer = worker.answer()
                    if isinstance(answer, Stopped):
                        worker.kill()
                    else:
                        self._idle.append(worker)
                    busy.remove(worker)
                    answers.append((worker.index, answer))
                fill()  # before the answers are handed over: the processes go on meanwhile
                yield from answers
        finally:
            if busy:
                _kill(busy)
                _kill(self._idle)


class _Worker:
    """One worker process. It gets ready for the call with number `index`, then makes it (`calling`)."""

    future: Future[Any]

    def __init__(self, name: str) -> None:
        self._name = name
        self._start()

    def _start(self) -> None:
        process.start_trackers()  # before the executor would
        self._executor = ProcessPoolExecutor(
            max_workers=1, timeout=IDLE_SECONDS, initializer=_begin, initargs=(os.getpid(),)
        )
        self._fresh = True

    def prepare(self, function: Callable[..., Any], index: int, arguments: tuple[Any, ...]) -> None:
        self.index, self._arguments = index, arguments
        self.calling, self.deadline = False, math.inf
        try:
            with process.children_ignore_interrupts():
                self.future = self._executor.submit(_ready, function)
        except (BrokenProcessPool, OSError) as error:
            self._again(function, error)

    def _again(self, function: Callable[..., Any], error: BaseException) -> None:
        """Start a new process in place of one that died while it was idle. A new one that can't get ready
        never will."""
        self.kill()
        if self._fresh or not isinstance(error, BrokenProcessPool):
            raise ConfigError(
                f"{self._name} cannot be sent to worker processes ({_last_line(error)}); accepted: a "
                "function of an importable module, or workers=1 without a timeout."
            ) from None
        self._start()
        self.prepare(function, self.index, self._arguments)

    def call(self, function: Callable[..., Any], timeout: float) -> None:
        """Make the call if the process is ready for it."""
        error = self.future.exception()
        if error is not None:
            if not isinstance(error, Exception):
                raise error
            self._again(function, error)
            return
        self._fresh = False
        try:
            with process.children_ignore_interrupts():
                self.future = self._executor.submit(function, *self._arguments)
        except (BrokenProcessPool, OSError) as lost:  # it died just now
            self._again(function, lost)
            return
        self._began = time.monotonic()
        self.calling, self.deadline = True, self._began + timeout

    @property
    def seconds(self) -> float:
        """How long ago the call began."""
        return time.monotonic() - self._began

    def answer(self) -> Any:
        error = self.future.exception()
        if isinstance(error, BrokenProcessPool):
            code = re.search(r"exit codes? of the workers? (?:is|are) \{(.*?)\}", str(error))
            return Stopped(
                f"its worker process died ({code[1] if code else _last_line(error)})", self.seconds
            )
        if error is not None:
            raise error
        return self.future.result()

    def kill(self) -> None:
        self._executor.shutdown(wait=True, kill_workers=True)


def _kill(workers: list[_Worker]) -> None:
    while workers:
        workers.pop().kill()


def _last_line(error: BaseException) -> str:
    lines = str(error.__cause__ or error).strip(' \n"').splitlines() or [""]
    return lines[-1].strip() or type(error).__name__


# What follows runs in worker processes.


def _begin(parent: int) -> None:
    # The default of 300 MB is counted from the imports on: the first data set would exceed it.
    process_executor._MAX_MEMORY_LEAK_SIZE = GROWTH
    # Ctrl-C reaches every process of a terminal. What becomes of the workers is the parent's business.
    signal.signal(signal.SIGINT, lambda *_: None)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """End this process soon after its parent, whatever ended that one."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _ready(function: Callable[..., Any]) -> None:
    """Answers once `function` is imported."""
