"""Law 4: killed at any moment, by a signal or a full disk, the same command finishes with the same query
files."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from nas_bench_suite.results import manifest_digest

ROOT = Path(__file__).parents[2]
WORDS = ("optimizer=random", "benchmark=planted", "budget=400", "trials=3000", "trials_per_block=250")


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "run.py"), *WORDS, f"output_dir={folder}", *more]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("trials-*.parquet")}


def test_killed_three_times_and_finished(tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(command(undisturbed), check=True, capture_output=True)
    expected = files(undisturbed)
    assert len(expected) == 12
    for kill in range(3):
        process = subprocess.Popen(command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(files(killed)) < 2 * (kill + 1) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        done = files(killed)
        assert 0 < len(done) < 12 and all(expected[name] == content for name, content in done.items())
    subprocess.run(command(killed), check=True, capture_output=True)
    assert files(killed) == expected
    assert not list(killed.rglob(".partial-*"))


def test_workers_write_the_same_files(tmp_path: Path) -> None:
    words = ("trials=500",)
    subprocess.run(command(tmp_path / "one", *words), check=True, capture_output=True)
    subprocess.run(command(tmp_path / "two", *words, "workers=2"), check=True, capture_output=True)
    assert files(tmp_path / "one") == files(tmp_path / "two") != {}


def test_a_file_that_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: both fail in the middle of a write."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(command(tmp_path), capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 2 and "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not files(tmp_path) and not list(tmp_path.rglob(".partial-*"))
    subprocess.run(command(tmp_path, "trials=250"), check=True, capture_output=True)
    assert len(files(tmp_path)) == 1


def test_damaged_and_foreign_files_are_named_and_made_anew(tmp_path: Path) -> None:
    words = ("trials=500",)
    subprocess.run(command(tmp_path, *words), check=True, capture_output=True)
    expected = files(tmp_path)
    first, second = sorted(tmp_path.rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-100])
    done = subprocess.run(command(tmp_path, *words), capture_output=True, text=True)
    assert done.returncode == 0 and f"{first} is damaged" in done.stderr and files(tmp_path) == expected
    # Results of other code: reused with a warning while complete, never mixed with new blocks.
    for path in (first, second):
        manifest = json.loads(path.with_suffix(".json").read_text())
        manifest["source_hash"] = "other code"
        manifest["sha256"] = manifest_digest(manifest)
        path.with_suffix(".json").write_text(json.dumps(manifest))
    done = subprocess.run(command(tmp_path, *words), capture_output=True, text=True)
    assert done.returncode == 0 and "made by another version of the code and is reused" in done.stderr
    second.unlink()
    done = subprocess.run(command(tmp_path, *words), capture_output=True, text=True)
    assert done.returncode == 0 and "are made anew" in done.stderr and files(tmp_path) == expected
    assert not [path for path in tmp_path.rglob("*.json") if "other code" in path.read_text()]
    # Results of another configuration: never taken for this one's.
    subprocess.run(command(tmp_path / "elsewhere", *words, "seed=1"), check=True, capture_output=True)
    for path in sorted((tmp_path / "elsewhere").rglob("trials-*")):
        (first.parent / path.name).write_bytes(path.read_bytes())
    shutil.rmtree(tmp_path / "elsewhere")
    done = subprocess.run(command(tmp_path, *words), capture_output=True, text=True)
    assert (
        done.returncode == 0
        and "holds results of another configuration" in done.stderr
        and files(tmp_path) == expected
    )
