"""A journal of evaluations, for objectives that take minutes or hours.

A JSON-lines file. Line 1, the head, says which search it belongs to. Every further line is one finished
evaluation, appended and flushed to disk as it comes. A resumed search asks and tells as before: evaluations
that the journal holds are taken from it, the rest is computed.

    {"journal": {"optimizer": "TPE", "budget": 60, ...}, "format": 2, "crc32": "0f3a99c1"}
    {"trial": 0, "query": 1, "architecture": [0, 2], "fidelity": 108, "run": 0, ..., "crc32": "7be01d52"}

A line's `crc32` covers the whole file up to there, so that a line that was changed, removed, moved or taken
from another journal is found. Lines may be removed from the end: those evaluations are made anew. Format 1
had no checksums: such a journal is read, and lines that are added to it carry them.

What a journal promises:

- Nothing is written before all was read and checked. A file that is no journal is left as it is.
- A crash leaves at most an unfinished last line. It is ignored, and cut off when the next line is written.
- One process at a time: the file is locked while the journal is open. The lock ends with the process.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import stat
import weakref
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import lock_descriptor

from nas_bench_suite.checks import ConfigError, open_regular
from nas_bench_suite.journal_lines import (
    SEALED,
    Entry,
    parse,
    seal,
    wrong_seal,
    wrong_type,
    wrong_value,
)

if TYPE_CHECKING:
    from nas_bench_suite.benchmark import Benchmark
    from nas_bench_suite.optimizer import Optimizer
    from nas_bench_suite.protocol import Protocol

FORMAT = 2
OPENINGS = 100  # tries to open a file that others make and remove
LONGEST_LINE = 1 << 24  # bytes; a longer line is none that was written here

Key = tuple[int, int]  # (trial, query), query counting from 1

# members of the identity that journals of format 1 lack
_ADDED = ("function", "settings")
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}
_NEW = "accepted: the journal of the same search, or a path that does not exist yet"


class Measured(tuple[float, float, float]):
    """Validation, test and seconds of one evaluation, and as `reason` why it failed ("" if it did not)."""

    reason: str

    def __new__(cls, validation: float, test: float, seconds: float, reason: str = "") -> Measured:
        measured = super().__new__(cls, (validation, test, seconds))
        measured.reason = reason
        return measured

    def __getnewargs__(self) -> tuple[float, float, float, str]:
        return (*self, self.reason)


def describe_search(
    optimizer: Optimizer,
    benchmark: Benchmark,
    protocol: Protocol,
    *,
    budget: int,
    trials: int,
    first_trial: int,
    seed: int,
) -> dict[str, Any]:
    """The identity of a search: what two searches must share to share a journal.

    The method's settings are those arguments of its constructor that it keeps as attributes of the same name.
    A setting that it keeps elsewhere shows in other proposals, which `Journal.find` refuses.
    """
    settings = {
        name: _plain(getattr(optimizer, name))
        for name in inspect.signature(type(optimizer)).parameters
        if hasattr(optimizer, name)
    }
    ends = getattr(benchmark, "ends", None)
    return {
        **({} if ends is None else {"scale": list(ends)}),
        "optimizer": type(optimizer).__qualname__,
        "settings": {name: value for name, value in settings.items() if value is not NotImplemented},
        "benchmark": benchmark.name,
        "function": getattr(benchmark, "function_name", None),
        "space": benchmark.space.name,
        "protocol": asdict(protocol),
        **{"budget": budget, "trials": trials, "first_trial": first_trial, "seed": seed},
    }


def _plain(value: Any) -> Any:
    """A value as JSON holds it, or NotImplemented."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return NotImplemented if any(item is NotImplemented for item in items) else items
    if isinstance(value, dict):
        pairs = {str(name): _plain(item) for name, item in value.items()}
        return NotImplemented if any(item is NotImplemented for item in pairs.values()) else pairs
    return NotImplemented


