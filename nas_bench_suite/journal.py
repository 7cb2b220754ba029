"""A journal of evaluations, for objectives that take minutes or hours.

A JSON-lines file: the first line says what search it belongs to, every further line is one finished
evaluation, appended and flushed as it comes. A resumed search replays ask and tell against it: evaluations
that the journal holds are taken from it, the rest is computed. A line that was cut off by a crash is dropped.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nas_bench_suite.checks import ConfigError

Key = tuple[int, int]  # (trial, query), query counting from 1


class Journal:
    """The journal at `path` of the search that `identity` describes.

    Raises:
        ConfigError: if the file cannot be read or written, is no journal, or belongs to another search.
    """

    def __init__(self, path: str | Path, identity: dict[str, Any]) -> None:
        self.path = Path(path)
        self.entries: dict[Key, dict[str, Any]] = {}
        identity = json.loads(json.dumps(identity))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = self.path.read_bytes() if self.path.exists() else b""
            kept = content[: content.rfind(b"\n") + 1]
            self._file = open(self.path, "r+b" if content else "w+b")  # noqa: SIM115 - closed by close()
            self._file.truncate(len(kept))
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise ConfigError(f"journal {self.path} cannot be opened: {error.strerror or error}.") from None
        try:
            self._read(kept, identity)
        except ConfigError:
            self._file.close()
            raise

    def _read(self, content: bytes, identity: dict[str, Any]) -> None:
        lines = content.splitlines()
        if not lines:
            self._write({"journal": identity})
            return
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
                if number > 1:
                    self.entries[entry["trial"], entry["query"]] = entry
                elif entry["journal"] != identity:
                    different = [key for key, value in entry["journal"].items() if identity.get(key) != value]
                    raise ConfigError(
                        f"journal {self.path} belongs to another search (its "
                        f"{', '.join(different) or 'identity'} differs); "
                        "accepted: the journal of the same search, or a path that does not exist yet."
                    )
            except (ValueError, KeyError, TypeError) as error:
                if isinstance(error, ConfigError):
                    raise
                raise ConfigError(
                    f"journal {self.path}, line {number}, is no journal entry; accepted: a file that "
                    "`search` wrote."
                ) from None

    def _write(self, entry: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ConfigError(
                f"journal {self.path} cannot be written: {error.strerror or error}; what it holds is kept."
            ) from None

    def find(
        self, trial: int, query: int, architecture: np.ndarray, fidelity: int, run: int
    ) -> tuple[float, float, float] | None:
        """Validation, test and seconds of an evaluation that the journal holds, or None.

        Raises:
            ConfigError: if the journal holds another architecture, fidelity or run there.
        """
        entry = self.entries.get((trial, query))
        if entry is None:
            return None
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
        validation, test, seconds = (
            math.nan if value is None else value
            for value in (entry["validation"], entry["test"], entry["seconds"])
        )
        return validation, test, seconds

    def add(
        self,
        trial: int,
        query: int,
        architecture: np.ndarray,
        fidelity: int,
        run: int,
        values: tuple[float, float, float],
    ) -> None:
        """Append a finished evaluation; `values` are validation, test and seconds."""
        found = {
            name: None if math.isnan(value) else value
            for name, value in zip(("validation", "test", "seconds"), values)
        }
        entry = {
            "trial": trial,
            "query": query,
            "architecture": architecture.tolist(),
            "fidelity": fidelity,
            "run": run,
            **found,
        }
        self.entries[trial, query] = entry
        self._write(entry)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
