"""Disks and paths that do not play along: one sentence, nothing half written, and the same command finishes
where it can. Root may write to read-only folders, so those are tried by other users alone."""

from __future__ import annotations

import os
import random
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nas_bench_suite import process
from nas_bench_suite.cli import main
from nas_bench_suite.experiments import CONF
from tests.torture.forked import ROOT, Done, call, check, command
from tests.torture.kills import files

SMALL = ("optimizer=random", "benchmark=planted", "budget=200", "trials=20", "trials_per_block=5")
KINDS = ("size", "size", "output", "place", "place", "in_the_way", "in_the_way")
LEAST = 2000  # bytes that fit all that a command prints


@dataclass(frozen=True)
class Disk:
    """One fault."""

    kind: str

    @property
    def name(self) -> str:
        return self.kind

    def run(self, rng: random.Random, folder: Path) -> str:
        done: Done = getattr(self, f"_{self.kind}")(rng, folder)
        answer = check(done, folder)
        for path in folder.rglob("trials-*.parquet"):
            if path.is_file() and path.stat().st_size:
                assert path.with_suffix(".json").exists(), "a query file without its manifest"
        return answer

    def _size(self, rng: random.Random, folder: Path) -> Done:
        """No file may grow past a limit, as on a full disk; then the same command on a good one."""
        out, right = folder / "out", folder.parent / "right"
        if not right.exists():
            assert command([*SMALL, f"output_dir={right}"], folder).code == 0
        limit = rng.randrange(LEAST, 12_000)

        def run() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            sys.argv = [str(ROOT / "run.py"), *SMALL, f"output_dir={out}"]
            main(CONF)

        done = call(run, folder)
        again = command([*SMALL, f"output_dir={out}"], folder)
        assert again.code == 0, again.err
        assert files(out) == files(right), "other query files than undisturbed"
        return done

    def _output(self, rng: random.Random, folder: Path) -> Done:
        """Standard output goes to a full or closed place: the results are there, and the exit code tells."""
        full = rng.random() < 0.5

        def run() -> None:
            if full:
                os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
            else:
                os.close(1)
                sys.stdout = None  # as Python starts then
                process.fill_closed_streams()  # as the command's first import does
            sys.argv = [str(ROOT / "run.py"), *SMALL, f"output_dir={folder / 'out'}"]
            main(CONF)

        done = call(run, folder)
        assert len(files(folder / "out")) == 4, f"the results are not complete:\n{done.err}"
        assert done.code == 2, f"exit code {done.code}"
        return done

    def _place(self, rng: random.Random, folder: Path) -> Done:
        """An output_dir that can be no folder."""
        (folder / "file").write_text("kept")
        (folder / "circle").symlink_to(folder / "circle")
        (folder / "nowhere").symlink_to(folder / "gone" / "away")
        os.mkfifo(folder / "pipe")
        places = [
            *("/dev/null", "/dev/full", "/proc/nothing", "/proc/self/mem", "x" * 300, "x/" * 2500),
            *(str(folder / name) for name in ("file", "circle", "pipe")),
        ]
        if os.geteuid():
            (folder / "locked").mkdir(mode=0o500)
            places.append(str(folder / "locked"))
        place = rng.choice(places) + rng.choice(("", "", "/below", "/a/b/c"))
        done = command([*SMALL, f"output_dir={place}"], folder, cwd=folder)
        assert done.code == 2, "it was accepted"
        assert (folder / "file").read_text() == "kept"
        return done

    def _in_the_way(self, rng: random.Random, folder: Path) -> Done:
        """Something else lies where a folder or file of results goes."""
        out = folder / "out"
        words = [*SMALL, f"output_dir={out}"]
        assert command(words, folder).code == 0
        right = files(out)
        paths = sorted(out.rglob("*"))
        path = rng.choice(paths)
        os.rename(path, folder / "aside")
        kind = rng.randrange(4)
        if kind == 0:
            path.write_bytes(b"")
        elif kind == 1:
            path.mkdir()
            (path / "something").write_text("kept")
        elif kind == 2:
            path.symlink_to(rng.choice((path, "/dev/full", folder / "nowhere")))
        else:
            os.symlink(folder / "aside", path)
        done = command(words, folder)
        if done.code == 0:
            assert {name: files(out).get(name) for name in right} == right, "other query files"
        if kind == 1 and path.is_dir():
            assert (path / "something").read_text() == "kept"
        return done


def cases(rng: random.Random) -> Iterator[Disk]:
    """Endless random faults."""
    while True:
        yield Disk(rng.choice(KINDS))
