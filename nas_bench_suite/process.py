"""What every command of this project does about signals and standard streams, from its first import on.

Ctrl-C ends a command with one line and exit code 130, SIGTERM with one line and 143, wherever they come. A
standard stream that is closed, full or no longer read loses text and nothing else: the work goes on, and the
exit code tells.

This module is imported before all others, so that an interrupt during their imports is one line too. It needs
the standard library alone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any

PACKAGES = ("nas_bench_suite", "analysis", "studies")
SCRIPT = Path(__file__).resolve().parents[1] / "run.py"
INSTALLED = "nas-bench-suite"  # the script that pip makes
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED, TERMINATED, PIPE_CLOSED = (128 + number for number in (2, 15, 13))
QUIET = "NAS_BENCH_SUITE_QUIET"  # set for a command whose parent says that it was interrupted
LONGEST_END = 60  # seconds that an interrupted process may take to end
# seconds until an interrupt that was put off (soon), or may have got lost (later), is raised again
_SOON, _LATER = 0.01, 1.0
_FRAMES = 3  # how far up the stack a call by compiled code shows


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


class _State:
    """What has come so far."""

    came: int | None = None  # the signal
    ending: bool = False  # whether the command has caught it
    closed: frozenset[int] = frozenset()  # standard streams that were closed from the start


def is_command() -> bool:
    """Whether this process is one of the project's own commands, and not a program that imports it."""
    words = sys.orig_argv
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1].partition(".")[0] in PACKAGES
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return main is not None and (Path(main).resolve() == SCRIPT or Path(main).stem == INSTALLED)


@contextmanager
def guarded() -> Iterator[None]:
    """Listen to signals and guard the standard streams. A program that calls a command of the project gets
    its own handlers and streams back; a process that is a command ends guarded."""
    streams = sys.stdout, sys.stderr
    handlers = {number: signal.getsignal(number) for number in (*_SIGNALS, signal.SIGALRM)}
    hook, thread_hook = sys.unraisablehook, threading.excepthook
    guard_streams()
    listen()
    try:
        yield
    finally:
        if not is_command():
            sys.stdout, sys.stderr = streams
            sys.unraisablehook, threading.excepthook = hook, thread_hook
            if threading.current_thread() is threading.main_thread():
                for number, handler in handlers.items():
                    signal.signal(number, handler)


# Signals


def listen() -> None:
    """Raise `KeyboardInterrupt` for Ctrl-C and `Terminated` for SIGTERM; only the main thread may ask for
    it."""
    if threading.current_thread() is not threading.main_thread():
        return
    _State.came, _State.ending = None, False
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and background jobs of scripts have it
            signal.signal(number, _came)
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_failed


def interrupted() -> bool:
    """Whether a signal has come: a `KeyboardInterrupt` without one was raised by somebody's code. Whatever
    else is raised after it, is what became of it on its way (compiled code makes it a `SystemError`)."""
    return _State.came is not None


def interrupt() -> KeyboardInterrupt:
    """The exception for the signal that has come."""
    return Terminated() if _State.came == signal.SIGTERM else KeyboardInterrupt()


def end(error: BaseException | None = None) -> int:
    """Take no further interrupt: the command has caught `error` and ends. Returns its exit code."""
    _State.ending = True
    if _State.came is not None:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if error is None:
        return 0
    if is_command():  # the interpreter would answer a further signal with its default while it ends
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_END)
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def _came(number: int, frame: FrameType | None) -> None:
    """Handle SIGINT or SIGTERM. Only the first counts: it is raised until the command has caught it."""
    if _State.came is None and not _State.ending:
        _State.came = number
        _raise(number, frame)


def _raise(number: int, frame: FrameType | None) -> None:
    """Raise what has come, unless it is being handled already; try again later, in case it gets lost."""
    if _State.ending:
        return
    if _in_foreign_code(frame):
        _raise_later(_SOON)
        return
    _raise_later(_LATER)
    if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
        raise interrupt()


def _raise_later(seconds: float) -> None:
    signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _unraisable(event: Any) -> None:
    """An interrupt inside a finalizer or a callback cannot be raised from there: raise it again soon."""
    if interrupted() and issubclass(event.exc_type, KeyboardInterrupt):
        if not _State.ending:
            _raise_later(_SOON)
        return
    sys.__unraisablehook__(event)


