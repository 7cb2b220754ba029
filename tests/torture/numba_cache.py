"""Damaged compiled kernels: they are compiled anew, and the search gives the right bytes."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.kills import ROOT, files
from tests.torture.tables import mutated

SMALL = ("optimizer=random", "benchmark=planted", "budget=20", "trials=4")
LONGEST = 240.0  # seconds of one command: all kernels may be compiled


def run(out: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """The search, with its kernels in a folder of their own."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *SMALL, f"output_dir={out}"],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )


@dataclass(frozen=True)
class Cache:
    """Some files of the cache damaged in one way."""

    kind: str

    @property
    def name(self) -> str:
        return self.kind

    def run(self, rng: random.Random, folder: Path) -> str:
        kept, right = folder.parent / "cache", folder.parent / "right"
        if not right.exists():
            done = run(right, kept)
            assert done.returncode == 0, done.stderr
        cache = folder / "cache"
        shutil.copytree(kept, cache)
        found = sorted(path for path in cache.rglob("*.nb?") if path.is_file())
        assert found
        for path in rng.sample(found, rng.choice((1, 1, 2, 3))):
            self._damage(rng, path, rng.choice(found))
        done = run(folder / "out", cache)
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr[-2000:]
        assert files(folder / "out") == files(right), "other query files"
        return "ok"

    def _damage(self, rng: random.Random, path: Path, other: Path) -> None:
        content = path.read_bytes()
        if self.kind == "bytes":
            path.write_bytes(mutated(rng, content))
        elif self.kind == "cut":
            path.write_bytes(content[: rng.choice((0, rng.randrange(len(content))))])
        elif self.kind == "swap":
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
        elif self.kind == "remove":
            path.unlink()
        elif self.kind == "folder":
            path.unlink()
            path.mkdir()
        else:
            path.write_bytes(rng.randbytes(200))


def cases(rng: random.Random) -> Iterator[Cache]:
    """Endless random damage."""
    while True:
        yield Cache(rng.choice(("bytes", "bytes", "cut", "swap", "remove", "folder", "foreign")))
