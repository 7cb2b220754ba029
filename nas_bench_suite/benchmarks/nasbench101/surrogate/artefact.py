"""The surrogate's files: what they hold, how they are packed, read and checked.

Notation and shapes
    n            number of cells (423,624), in the order of the enumeration, whose checksum each file names
    grid         accuracies of single runs are whole numbers of 1/9984 (39 batches of 256 images)
    predictions  uint16[n, 2]: best of three runs, mean of three runs, in 1/65536; the smooth prediction, no
                 residual, no noise
    early        uint16[n, 3]: the smooth prediction at 4, 12 and 36 epochs, in 1/65536
    seconds      uint16[n]: training seconds at 108 epochs, in eighths
    runs         uint16[n, 3, 2]: frozen runs, (validation, test), on the grid
    early_runs   uint16[n, 3 fidelities, 3 runs]: frozen validation at 4, 12 and 36 epochs, on the grid
    noise        what other tables are drawn from: the noise model, and of each cell the mean probability that
                 a run collapses, uint16[n], -4096 times its logarithm (65,535: never)

Runs are packed as differences (from the smooth prediction; test from validation), zigzag coded and split into
low and high bytes, which deflate reduces to about their entropy.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.checks import ConfigError, shown

from .noise import GRID as GRID
from .noise import SCORES, CollapseLaw, EarlyNoise, Noise, NoiseModel

FINE = 65536
SECOND = 8
FORMAT = 1
FOLDER = Path(__file__).resolve().parent / "artefact"
PREDICTIONS, RUNS, EARLY_RUNS = "predictions.npz", "runs_108.npz", "runs_4_12_36.npz"
NOISE = "noise.npz"
_LOG_STEPS, _NEVER = 4096, FINE - 1  # of a probability
_GROUPS = 8  # of predictions, in the noise at the early budgets
_MOST = 1 << 24  # entries of an array that is believed


def _pack(differences: np.ndarray) -> dict[str, np.ndarray]:
    """Zigzag code int32 differences and split them into two byte planes, one column after the other."""
    zigzag = np.where(differences >= 0, 2 * differences, -2 * differences - 1).reshape(len(differences), -1).T
    if zigzag.max() >= FINE:
        raise ValueError("a run differs from its prediction by more than the format can hold")
    return {"low": (zigzag & 255).astype(np.uint8), "high": (zigzag >> 8).astype(np.uint8)}


def _unpack(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Differences int32[n, columns] from two byte planes."""
    zigzag = low.astype(np.int32) | (high.astype(np.int32) << 8)
    return np.where(zigzag & 1, -((zigzag + 1) >> 1), zigzag >> 1).T