class Journal:
    """The journal at `path` of the search that `identity` describes; locked until `close`.

    Args:
        path: the file.
        identity: what `describe_search` says.
        extend: take a journal of the same search with a smaller budget too, and go on from it.

    Raises:
        ConfigError: if the file can't be read, locked or written, is no journal, is damaged, belongs to
            another search, or is in use.
    """

    def __init__(self, path: str | Path, identity: dict[str, Any], extend: bool = False) -> None:
        self.path = Path(path)
        self._extend = extend
        self.entries: dict[Key, Entry] = {}  # in the order in which they finished
        # evaluations of an earlier course of the search: (architecture, fidelity, run) -> values
        self.known: dict[tuple[tuple[int, ...], int, int], Measured] = {}
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))
        self._crc = 0  # of the bytes before `_end`
        self._end = 0  # where the next line goes
        self._prefix = b""  # what has to be written before it
        self._ragged = False  # the file goes on behind `_end`, and is cut there before the next line
        try:
            self._fd, self._created = self._open_locked()
        except (OSError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"journal {self.path} cannot be opened: {reason}; {_NEW}.") from None
        _opened.add(self)
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    # Opening

    def _open_locked(self) -> tuple[int, bool]:
        """The locked descriptor of the file, and whether it was made just now."""
        for _ in range(OPENINGS):
            descriptor, created = self._open()
            try:
                self._lock(descriptor)
                # an empty new journal is removed when it is closed: this may be one that is no longer there
                if os.path.exists(self.path) and os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                    return descriptor, created
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise ConfigError(f"journal {self.path} is replaced again and again; accepted: one search at a time.")

    def _open(self) -> tuple[int, bool]:
        created = not self.path.exists()
        if created:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        else:
            self._refuse_irregular(os.stat(self.path))  # opening a pipe or a device may have effects
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, 0o666)
        try:
            self._refuse_irregular(os.fstat(descriptor))
        except ConfigError:
            os.close(descriptor)
            raise
        return descriptor, created

    def _refuse_irregular(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no ordinary file")
            raise ConfigError(f"journal {self.path} cannot be opened: it is {kind}; {_NEW}.")

    def _lock(self, descriptor: int) -> None:
        try:
            locked = lock_descriptor(descriptor, blocking=False)
        except OSError as error:
            raise ConfigError(
                f"journal {self.path} cannot be locked: {error.strerror or error}; accepted: a file "
                "system that has locks."
            ) from None
        if not locked:
            holder = _holder(descriptor)
            whom = "this process" if holder == os.getpid() else "another process"
            whom += "" if holder is None else f" (pid {holder})"
            raise ConfigError(
                f"journal {self.path} is in use by {whom}; accepted: a journal of its own for each "
                "search that runs."
            )

    # Reading

    def _read(self) -> None:
        """Read and check everything, and write nothing."""
        try:
            with open(self._fd, "rb", closefd=False) as file:
                lines = iter(lambda: file.readline(LONGEST_LINE), b"")
                head = next(lines, None)
                if head is None or self._is_beginning(head):
                    self._ragged = head is not None
                    self._prefix = self._head()
                    return
                sealed = self._read_head(head)
                for number, line in enumerate(lines, start=2):
                    sealed = self._read_line(number, line, sealed)
        except OSError as error:
            raise ConfigError(f"journal {self.path} cannot be read: {error.strerror or error}.") from None

    def _head(self) -> bytes:
        return seal({"journal": self.identity, "format": FORMAT}, 0)

    def _is_beginning(self, line: bytes) -> bool:
        """Whether this is a part of the head: what a crash in the first write of the same search leaves."""
        written = line.rstrip(b"\0")  # zeros: a file that grew, and a power failure before it was filled
        return written != b"" and not line.endswith(b"\n") and self._head().startswith(written)

    def _read_head(self, line: bytes) -> bool:
        """Check the head. Returns whether every further line must carry a checksum."""
        content = line.removesuffix(b"\n")
        try:
            head = parse(content)
            identity, number = head["journal"], head.get("format", 1)
        except (ValueError, KeyError):
            identity, number = None, None
        if not isinstance(identity, dict) or not line.endswith(b"\n"):
            raise ConfigError(
                f"journal {self.path} is no journal: line 1 is no head that `search` wrote; it was left as "
                f"it is; {_NEW}."
            )
        if number != 1:
            if not isinstance(number, int) or number > FORMAT:
                raise ConfigError(
                    f"journal {self.path} has format {number}, which another version wrote; accepted: "
                    f"formats 1 to {FORMAT}."
                )
            self._check_seal(1, content)
        elif set(head) != {"journal"}:
            raise self._damaged(1, f"it has the members {', '.join(map(str, head))}")
        missing = [name for name in self.identity if name not in identity and name not in _ADDED]
        different = [name for name, value in identity.items() if self.identity.get(name) != value] + missing
        if different == ["budget"] and self._extend and identity["budget"] < self.identity["budget"]:
            different = []
        if different:
            raise ConfigError(
                f"journal {self.path} belongs to another search (its {', '.join(different)} "
                f"{'differs' if len(different) == 1 else 'differ'})"
                f"{self._difference(identity, different)}; {_NEW}."
            )
        self._passed(line)
        return bool(number == FORMAT)

    def _difference(self, identity: dict[str, Any], different: list[str]) -> str:
        name = different[0]
        there, here = identity.get(name), self.identity.get(name)
        if isinstance(there, dict) and isinstance(here, dict):
            inner = [key for key in {**there, **here} if there.get(key) != here.get(key)]
            name, there, here = f"{name}.{inner[0]}", there.get(inner[0]), here.get(inner[0])
        return f": {name} is {there} there and {here} here"

    def _read_line(self, number: int, line: bytes, sealed: bool) -> bool:
        """Take one entry in. `sealed`: it must carry a checksum; returns whether the next one must."""
        if len(line) >= LONGEST_LINE:
            raise self._damaged(number, f"it is longer than {LONGEST_LINE} bytes")
        written = line.removesuffix(b"\n") if line.endswith(b"\n") else line.rstrip(b"\0")
        if not line.endswith(b"\n") and self._is_cut(written):
            self._ragged = True
            return sealed
        seal = SEALED.fullmatch(written)
        if sealed or seal:
            self._check_seal(number, written)
        try:
            entry = parse(seal[1] + b"}" if seal else written)
        except ValueError as error:
            raise self._damaged(number, f"it is no JSON object ({error})") from None
        problem = self._problem(entry)
        if problem:
            raise self._damaged(number, problem)
        self.entries[entry["trial"], entry["query"]] = entry
        if line.endswith(b"\n"):
            self._passed(line)
        else:  # whole, but for its end
            self._passed(written)
            self._prefix, self._ragged = b"\n", written != line
        return sealed or seal is not None

    def _is_cut(self, content: bytes) -> bool:
        """Whether an unfinished last line is the beginning of an entry."""
        beginning = b'{"trial": '
        if not (content.startswith(beginning) or beginning.startswith(content)):
            return False
        try:
            json.JSONDecoder().raw_decode(content.decode(errors="replace"))
        except (ValueError, RecursionError):
            return True
        return False

    def _passed(self, line: bytes) -> None:
        self._crc = zlib.crc32(line, self._crc)
        self._end += len(line)

    def _check_seal(self, number: int, content: bytes) -> None:
        problem = wrong_seal(content, self._crc)
        if problem:
            raise self._damaged(number, problem)

    def _damaged(self, number: int, problem: str) -> ConfigError:
        return ConfigError(
            f"journal {self.path}, line {number}, is damaged: {problem}; nothing was changed; accepted: the "
            "file as `search` wrote it, or with lines removed from its end."
        )

    def _problem(self, entry: Entry) -> str:
        """What is wrong with an entry, or ""."""
        problem = wrong_type(entry) or wrong_value(entry)
        if problem:
            return problem
        trial, query = entry["trial"], entry["query"]
        first, count = self.identity.get("first_trial"), self.identity.get("trials")
        if isinstance(first, int) and isinstance(count, int) and not first <= trial < first + count:
            return f"trial is {trial}; the search has trials {first} to {first + count - 1}"
        if (trial, query) in self.entries:
            return f"trial {trial}, query {query} is there already"
        return ""

    # Use

    def find(
        self, trial: int, query: int, architecture: np.ndarray, fidelity: int, run: int
    ) -> Measured | None:
        """The evaluation that the journal holds there, or None.

        Raises:
            ConfigError: if the journal holds another architecture, fidelity or run there.
        """
        entry = self.entries.get((trial, query))
        if entry is None:
            known = self.known.get((tuple(architecture.tolist()), fidelity, run))
            if known is not None:
                self.add(trial, query, architecture, fidelity, run, known)
            return known
        if (
            entry["architecture"] != architecture.tolist()
            or entry["fidelity"] != fidelity
            or entry["run"] != run
        ):
            raise ConfigError(
                f"journal {self.path}: trial {trial}, query {query} is another proposal than the search "
                "makes now (the method, its settings or "
                "the code changed); accepted: the same search, or a new journal."
            )
        return _measured(entry)

    def add(
        self,
        trial: int,
        query: int,
        architecture: np.ndarray,
        fidelity: int,
        run: int,
        values: tuple[float, float, float],
    ) -> None:
        """Append a finished evaluation.

        Args:
            trial: its absolute index.
            query: counts from 1.
            architecture: int64[N].
            fidelity: the training budget.
            run: which run was read, -1 for the mean.
            values: validation, test and seconds, NaN where there is none. A `Measured` brings the reason of a
                failure along.

        Raises:
            ConfigError: if the file can't be written, or the evaluation has a value that no journal may hold.
        """
        entry: Entry = {
            "trial": trial,
            "query": query,
            "architecture": architecture.tolist(),
            "fidelity": fidelity,
            "run": run,
            **{
                name: None if math.isnan(value) else float(value)
                for name, value in zip(("validation", "test", "seconds"), values)
            },
        }
        reason = getattr(values, "reason", "")
        if reason:
            entry["reason"] = reason
        problem = self._problem(entry)
        if problem:
            raise ConfigError(
                f"trial {trial}, query {query} cannot be written to journal {self.path}: {problem}; "
                "accepted: accuracies in [0, 1] and seconds of at least 0, once for each query."
            )
        self._write(entry)
        self.entries[trial, query] = entry

    def _write(self, entry: Entry) -> None:
        prefix = self._prefix
        line = prefix + seal(entry, zlib.crc32(prefix, self._crc))
        try:
            if self._ragged:
                os.ftruncate(self._fd, self._end)
            # whatever stops the write, the next one starts at the same place
            self._ragged = True
            os.lseek(self._fd, self._end, os.SEEK_SET)
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.fsync(self._fd)
        except OSError as error:
            raise ConfigError(
                f"journal {self.path} cannot be written: {error.strerror or error}; what it holds is kept."
            ) from None
        if self._created:
            _flush_folder(self.path.parent)
        self._passed(line)
        self._ragged, self._created, self._prefix = False, False, b""

    @property
    def _before(self) -> Path:
        """Where an earlier course of the search is kept."""
        return self.path.with_name(f"{self.path.name}.before")

    def take_earlier(self) -> None:
        """Know what succeeded in an earlier course of this search: a retry may have been interrupted."""
        if not self._before.exists():
            return
        identity, entries = read_journal(self._before)
        if all(self.identity.get(name) == value for name, value in identity.items() if name != "budget"):
            self.known = _succeeded(entries) | self.known

    def without_failures(self, identity: dict[str, Any]) -> Journal:
        """Put a new journal in the place of this one, which is kept under the name FILE.before: the search
        begins anew, and takes the evaluations that succeeded from it, by architecture, wherever it asks for
        them. Returns the new journal, open; this one is closed.

        Raises:
            ConfigError: if the files can't be moved.
        """
        good = self.known | _succeeded(self.entries.values())
        before = self._before
        try:
            os.replace(self.path, before)
        except OSError as error:
            raise ConfigError(
                f"journal {self.path} cannot be moved to {before}: {error.strerror or error}."
            ) from None
        self.close()
        fresh = Journal(self.path, identity)
        fresh.known = good
        return fresh

    def close(self) -> None:
        """Unlock and close the file. A file that was made for this journal and holds nothing is removed."""
        if self not in _opened:
            return
        _opened.discard(self)
        if self._created:
            try:
                # nobody else can have written to it: it is locked
                if os.fstat(self._fd).st_size == 0 and os.path.samestat(
                    os.fstat(self._fd), os.stat(self.path)
                ):
                    os.unlink(self.path)
            except OSError:
                pass
        os.close(self._fd)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(path: str | Path) -> tuple[dict[str, Any], list[Entry]]:
    """What identifies a journal's search, and its entries in the order in which they finished; an unfinished
    last line is left out. Nothing is locked: a search may be writing.

    Raises:
        ConfigError: if the file can't be read or is no journal.
    """
    try:
        with open_regular(Path(path)) as file:
            lines = file.read().split(b"\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"journal {path} cannot be read: {reason}; accepted: a journal.") from None
    found: list[Entry] = []
    identity: Any = None
    crc, sealed = 0, False
    for number, line in enumerate(lines[:-1], start=1):
        try:
            members = parse(line)
        except ValueError:
            members = {}
        if number == 1:
            identity, sealed = members.get("journal"), members.get("format", 1) != 1
        given = members.pop("crc32", None)
        sealed = sealed or given is not None
        problem = wrong_seal(line, crc) if sealed else ""
        if not isinstance(identity, dict) or (number > 1 and not members):
            raise ConfigError(f"{path} is no journal; accepted: a file that `search` wrote.")
        if number > 1:
            problem = problem or wrong_type(members) or wrong_value(members)
            found.append(members)
        if problem:
            raise ConfigError(
                f"journal {path}, line {number}, is damaged: {problem}; accepted: the file as `search` wrote "
                "it."
            )
        crc = zlib.crc32(line + b"\n", crc)
    if identity is None:
        raise ConfigError(f"{path} is no journal; accepted: a file that `search` wrote.")
    return identity, found


def _succeeded(entries: Iterable[Entry]) -> dict[tuple[tuple[int, ...], int, int], Measured]:
    """(architecture, fidelity, run) -> values, of the evaluations that succeeded."""
    return {
        (tuple(entry["architecture"]), entry["fidelity"], entry["run"]): _measured(entry)
        for entry in entries
        if entry["validation"] is not None
    }


def _measured(entry: Entry) -> Measured:
    validation, test, seconds = (
        math.nan if entry[name] is None else float(entry[name]) for name in ("validation", "test", "seconds")
    )
    return Measured(validation, test, seconds, entry.get("reason", ""))


_opened: weakref.WeakSet[Journal] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a forked child: close the files, as a child that outlives its parent would go on holding the
    locks."""
    for journal in list(_opened):
        _opened.discard(journal)
        os.close(journal._fd)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _holder(descriptor: int) -> int | None:
    """The process that holds the lock of a file, where the system tells (Linux does)."""
    status = os.fstat(descriptor)
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for lock in locks:  # 1: FLOCK  ADVISORY  WRITE 3031 fe:00:394755 0 EOF
        parts = lock.split()
        if len(parts) > 5 and parts[1] == "FLOCK" and parts[5] == file:
            return int(parts[4])
    return None


def _flush_folder(folder: Path) -> None:
    """Make a new file's name as lasting as its content, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
