"""Reading tables: a CSV (possibly compressed) or Parquet file becomes a frame, and nothing is guessed.

Notation: R rows, C columns; a *line* is a line of the file, counted from 1, the header's included.

pandas turns CSV fields into numbers and words. What it would guess is decided before it sees the file: every
row has as many fields as the header, the header's names are distinct, the text is UTF-8, quotes are closed.
No more than a limit of bytes is ever inflated.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import ConfigError, nearest, shown

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Table as ArrowTable

MOST_BYTES = 2 << 30  # the default limit
_CHUNK = 1 << 20
_BATCH = 1 << 16  # rows of a Parquet file that are read at once
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
READERS = (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".parquet")
_SOUND, _FIELDS, _UNCLOSED, _AFTER_QUOTE = range(4)
_LONGEST = 200  # characters of a column's name
_UNNAMED = "Unnamed: "  # what a column without a name is called, with its place, so that it can be ignored


class Sheet(NamedTuple):
    """What a file holds."""

    frame: DataFrame  # [R, C]
    lines: np.ndarray | None = None  # int64[R], the line of each row; None for what has no lines

    def place(self, row: int) -> str:
        """Where a row is, as a person counts."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


class _Wrong(Exception):
    """What is wrong with a file's content, without saying in which file."""


def read_sheet(
    path: str | Path | None,
    benchmark: str,
    form: str,
    ignore: Sequence[str] = (),
    max_bytes: int = MOST_BYTES,
) -> Sheet:
    """Read a CSV or Parquet file.

    Args:
        path: the file; a CSV may be compressed.
        benchmark: the benchmark that asks, for the sentences.
        form: what the file should hold, for the sentences.
        ignore: columns to leave out.
        max_bytes: how much may be read, inflated.

    Raises:
        ConfigError: if there is no path, no such file, or nothing readable in it.
    """
    path = _file(path, benchmark, form)
    where = f"benchmark.path={path}"
    if not path.name.lower().endswith(READERS):
        raise ConfigError(f"{where} has an unknown ending; accepted: {', '.join(READERS)}.")
    try:
        parquet = path.name.lower().endswith(".parquet")
        sheet = _read_parquet(path, ignore, where, max_bytes) if parquet else _read_csv(path, max_bytes)
    except ConfigError:
        raise
    except _Wrong as error:
        raise ConfigError(f"{where}{error}") from None
    except Exception as error:  # pandas, pyarrow and the decompressors each have their own
        reason = shown((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise ConfigError(
            f"{where} cannot be read ({reason}); accepted: a file (CSV or Parquet) with {form}."
        ) from None
    frame = sheet.frame
    if not len(frame):
        raise ConfigError(f"{where} holds no rows; accepted: a file (CSV or Parquet) with {form}.")
    frame.columns = [str(column).strip() for column in frame.columns]
    check_names(list(frame.columns), ignore, where)
    return Sheet(frame.drop(columns=list(ignore)), sheet.lines)


def _file(path: Any, benchmark: str, form: str) -> Path:
    accepted = f"a file (CSV or Parquet) with {form}"
    if path is None or path == "":
        raise ConfigError(f"benchmark={benchmark} needs benchmark.path, {accepted}.")
    if not isinstance(path, (str, Path)):
        raise ConfigError(f"benchmark.path={path} is no path; accepted: {accepted}.")
    try:
        found = Path(path).expanduser()
        if found.is_file():
            return found
        what = "is a folder, not a file" if found.is_dir() else "does not exist"
        if found.exists() and not found.is_dir():
            what = "is no ordinary file"
    except (OSError, RuntimeError, ValueError) as error:
        what = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    raise ConfigError(f"benchmark.path={path} {what}; accepted: {accepted}.")


def check_names(names: list[str], ignore: Sequence[str], where: str) -> None:
    """Refuse a column to ignore that is none, and among the others a name that is missing or stands twice, by
    a `ConfigError`."""
    for column in ignore:
        if column not in names:
            raise ConfigError(
                f"benchmark.ignore names '{column}', which is no column of {where}{nearest(column, names)}."
            )
    seen: set[str] = set(ignore)
    for name in [name for name in names if name not in seen]:
        if name in seen:
            raise ConfigError(
                f"{where} has two columns of the name '{name}'; accepted: a name of its own for each column."
            )
        seen.add(name)
        if len(name) > _LONGEST or not name.isprintable():
            raise ConfigError(
                f"{where}, column {names.index(name) + 1}: the name '{shown(name)}' is too long or holds "
                f"signs that cannot be shown; accepted: at most {_LONGEST} letters, digits and the like."
            )
        if name.startswith(_UNNAMED) or not name:
            raise ConfigError(
                f"{where}, column {names.index(name) + 1} has no name; accepted: a name for each column, or "
                f"benchmark.ignore=['{name}']."
            )


def _too_large(max_bytes: int) -> _Wrong:
    return _Wrong(
        f" holds more than {max_bytes:,} bytes when read; accepted: at most benchmark.max_bytes, which may "
        "be raised."
    )


def inflate(path: Path, ending: str, max_bytes: int = MOST_BYTES) -> bytes:
    """The content of a file, inflated as a file of this ending is (".gz", ".bz2", ".xz", ".zip").

    Raises:
        ConfigError: if that is more than `max_bytes`; no more is inflated then.
        Exception: of the decompressors, for what they cannot read.
    """
    try:
        return _inflate(path, ending, max_bytes)
    except _Wrong as error:
        raise ConfigError(f"{path}{error}") from None


def _inflate(path: Path, ending: str, max_bytes: int) -> bytes:
    if ending == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise _Wrong(f" holds {len(members)} files; accepted: an archive of one CSV file.")
            with archive.open(members[0]) as file:
                return _at_most(file, max_bytes)
    with _OPENERS.get(ending, open)(path, "rb") as file:
        return _at_most(file, max_bytes)


def _at_most(file: IO[bytes], max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := file.read(_CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def _read_csv(path: Path, max_bytes: int) -> Sheet:
    import pandas as pd

    data = _inflate(path, path.suffix.lower(), max_bytes)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    names, start, line = _header(data)
    lines = np.empty(data.count(b"\n", start) + 1, dtype=np.int64)
    numbers = np.frombuffer(data, dtype=np.uint8)
    rows, problem, at, found = _scan(numbers, start, line + 1, len(names), lines)
    if problem == _FIELDS:
        raise _Wrong(
            f", line {at}: {found} fields; accepted: {len(names)}, as many as the header has (a comma within "
            "a field needs quotes)."
        )
    if problem == _UNCLOSED:
        raise _Wrong(f", line {at}: a quote is opened and never closed.")
    if problem == _AFTER_QUOTE:
        raise _Wrong(f", line {at}: something follows a closing quote; accepted: a comma, or the line's end.")
    if not rows:
        return Sheet(pd.DataFrame(columns=names))
    body = io.BytesIO(data)
    body.seek(start)
    frame = pd.read_csv(
        body,
        header=None,
        names=range(len(names)),
        index_col=False,
        skipinitialspace=True,
        keep_default_na=False,
        na_values=["", "nan", "NaN"],
        low_memory=False,  # else the type of a column is guessed piece by piece
        encoding="utf-8",
    )
    if len(frame) != rows:
        raise _Wrong(f" has {rows} rows, of which {len(frame)} could be read.")
    frame.columns = names
    return Sheet(frame, lines[:rows])


def _header(data: bytes) -> tuple[list[str], int, int]:
    """The header's names, where the rows start in `data`, and the header's line."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _Wrong(" cannot be read: it is UTF-16; accepted: UTF-8.")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise _Wrong(f" cannot be read: line {line} holds a zero byte; accepted: text.")
    start = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    try:
        if not data.isascii():
            data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Wrong(f" cannot be read: line {line} is not UTF-8; accepted: UTF-8.") from None
    line = 0
    while start < len(data):
        end = data.find(b"\n", start) % (len(data) + 1)  # -1 becomes the end of the data
        text = data[start:end].decode("utf-8")
        start, line = end + 1, line + 1
        if not text.strip(" \t"):
            continue
        try:
            (names,) = csv.reader([text], skipinitialspace=True, strict=True)
        except (csv.Error, ValueError) as error:
            raise _Wrong(f" cannot be read: the header, line {line}, is no row of a CSV ({error}).") from None
        if len(names) == 1 and re.search(r"[;\t|]", text):
            raise _Wrong(" has one column only, with other separators; accepted: fields separated by commas.")
        names = [name.strip() or f"{_UNNAMED}{place}" for place, name in enumerate(names)]
        return names, min(start, len(data)), line
    raise _Wrong(" cannot be read: it is empty; accepted: a header and rows.")


@njit(cache=True)
def _scan(data: np.ndarray, at: int, line: int, fields: int, lines: np.ndarray) -> tuple[int, int, int, int]:
    """Hold the rows of a CSV, uint8[B] from `at` on, which is line `line`, against the number of fields, by
    the rules of pandas: lines of white space are no rows, spaces before a field do not count, a quote opens
    a field only at its start.

    Returns:
        (rows, what is wrong, its line, the fields found there). lines int64[] receives the line of each row.
    """
    size = len(data)
    rows = 0
    while at < size:
        ahead = at
        while ahead < size and (data[ahead] == 32 or data[ahead] == 9):
            ahead += 1
        if ahead == size or data[ahead] == 10:
            at = ahead + 1
            line += 1
            continue
        lines[rows] = line
        found = 0
        while True:
            while at < size and data[at] == 32:
                at += 1
            if at < size and data[at] == 34:
                opened = line
                at += 1
                while True:
                    if at >= size:
                        return rows, 2, opened, found
                    if data[at] == 34:
                        if at + 1 < size and data[at + 1] == 34:
                            at += 1
                        else:
                            break
                    elif data[at] == 10:
                        line += 1
                    at += 1
                at += 1
                if at < size and data[at] != 44 and data[at] != 10:
                    return rows, 3, line, found
            else:
                while at < size and data[at] != 44 and data[at] != 10:
                    at += 1
            found += 1
            if at >= size or data[at] == 10:
                break
            at += 1
        if found != fields:
            return rows, 1, lines[rows], found
        rows += 1
        line += 1
        at += 1
    return rows, 0, 0, 0


def _read_parquet(path: Path, ignore: Sequence[str], where: str, max_bytes: int) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=False) as file:
        schema = file.schema_arrow
    names = [name.strip() for name in schema.names]
    check_names(names, ignore, where)
    words = []
    for name, kind in zip(names, schema.types):
        if name in set(ignore):
            continue
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_nested(value) or isinstance(value, pa.BaseExtensionType):
            raise _Wrong(f", column '{name}': values of type {kind}; accepted: numbers, words, truth values.")
    for name, kind in zip(schema.names, schema.types):
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            words.append(name)
    # Rows of `pandas.DataFrame.to_parquet` with an index that has no name carry it along.
    wanted = [
        name
        for name in schema.names
        if name.strip() not in set(ignore) and not re.fullmatch(r"__index_level_\d+__", name)
    ]
    # Words are read as places in a dictionary, since one long word may stand for many rows.
    with pq.ParquetFile(path, memory_map=False, read_dictionary=words) as file:
        table = _batches(file, wanted, max_bytes)
    frame = table.to_pandas(ignore_metadata=True)
    for name in words:
        if name in frame.columns:
            frame[name] = frame[name].astype(object)
    for name, kind in zip(schema.names, schema.types):
        if pa.types.is_float16(kind) and name in frame.columns:
            frame[name] = frame[name].astype(np.float32)
    for name in ignore:
        frame[name] = None
    return Sheet(frame)


def _batches(file: Any, columns: list[str], max_bytes: int) -> ArrowTable:
    import pyarrow as pa

    meta = file.metadata
    declared = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
    if declared > max_bytes:
        raise _too_large(max_bytes)
    before = pa.total_allocated_bytes()
    batches = []
    for batch in file.iter_batches(batch_size=_BATCH, columns=columns, use_threads=False):
        batches.append(batch)
        if pa.total_allocated_bytes() - before > max_bytes:
            raise _too_large(max_bytes)
    schema = batches[0].schema if batches else None
    return pa.Table.from_batches(batches, schema) if batches else pa.table({name: [] for name in columns})