def _on_grid(fine: np.ndarray) -> np.ndarray:
    """Fine-grained predictions as int32 counts of 1/9984."""
    return (fine.astype(np.int32) * GRID + FINE // 2) // FINE


def _write_temporary(path: Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> str:
    """Write an archive with fixed time stamps (equal content, equal bytes) beside ``path``; return the
    temporary file's name."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".npz", dir=path.parent)
    try:
        with (
            os.fdopen(descriptor, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        ):
            entries = {
                **arrays,
                "meta": np.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=np.uint8),
            }
            for name, array in entries.items():
                info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(info, "w") as entry:
                    np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
        os.chmod(temporary, 0o644)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def write(
    folder: Path,
    *,
    predictions: np.ndarray,
    early: np.ndarray,
    seconds: np.ndarray,
    runs: np.ndarray,
    early_runs: np.ndarray,
    noise: Noise,
    meta: dict[str, Any],
) -> None:
    """Write the four files, whole or not at all. Arrays as in the module's notation, but predictions as
    float accuracies and seconds as floats.

    Args:
        meta: JSON-able facts about the fit; must hold ``enumeration``, the checksum of the order of the
            cells.
    """
    meta = {**meta, "format": FORMAT, "cells": len(predictions)}
    fine = np.clip(np.rint(predictions * FINE), 0, FINE - 1).astype(np.uint16)
    fine_early = np.clip(np.rint(early * FINE), 0, FINE - 1).astype(np.uint16)
    counts = runs.astype(np.int32)
    centre = _on_grid(fine[:, 1])
    differences = np.stack([counts[:, :, 0] - centre[:, None], counts[:, :, 1] - counts[:, :, 0]], axis=1)
    early_differences = early_runs.astype(np.int32) - _on_grid(fine_early)[:, :, None]
    whole_seconds = np.clip(np.rint(seconds * SECOND), 0, FINE - 1).astype(np.uint16)
    # The runs refer to the predictions: every file carries a mark of this writing, so that files of two fits
    # never mix.
    mark = hashlib.sha256(fine.tobytes() + fine_early.tobytes() + counts.tobytes()).hexdigest()[:16]
    meta["fit"] = mark
    columns = {f"early_{index}": fine_early[:, index] for index in range(fine_early.shape[1])}
    short = {key: meta[key] for key in ("enumeration", "format", "cells", "fit")}
    files = {
        PREDICTIONS: (
            {"best_of_3": fine[:, 0], "mean": fine[:, 1], **columns, "seconds": whole_seconds},
            meta,
        ),
        RUNS: (_pack(differences), short),
        EARLY_RUNS: (_pack(early_differences), short),
        NOISE: _noise_content(noise, short),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, str] = {}
    try:
        for name, content in files.items():
            written[name] = _write_temporary(folder / name, *content)
        # Nothing is replaced before everything is written.
        for name in files:
            os.replace(written[name], folder / name)
            del written[name]
    finally:
        for temporary in written.values():
            os.unlink(temporary)


def _noise_content(noise: Noise, short: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of the noise's file."""
    mean = noise.law.mean
    logs = np.full(len(mean), float(_NEVER))
    logs[mean > 0] = np.minimum(np.rint(-_LOG_STEPS * np.log(mean[mean > 0])), _NEVER - 1)
    arrays = {
        "collapse": logs.astype(np.uint16),
        "early_centres": np.stack([part.centres for part in noise.early]),
        "early_quantiles": np.stack([part.quantiles for part in noise.early]),
    }
    return arrays, {**short, "model": asdict(noise.model), "concentration": noise.law.concentration}


def _noise(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Noise:
    """The noise from its file's content.

    Raises:
        ValueError, TypeError, KeyError: for facts that are missing or of another form.
    """
    values: dict[str, Any] = {
        key: tuple((float(x), float(y)) for x, y in value) if isinstance(value, list) else value
        for key, value in meta["model"].items()
    }
    model = NoiseModel(**values)
    for key, value in asdict(NoiseModel()).items():
        if type(getattr(model, key)) is not type(value):
            raise ValueError(f"'{key}' of the noise is of another type")
    logs = arrays["collapse"]
    mean = np.where(logs == _NEVER, 0.0, np.exp(-logs.astype(np.float64) / _LOG_STEPS))
    centres, quantiles = arrays["early_centres"], arrays["early_quantiles"]
    concentration = float(meta["concentration"])
    if not (np.isfinite(quantiles).all() and (np.diff(centres) > 0).all() and concentration > 0):
        raise ValueError("numbers of the noise are out of range")
    early = tuple(EarlyNoise(c, np.zeros(_GROUPS), q) for c, q in zip(centres, quantiles, strict=True))
    return Noise(model, CollapseLaw(mean, concentration), early)


def _columns(count: int) -> dict[str, dict[str, tuple[str, tuple[int, ...]]]]:
    """Type and shape of the arrays of each file, for `count` cells."""
    narrow, wide = ("|u1", "<u2")
    return {
        PREDICTIONS: {
            name: (wide, (count,))
            for name in ("best_of_3", "mean", *(f"early_{index}" for index in range(3)), "seconds")
        },
        RUNS: {"low": (narrow, (6, count)), "high": (narrow, (6, count))},
        EARLY_RUNS: {"low": (narrow, (9, count)), "high": (narrow, (9, count))},
        NOISE: {
            "collapse": (wide, (count,)),
            "early_centres": ("<f8", (3, _GROUPS)),
            "early_quantiles": ("<f8", (3, _GROUPS, len(SCORES))),
        },
    }


def _entry(archive: zipfile.ZipFile, name: str, expected: tuple[str, tuple[int, ...]] | None) -> np.ndarray:
    """An array of an archive, of an expected type and shape (None: bytes, as many as a fact sheet may have);
    whatever else it claims to be is refused before anything of its size is made.

    Raises:
        ValueError: for another array.
    """
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"'{name}' is an array of format {version}")
        shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
        fits = (kind.str, shape) == expected if expected else kind.str == "|u1" and len(shape) == 1
        if not fits or fortran or np.prod(shape, dtype=np.float64) > _MOST:
            raise ValueError(f"'{name}' is of type {kind} and shape {shape}")
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        content = file.read(size)
        if len(content) != size or file.read(1):
            raise ValueError(f"'{name}' is of another length than it says")
    return np.frombuffer(content, dtype=kind).reshape(shape)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            meta = _meta(_entry(archive, "meta", None).tobytes())
            if meta["format"] != FORMAT:
                raise ConfigError(
                    f"the surrogate's file {path} has format {meta['format']}; accepted: {FORMAT}, which "
                    "this version reads."
                )
            arrays = {
                name: _entry(archive, name, expected)
                for name, expected in _columns(meta["cells"])[path.name].items()
            }
    except ConfigError:
        raise
    except FileNotFoundError:
        raise ConfigError(
            f"the surrogate's file {path} is missing; reinstall the package, or fit it with `make surrogate`."
        ) from None
    except Exception as error:  # zipfile, zlib, NumPy and the system each have their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"the surrogate's file {path} is damaged ({reason}); reinstall the package."
        ) from None
    return arrays, meta


def _meta(text: bytes) -> dict[str, Any]:
    """The facts in a file; raises `ValueError` where some are missing or of another type."""
    meta = json.loads(text)
    if not isinstance(meta, dict):
        raise ValueError("its facts are no mapping")
    for key, kind in (("format", int), ("cells", int), ("enumeration", str), ("fit", str)):
        if not isinstance(meta.get(key), kind) or isinstance(meta.get(key), bool):
            raise ValueError(f"its fact '{key}' is missing or of another type")
    if not 0 < meta["cells"] <= _MOST:
        raise ValueError(f"it holds {meta['cells']} cells")
    return meta


class Artefact:
    """The four files of a folder; each is read when first needed.

    Args:
        folder: where they lie.
        enumeration: checksum of the order of the cells that the caller will use ids of.
    Raises:
        ConfigError: if a file is missing or damaged, or was made for another order of the cells or another
            fit.
    """

    def __init__(self, folder: Path, enumeration: str) -> None:
        self.folder = folder
        arrays, self.meta = _read(folder / PREDICTIONS)
        if self.meta["enumeration"] != enumeration:
            raise ConfigError(
                f"the surrogate in {folder} belongs to another enumeration of the cells "
                f"({self.meta['enumeration']}, not "
                f"{enumeration}); fit it again with `make surrogate`."
            )
        self.predictions = np.stack([arrays["best_of_3"], arrays["mean"]], axis=1)
        self.early = np.stack([arrays[f"early_{index}"] for index in range(3)], axis=1)
        self.seconds = arrays["seconds"]
        self._runs: np.ndarray | None = None
        self._early_runs: np.ndarray | None = None

    def _same_fit(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays, meta = _read(self.folder / name)
        if (meta["fit"], meta["cells"]) != (self.meta["fit"], self.meta["cells"]):
            raise ConfigError(
                f"the surrogate's files in {self.folder} come from different fits; reinstall the package."
            )
        return arrays, meta

    def _on_grid(self, counts: np.ndarray, name: str) -> np.ndarray:
        if not 0 <= counts.min() <= counts.max() <= GRID:
            raise ConfigError(
                f"the surrogate's file {self.folder / name} is damaged (accuracies outside [0, 1]); "
                "reinstall the package."
            )
        return counts.astype(np.uint16)

    @property
    def runs(self) -> np.ndarray:
        """uint16[n, 3, 2]: frozen runs at 108 epochs, (validation, test), on the grid."""
        if self._runs is None:
            differences = _unpack(**self._same_fit(RUNS)[0]).reshape(-1, 2, 3)
            validation = differences[:, 0] + _on_grid(self.predictions[:, 1])[:, None]
            self._runs = self._on_grid(np.stack([validation, validation + differences[:, 1]], axis=2), RUNS)
        return self._runs

    @property
    def early_runs(self) -> np.ndarray:
        """uint16[n, 3, 3]: frozen validation at (4, 12, 36) epochs, three runs each, on the grid."""
        if self._early_runs is None:
            differences = _unpack(**self._same_fit(EARLY_RUNS)[0]).reshape(-1, 3, 3)
            self._early_runs = self._on_grid(differences + _on_grid(self.early)[:, :, None], EARLY_RUNS)
        return self._early_runs

    @cached_property
    def noise(self) -> Noise:
        """What other tables are drawn from."""
        arrays, meta = self._same_fit(NOISE)
        try:
            return _noise(arrays, meta)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"the surrogate's file {self.folder / NOISE} is damaged ({shown(error)}); reinstall the "
                "package."
            ) from None

    @cached_property
    def checksum(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the three files that the frozen table is read
        from."""
        digest = hashlib.sha256()
        for name in (PREDICTIONS, RUNS, EARLY_RUNS):
            digest.update((self.folder / name).read_bytes())
        return digest.hexdigest()[:16]
