"""A standard stream that is closed, full or no longer read: the results are on disk, and the exit code
tells."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nas_bench_suite import process
from nas_bench_suite.cli import main
from nas_bench_suite.experiments import CONF
from tests.torture.forked import NEVER_SEEN, Done, call

SMALL = ("benchmark=planted", "optimizer=random", "budget=5", "trials=2")


def full(number: int) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), number)


def closed(number: int) -> None:
    os.close(number)
    setattr(sys, {1: "stdout", 2: "stderr"}[number], None)
    process.fill_closed_streams()  # as a command does before its other imports


def unread(number: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, number)


def run(folder: Path, lose: Callable[[int], None], numbers: tuple[int, ...], *words: str) -> Done:
    def function() -> None:
        for number in numbers:
            lose(number)
        sys.argv = ["run.py", *SMALL, f"output_dir={folder / 'out'}", *words]
        main(CONF)

    done = call(function, folder)
    assert not any(words in done.err + done.out for words in NEVER_SEEN), done.err
    return done


@pytest.mark.parametrize("words", [(), ("-m", "seed=0,1")], ids=["one job", "-m"])
@pytest.mark.parametrize(
    ("lose", "code", "sentence"),
    [
        (full, 2, "standard output cannot be written (No space left on device); the results are complete."),
        (closed, 2, "standard output cannot be written (it is closed); the results are complete."),
        (unread, process.PIPE_CLOSED, ""),
    ],
)
def test_standard_output(
    lose: Callable[[int], None], code: int, sentence: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(tmp_path, lose, (1,), *words)
    assert (done.code, done.err) == (code, f"error: {sentence}\n" if sentence else "")
    assert len(list(tmp_path.rglob("*.parquet"))) == (2 if words else 1)


@pytest.mark.parametrize("lose", [full, closed, unread])
def test_standard_error(lose: Callable[[int], None], tmp_path: Path) -> None:
    assert run(tmp_path, lose, (2,)).code == 0
    assert run(tmp_path, lose, (2,), "budget=x").code == 2


@pytest.mark.parametrize("lose", [full, closed, unread])
def test_both(lose: Callable[[int], None], tmp_path: Path) -> None:
    assert run(tmp_path, lose, (1, 2)).code != 0 and len(list(tmp_path.rglob("*.parquet"))) == 1


def test_help_into_a_full_disk(tmp_path: Path) -> None:
    assert run(tmp_path, full, (1,), "--help").code == 2
