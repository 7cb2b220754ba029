"""Result files: written whole or not at all, read back checked, skipped when complete.

A *run* is one configuration; its folder is `<output_dir>/<benchmark>/<label>/<budget>-<key>/`, where `key` is
a hash of everything that determines the result (not of the number of trials, the device or paths). A run is
made in blocks on an absolute grid of trials:

    config.yaml                        what determines the result, resolved
    trials-000000-000049.json          the manifest: versions, commit, source hash, host, seconds, and the
                                       ledger of each trial
    trials-000000-000049.parquet       one row per charged query: `QUERY_COLUMNS`

The manifest is written first and the query file last, each under a temporary name and then renamed, so a
query file that exists is complete and has its provenance. Query files hold nothing that depends on when,
where or in how many pieces they were made.

Everything that a number is read from is tied to its place: the folder's name holds the key of config.yaml;
the manifest holds that key, its block's trials, the query file's checksum and its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nas_bench_suite.checks import ConfigError, open_regular
from nas_bench_suite.provenance import Provenance
from nas_bench_suite.record import SearchRecord

FORMAT = 2  # of manifests; 1 had no checksum of its own
QUERY_COLUMNS: dict[str, pa.DataType] = {
    "trial": pa.int32(),
    "query": pa.int32(),
    "cell_id": pa.int64(),
    "run": pa.int8(),
    "fidelity": pa.int32(),
    "validation": pa.float64(),
    "test": pa.float64(),
    "seconds": pa.float64(),
    "status": pa.int8(),
    "spent": pa.int64(),
}
_SCHEMA = pa.schema(list(QUERY_COLUMNS.items()))
_BLOCK = re.compile(r"trials-(\d{6,})-(\d{6,})\.parquet")
# The largest index of a trial and number of a query, as `QUERY_COLUMNS` has them.
LARGEST = int(np.iinfo(np.int32).max)
# The process that writes comes first: a host's name may hold anything that a file's name may.
_TEMPORARY = re.compile(r"\.partial-(?P<pid>\d+)-(?P<host>[0-9a-f]{8})-.+")


class Manifest(Provenance):
    """What lies beside a query file: how it came about, and the ledger of each trial, a column per name."""

    format: int
    seconds: float
    query_file: str
    query_sha256: str
    ledger: dict[str, list[Any]]
    sha256: str  # of all the rest, as `manifest_digest` has it


def read_whole(path: Path) -> bytes:
    """A file's content.

    Raises:
        OSError: if it cannot be read, or is no regular file.
    """
    with open_regular(path) as file:
        return file.read()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it exists complete or not at all. What an earlier process that was killed left of
    the same file is removed.

    Raises:
        ConfigError: if it cannot be written (no permission, full disk); nothing is left behind.
    """
    partial = path.with_name(f".partial-{os.getpid()}-{_host()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        _remove(partial)
        if not isinstance(error, OSError):
            raise
        raise ConfigError(
            f"{path} cannot be written: {error.strerror or error}; what was finished before is kept."
        ) from None


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove partial files (of the file `name`) that processes of this host left when they were killed."""
    for path in folder.glob(f".partial-*-{name}"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and match["host"] == _host() and not _alive(int(match["pid"])):
            _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):  # the folder is gone or read-only: there is nothing that could be tidied up
        path.unlink(missing_ok=True)


def _host() -> str:
    """Eight hexadecimal digits for this machine's name."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def run_key(config: dict[str, Any]) -> str:
    """Eight hexadecimal digits that identify what determines a result: a hash of `config`, independent of the
    order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Block:
    """One block of trials `first` .. `last` on disk."""

    folder: Path
    first: int
    last: int

    @property
    def path(self) -> Path:
        """The query file."""
        return self.folder / f"trials-{self.first:06d}-{self.last:06d}.parquet"

    @property
    def manifest_path(self) -> Path:
        return self.path.with_suffix(".json")

    def exists(self) -> bool:
        return self.path.exists()

    def write(self, record: SearchRecord, provenance: Provenance) -> None:
        """Write the block whole or not at all.

        Raises:
            ConfigError: if it cannot be written.
        """
        table = pa.table(
            {name: pa.array(record.queries[name], type=kind) for name, kind in QUERY_COLUMNS.items()},
            schema=_SCHEMA,
        )
        buffer = io.BytesIO()
        pq.write_table(
            table, buffer, compression="zstd", version="2.6", store_schema=False, use_dictionary=True
        )
        content = buffer.getvalue()
        manifest: dict[str, Any] = {
            "format": FORMAT,
            **provenance,
            "seconds": record.seconds,
            "query_file": self.path.name,
            "query_sha256": hashlib.sha256(content).hexdigest(),
            "ledger": {name: _plain(column) for name, column in record.ledger.items()},
        }
        manifest["sha256"] = manifest_digest(manifest)
        write_whole(self.manifest_path, json.dumps(manifest, indent=1, allow_nan=False).encode())
        write_whole(self.path, content)

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            ConfigError: if it is missing, damaged, of another format, or of another block.
        """
        advice = f"remove it and {self.path.name}, and run the job again"
        try:
            manifest = json.loads(read_whole(self.manifest_path))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{self.manifest_path} cannot be read ({error}); {advice}.") from None
        found = manifest.get("format") if isinstance(manifest, dict) else None
        if found not in (1, FORMAT) or not isinstance(manifest.get("ledger"), dict):
            raise ConfigError(f"{self.manifest_path} is no manifest of format {FORMAT}; {advice}.")
        if (found == FORMAT or "sha256" in manifest) and manifest.get("sha256") != manifest_digest(manifest):
            raise ConfigError(
                f"{self.manifest_path} is damaged (its content does not match its checksum); {advice}."
            )
        expected = list(range(self.first, self.last + 1))
        columns = manifest["ledger"].values()
        whole = all(isinstance(column, list) and len(column) == len(expected) for column in columns)
        if (
            not whole
            or manifest["ledger"].get("trial") != expected
            or manifest.get("query_file") != self.path.name
        ):
            raise ConfigError(f"{self.manifest_path} describes another block than its name says; {advice}.")
        return cast(Manifest, manifest)

    def check(self, key: str) -> Manifest:
        """The manifest of a block that is whole and belongs to the configuration with this key (a manifest
        that names none is taken at its place).

        Raises:
            ConfigError: if a file is missing or damaged, or belongs elsewhere.
        """
        manifest = self.manifest()
        found = manifest.get("key")
        if found not in (None, key):
            raise ConfigError(
                f"{self.path} holds results of another configuration ({found} instead of {key}); remove it "
                "and "
                "run the job again."
            )
        self._content(manifest)
        return manifest

    def _content(self, manifest: Manifest) -> bytes:
        """The query file's bytes, checked against the manifest."""
        try:
            content = read_whole(self.path)
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be read ({error.strerror or error}); remove it and run the job again."
            ) from None
        if hashlib.sha256(content).hexdigest() != manifest.get("query_sha256"):
            raise ConfigError(
                f"{self.path} is damaged: its {len(content)} bytes do not match its manifest (cut short, or "
                "from "
                "elsewhere); remove it and run the job again."
            )
        return content

    def ledger(self) -> dict[str, np.ndarray]:
        """One array a column of the ledger, over the block's trials; missing numbers are NaN."""
        ledger = self.manifest()["ledger"]
        return {
            name: np.array([np.nan if value is None else value for value in column])
            for name, column in ledger.items()
        }

    def queries(self) -> dict[str, np.ndarray]:
        """Read the query file, checked against the manifest: one array a column of `QUERY_COLUMNS`.

        Raises:
            ConfigError: if it is missing, damaged or has other columns.
        """
        content = self._content(self.manifest())
        advice = "remove it and run the job again"
        try:
            table = pq.read_table(io.BytesIO(content))
        except (pa.ArrowException, OSError) as error:
            raise ConfigError(f"{self.path} is no readable query file ({error}); {advice}.") from None
        if table.schema.names != list(QUERY_COLUMNS):
            raise ConfigError(
                f"{self.path} has columns {table.schema.names}; accepted: {list(QUERY_COLUMNS)}."
            )
        return {name: table.column(name).to_numpy() for name in QUERY_COLUMNS}