def _in_foreign_code(frame: FrameType | None) -> bool:
    """Whether an exception now would be raised into compiled code that expects none: what numba does with a
    generator of random numbers calls `ctypes`, and reads a null pointer where that raises."""
    for _ in range(_FRAMES):
        if frame is None:
            return False
        if frame.f_code.co_filename == ctypes.__file__:
            return True
        frame = frame.f_back
    return False


def _thread_failed(event: threading.ExceptHookArgs) -> None:
    """What a thread says of processes that were ended under its hands is of no interest."""
    if not interrupted():
        threading.__excepthook__(event)


def start_trackers() -> None:
    """Start the processes that remove the semaphores of processes which end early. They do so without a word:
    after an interrupt or a killed worker, something to remove is the rule."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    quiet = "ignore:resource_tracker"
    sys.warnoptions.append(quiet)  # which they inherit
    try:
        for tracker in (resource_tracker, loky_tracker):
            tracker.ensure_running()
    finally:
        sys.warnoptions.remove(quiet)


@contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Processes that this thread starts meanwhile never see Ctrl-C, which a terminal sends to all: what
    becomes of them is this process's business. It sees Ctrl-C itself when this is over."""
    start_trackers()  # they unblock signals, so they start before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # children inherit what is blocked
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(words: Sequence[str], cwd: Path) -> int:
    """Run another command of the project and wait for it. An interrupt of this one ends it in good order.

    Returns:
        Its exit code.
    """
    with children_ignore_interrupts():
        child = subprocess.Popen(list(words), cwd=cwd, env={**os.environ, QUIET: "1"})
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        try:
            child.wait(LONGEST_END)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise


@contextmanager
def children_ignore_interrupts_all_along() -> Iterator[None]:
    """The same for a long time: another thread receives Ctrl-C for this one, which notices as soon as it does
    something (not while it waits for a lock)."""
    over = threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()
    try:
        with children_ignore_interrupts():
            yield
    finally:
        over.set()


def _import_interrupted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    with suppress(OSError, ValueError, AttributeError):
        print("interrupted", file=sys.stderr, flush=True)
    os._exit(end(error))


# Standard streams


class Stream:
    """A standard stream whose text gets lost where it cannot be written. `error` says why."""

    def __init__(self, stream: IO[str], number: int, error: OSError | None = None) -> None:
        self._stream, self._number, self.error = stream, number, error
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError) as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._lose(error)

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except ValueError:  # somebody's code has closed it
            return False

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def _lose(self, error: Exception) -> None:
        if not isinstance(error, OSError):  # somebody's code has closed it
            error = OSError(errno.EBADF, "it is closed")
        self.error = self.error or error
        # What is still in a buffer goes nowhere, else the interpreter complains when it ends.
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._number)
            os.close(nowhere)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def fill_closed_streams() -> None:
    """Put /dev/null where a standard stream is closed: the next file that is opened would take its place, and
    what libraries print would end up in it."""
    closed = set()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            closed.add(number)
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    _State.closed |= closed


def guard_streams() -> None:
    """Make standard output and error streams that lose text rather than raise."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if isinstance(stream, Stream):
            continue
        error = None
        if stream is None:
            error = OSError(errno.EBADF, "it is closed")
            known = number in _State.closed
            stream = open(number if known else os.devnull, "w", closefd=not known)  # noqa: SIM115
        setattr(sys, name, Stream(stream, number, error))


def close_streams(code: int, kept: str) -> int:
    """Write out what is still to be written. Returns the exit code: `code`, or what tells that standard
    output lost text.

    Args:
        code: of the command.
        kept: what is none the worse for it, for the message.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    error = sys.stdout.error if isinstance(sys.stdout, Stream) else None
    if error is None:
        return code
    if error.errno == errno.EPIPE:  # whoever read it has read enough
        return code or PIPE_CLOSED
    print(f"error: standard output cannot be written ({error.strerror}); {kept}.", file=sys.stderr)
    sys.stderr.flush()
    return code or 2


if is_command():
    fill_closed_streams()
    sys.excepthook = _import_interrupted
