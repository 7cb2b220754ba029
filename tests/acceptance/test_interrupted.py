"""Law 4: killed at any moment, by a signal or a full disk, the same command finishes with the same query
files."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from nas_bench_suite.results import manifest_digest
from tests.terminal import start

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


class Interrupted:
    """How a command ended that a signal interrupted."""

    def __init__(self, process: subprocess.Popen[str], number: int, group: bool, again: bool) -> None:
        children = psutil.Process(process.pid).children(recursive=True)
        for wait in (0.0, 0.1) if again else (0.0,):
            time.sleep(wait)
            if process.poll() is None:
                (os.killpg if group else os.kill)(process.pid, number)
        _, self.err = process.communicate(timeout=60)
        self.code = process.returncode
        _, self.orphans = psutil.wait_procs(children, timeout=5)


def interrupt(
    words: Sequence[str], ready: Callable[[], bool], number: int = signal.SIGINT, *, again: bool = False
) -> Interrupted:
    """Start a command, wait until it is ready and send the signal: Ctrl-C to all its processes, as a terminal
    does, SIGTERM to itself."""
    process = start(words, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return Interrupted(process, number, number == signal.SIGINT, again)


def blocks(folder: Path, count: int) -> Callable[[], bool]:
    return lambda: len(files(folder)) >= count


@pytest.mark.parametrize(
    ("words", "number", "again"),
    [
        ((), signal.SIGINT, True),
        ((), signal.SIGTERM, False),
        (("workers=2",), signal.SIGINT, False),
        (("-m", "seed=0,1"), signal.SIGINT, False),
        (("-m", "seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"), signal.SIGINT, True),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else str(int(value)),
)
def test_a_signal_ends_it_with_one_line(
    words: tuple[str, ...], number: int, again: bool, tmp_path: Path
) -> None:
    line = [*command(tmp_path, "trials=20000", *words)[1:]]
    ended = interrupt(line, blocks(tmp_path, 2), number, again=again)
    expected = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}[
        signal.Signals(number)
    ]
    # As a shell shows it: with the joblib launcher a second Ctrl-C may end the process by the signal itself.
    code = ended.code if ended.code >= 0 or not again else 128 - ended.code
    assert code == expected[0], ended.err
    assert ended.err == f"{expected[1]}; the same command goes on from the last finished block.\n"
    assert not ended.orphans and not list(tmp_path.rglob(".partial-*"))
    keys = {path.split("/")[2] for path in files(tmp_path)}
    assert len(keys) == 1 or "hydra/launcher=joblib" in words, "the next job began"


@pytest.mark.parametrize("module", ["run", "analysis"])
def test_ctrl_c_while_it_imports(module: str, tmp_path: Path) -> None:
    """As soon as the first line of the project has run; before that, Python itself answers."""
    words = command(tmp_path)[1:] if module == "run" else ["-m", "analysis", "tables"]
    traced = ["-X", "importtime", *words]
    process = start(traced)
    assert process.stderr is not None
    for seen in process.stderr:
        if seen.rstrip().endswith("nas_bench_suite.process"):
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    rest = [line for line in process.stderr.read().splitlines() if not line.startswith("import time:")]
    assert process.wait(timeout=60) == 130 and rest == ["interrupted"]


def test_an_interrupt_of_the_analysis_ends_the_job_that_it_runs(tmp_path: Path) -> None:
    words = ("-m", "analysis", "tables", "--output-dir", str(tmp_path), "--trials", "5000")
    ended = interrupt(words, blocks(tmp_path, 1))
    assert (ended.code, ended.orphans) == (130, [])
    assert ended.err == "interrupted; the same command goes on from the last finished block.\n"
    assert not list(tmp_path.rglob(".partial-*"))


def test_a_worker_that_is_killed_is_named_and_its_block_tried_once_more(tmp_path: Path) -> None:
    long = ("budget=2000", "trials_per_block=500")  # half a second or more for each block
    line = command(tmp_path / "killed", "workers=2", *long)
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while not (workers and files(tmp_path)) and time.monotonic() < deadline:
        with suppress(psutil.Error):  # one that ends just now
            children = psutil.Process(process.pid).children()
            workers = [child for child in children if "popen_loky" in " ".join(child.cmdline())]
        time.sleep(0.005)
    time.sleep(0.3)  # both compute: one that dies between two blocks has lost nothing, and nothing is said
    workers[0].kill()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    said = [line for line in err.splitlines() if " left" not in line]  # no line of progress
    assert len(said) == 1 and "was killed" in err and "and tried once more" in err, err
    subprocess.run(command(tmp_path / "right", *long), check=True, capture_output=True)
    assert files(tmp_path / "killed") == files(tmp_path / "right")