@dataclass(frozen=True)
class Run:
    """The folder of one configuration."""

    folder: Path

    def config(self) -> dict[str, Any]:
        """The resolved configuration.

        Raises:
            ConfigError: if config.yaml is missing, unreadable, or does not belong to this folder.
        """
        from omegaconf import OmegaConf

        path = self.folder / "config.yaml"
        try:
            config = OmegaConf.to_container(OmegaConf.create(read_whole(path).decode()))
        except Exception as error:  # yaml and omegaconf raise many kinds
            raise ConfigError(
                f"{path} cannot be read ({str(error).splitlines()[0]}); run the job again to have it written."
            ) from None
        if not isinstance(config, dict) or not self.folder.name.endswith(
            "-" + run_key({str(k): v for k, v in config.items()})
        ):
            raise ConfigError(
                f"{path} does not belong to the folder it lies in; remove the folder {self.folder} and run "
                "the job again."
            )
        return {str(key): value for key, value in config.items()}

    def blocks(self) -> list[Block]:
        """The complete blocks, by first trial."""
        found = [_BLOCK.fullmatch(path.name) for path in self.folder.glob("trials-*.parquet")]
        return sorted(
            (Block(self.folder, int(m[1]), int(m[2])) for m in found if m), key=lambda block: block.first
        )

    def block(self, first: int, size: int) -> Block:
        """The block of `size` trials that starts at `first`."""
        return Block(self.folder, first, first + size - 1)


def find_runs(output_dir: str | Path) -> Iterator[Run]:
    """Every run below `output_dir` that has at least one complete block, in the order of their paths."""
    for folder in sorted({path.parent for path in Path(output_dir).glob("*/*/*-*/trials-*.parquet")}):
        yield Run(folder)


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its own checksum, whatever its layout and the order of its keys."""
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _plain(column: np.ndarray) -> list[Any]:
    """A column as JSON values; NaN becomes null."""
    if column.dtype.kind == "f":
        return [None if np.isnan(value) else float(value) for value in column]
    return list(column.tolist())
