"""Compiled kernels on disk that cannot do harm: numba's cache files carry a checksum.

Numba takes what it finds in `__pycache__` (or `NUMBA_CACHE_DIR`) at its word: a file that was cut short ends
a command with a traceback, and one with a changed byte is machine code that is run. Here each file ends with
a checksum of its name and content, and what does not match is compiled anew and written over. The checksum
comes after what numba reads, so the files remain readable without it.

A file's name follows from the signature that it was compiled for, not from a count: two processes that
compile different signatures at the same time never write to the same file. A cache that cannot be written
(read-only, full) is done without.

Numba compiles a function anew when its own file changes, and not when what it calls or reads from another
module does. Here both count: the functions that it calls, the constants that it holds, and the fields of the
named tuples that it takes.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import re
import zlib
from contextlib import suppress
from types import CodeType, ModuleType
from typing import Any

import numba
import numpy as np

# without types, as numba has none
_caching: Any = importlib.import_module("numba.core.caching")
_dispatcher: Any = importlib.import_module("numba.core.dispatcher")

_SIZE = hashlib.sha256().digest_size


class CheckedCacheFile(_caching.IndexDataCacheFile):  # type: ignore[misc]
    """The index and the data files of one compiled function."""

    def __init__(self, cache_path: str, filename_base: str, source_stamp: Any, function: Any) -> None:
        super().__init__(cache_path, filename_base, source_stamp)
        self._function = function

    def _stamp(self) -> tuple[Any, str]:
        """What the compiled code was made from; asked for when all modules have been read."""
        return self._source_stamp, dependencies(self._function)

    def save(self, key: Any, data: Any) -> None:
        signature, machine = key[0], key[1]
        name = self._data_name(zlib.crc32(repr((signature, machine)).encode()))
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})

    def load(self, key: Any) -> Any:
        name = self._load_index().get(key)
        return None if name is None else self._read(self._data_path(name))

    def _load_index(self) -> dict[Any, str]:
        found = self._read(self._index_path)
        if found is None or found[0] != self._stamp():
            return {}
        overloads: dict[Any, str] = found[1]
        return overloads

    def _save_index(self, overloads: dict[Any, str]) -> None:
        version = pickle.dumps(self._version, protocol=-1)
        self._write(self._index_path, version + self._dump((self._stamp(), overloads)))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), self._dump(data))

    def _read(self, path: str) -> Any:
        """What a file holds; None if it is missing, unreadable, damaged, or of another version of numba."""
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            return None
        body, checksum = content[:-_SIZE], content[-_SIZE:]
        if checksum != self._checksum(path, body):
            return None
        version = pickle.dumps(self._version, protocol=-1)
        if path == self._index_path:
            if not body.startswith(version):
                return None
            body = body[len(version) :]
        try:
            return pickle.loads(body)
        except Exception:  # it names what this version of a library lacks
            return None

    def _write(self, path: str, body: bytes) -> None:
        partial = f"{path}.tmp.{os.getpid()}"
        try:
            with open(partial, "wb") as file:
                file.write(body + self._checksum(path, body))
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise

    def _checksum(self, path: str, body: bytes) -> bytes:
        name = os.path.basename(path)
        return hashlib.sha256(b"\0".join([numba.__version__.encode(), name.encode(), body])).digest()


def dependencies(function: Any) -> str:
    """A hash of what a function's compiled code takes from elsewhere: the bytecode of the compiled functions
    that it calls, directly or not, the constants that they hold, and the fields of named tuples."""
    found: dict[str, str] = {}
    _depend(function, found)
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def _depend(function: Any, found: dict[str, str]) -> None:
    """Add what `function` depends on, and itself, to `found`: qualified name -> what it is."""
    name = f"{function.__module__}.{function.__qualname__}"
    if name in found:
        return
    code = function.__code__
    found[name] = _bytecode(code)
    annotations = " ".join(str(annotation) for annotation in function.__annotations__.values())
    values = {word: function.__globals__.get(word) for word in code.co_names}
    values |= {word: function.__globals__.get(word) for word in re.findall(r"\w+", annotations)}
    for module in [value for value in values.values() if isinstance(value, ModuleType)]:
        if module.__name__.partition(".")[0] != "numpy":  # of ours: module.function, module.CONSTANT
            values |= {f"{module.__name__}.{word}": getattr(module, word, None) for word in code.co_names}
    for word, value in values.items():
        if isinstance(value, _dispatcher.Dispatcher):
            _depend(value.py_func, found)
        elif isinstance(value, type) and hasattr(value, "_fields"):
            found[f"{value.__module__}.{value.__qualname__}"] = repr(value._fields)
        elif isinstance(value, (bool, int, float, str, tuple, np.generic)):
            found[f"{name}: {word}"] = repr(value)
        elif isinstance(value, np.ndarray):
            found[f"{name}: {word}"] = hashlib.sha256(value.tobytes()).hexdigest()


def _bytecode(code: CodeType) -> str:
    """A hash of a function's instructions and constants."""
    parts = [code.co_code.hex()]
    for constant in code.co_consts:
        parts.append(_bytecode(constant) if isinstance(constant, CodeType) else repr(constant))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class CheckedCache(_caching.FunctionCache):  # type: ignore[misc]
    """The cache of one function."""

    _cache_file: Any

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        old = self._cache_file
        self._cache_file = CheckedCacheFile(
            self._cache_path, self._impl.filename_base, old._source_stamp, py_func
        )

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


def _cache_of(py_func: Any) -> Any:
    """The cache of a function, or none where no folder for it can be written."""
    try:
        return CheckedCache(py_func)
    except RuntimeError:
        return _caching.NullCache()


_dispatcher.FunctionCache = _cache_of
