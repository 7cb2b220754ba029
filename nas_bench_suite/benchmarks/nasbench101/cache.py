"""A folder for what can be computed again: tables that take longer to make than to read.

Nothing depends on it. A missing, damaged or unwritable folder costs time and is otherwise not noticed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import numpy as np


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/nas-bench-suite`, or `~/.cache/nas-bench-suite`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "nas-bench-suite"


def load_arrays(name: str) -> dict[str, np.ndarray] | None:
    """Return the arrays stored as `name`, or None if there are none that can be read. Their CRCs are
    checked."""
    try:
        with np.load(cache_folder() / f"{name}.npz", allow_pickle=False) as stored:
            return {key: np.asarray(stored[key]) for key in stored.files}
    except Exception:  # zipfile, zlib and NumPy each have their own
        return None


def store_arrays(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Store arrays as `name`, whole or not at all; a folder that cannot be written is passed over in
    silence."""
    temporary = None
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}-", suffix=".npz", dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, folder / f"{name}.npz")
    except (OSError, RuntimeError):
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
