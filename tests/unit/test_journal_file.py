"""The journal as a file: what is no journal stays as it is, a crash costs the line that it cuts, damage is
named, and no journal ever hands out a value that was not written."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas_bench_suite import ConfigError
from nas_bench_suite.journal import Journal, Measured

IDENTITY: dict[str, Any] = {
    "optimizer": "RandomSearch",
    "settings": {"rate": 0.5},
    "benchmark": "objective",
    "function": "training.train",
    "protocol": {"run": "single_same", "cost": "query"},
    "budget": 10,
    "trials": 2,
    "first_trial": 0,
    "seed": 1,
}
OLD_IDENTITY = {name: value for name, value in IDENTITY.items() if name not in ("settings", "function")}
ADDED: list[tuple[int, int, list[int], int, int, Measured]] = [
    (0, 1, [0, 1, 2], 108, 0, Measured(0.9, 0.8875, 12.25)),
    (1, 1, [2, 1, 0], 108, 2, Measured(1.0, float("nan"), 1e-3)),
    (0, 2, [10, 0, 3], 12, 1, Measured(float("nan"), float("nan"), 3.5, "ValueError: it diverg\u00e9d\n")),
    (1, 2, [0, 0, 0], 108, -1, Measured(1 / 3, 0.0, 0.0)),
]
KEPT = {(trial, query): (values, values.reason) for trial, query, *_, values in ADDED}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def add(journal: Journal, index: int) -> None:
    trial, query, architecture, fidelity, run, values = ADDED[index]
    journal.add(trial, query, np.array(architecture), fidelity, run, values)


def written(path: Path, count: int = len(ADDED)) -> bytes:
    path.unlink(missing_ok=True)
    with Journal(path, IDENTITY) as journal:
        for index in range(count):
            add(journal, index)
    return path.read_bytes()


def old_format() -> bytes:
    """The same evaluations as the first version wrote them."""
    lines: list[dict[str, Any]] = [{"journal": OLD_IDENTITY}]
    for trial, query, architecture, fidelity, run, values in ADDED:
        names = ("validation", "test", "seconds")
        found = {name: None if value != value else value for name, value in zip(names, values)}
        place = {
            "trial": trial,
            "query": query,
            "architecture": architecture,
            "fidelity": fidelity,
            "run": run,
        }
        lines.append({**place, **found})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def check_kept(journal: Journal) -> int:
    """Every evaluation that the journal holds is one that was added. Returns how many it holds."""
    for index, (trial, query, architecture, fidelity, run, values) in enumerate(ADDED):
        if (trial, query) in journal.entries:
            found = journal.find(trial, query, np.array(architecture), fidelity, run)
            assert found is not None
            np.testing.assert_array_equal(found, values, err_msg=str(index))
            assert found.reason in (values.reason, "")
    assert journal.entries.keys() <= KEPT.keys()
    return len(journal.entries)


def open_damaged(path: Path, content: bytes) -> int | None:
    """How many evaluations the damaged file still gives, None if it is refused; it is left as it is."""
    path.write_bytes(content)
    try:
        with Journal(path, IDENTITY) as journal:
            kept = check_kept(journal)
    except ConfigError as error:
        sentence = str(error)
        assert str(path) in sentence and "accepted:" in sentence and "\n" not in sentence
        kept = None
    assert path.read_bytes() == content
    return kept


FOREIGN = {
    "text": b"hello\nworld\n",
    "one word": b"hello",
    "empty object": b"{}",
    "empty object, a line": b"{}\n",
    "list": b"[]\n",
    "null": b"null\n",
    "number": b"3",
    "blank": b"\n",
    "zeros": bytes(100),
    "binary": bytes(range(256)) * 4,
    "not unicode": b'{"journal": "\xff"}\n',
    "parquet": b"PAR1\x15\x04\x15\x10\x15\x14L\x15\x02\x15\x00\x12\x00PAR1",
    "csv": b"a,b,validation\n0,1,0.5\n",
    "json": b'{"trial": 0, "query": 1}\n',
    "nested": b"[" * 100_000,
    "nested journal": b'{"journal": ' + b'{"a": ' * 100_000 + b"\n",
    "other journal": b'{"journal": 3}\n',
    "journal of nothing": b'{"journal": {}}\n',
    "beginning of another": b'{"journal": {"optimizer": "TPE", "settings": {',
    "head in one line": b'{"journal": ' + json.dumps(OLD_IDENTITY).encode() + b"}",
    "format 3": b'{"journal": ' + json.dumps(IDENTITY).encode() + b', "format": 3}\n',
    "format text": b'{"journal": ' + json.dumps(IDENTITY).encode() + b', "format": "2"}\n',
    "no checksum": b'{"journal": ' + json.dumps(IDENTITY).encode() + b', "format": 2}\n',
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_file_that_is_no_journal_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    assert open_damaged(tmp_path / "file", content) is None
    assert os.listdir(tmp_path) == ["file"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1))
def test_any_bytes_are_left_as_they_are(tmp_path: Path, content: bytes) -> None:
    beginning = content == b"{"  # the only short beginning of a head
    assert open_damaged(tmp_path / "file", content) == (0 if beginning else None)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    huge = tmp_path / "huge"
    with open(huge, "wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "text").write_text("hello")
    for path, says in (
        (tmp_path, "it is a directory"),
        (Path("/dev/null"), "it is a device"),
        (pipe, "it is a named pipe"),
        (loop, "Too many levels|Symlink loop|File exists"),
        (huge, "no journal"),
        (tmp_path / "text" / "journal", "Not a directory|File exists"),
        (tmp_path / ("x" * 300), "File name too long"),
        (Path("a\0b"), "embedded null"),
    ):
        with pytest.raises(ConfigError, match=says):
            Journal(path, IDENTITY)
    assert pipe.is_fifo() and huge.stat().st_size == 1 << 40


def test_an_empty_file_is_a_new_journal_and_an_unused_one_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "journal"
    Journal(path, IDENTITY).close()
    assert not path.exists()
    path.touch()
    Journal(path, IDENTITY).close()
    assert path.read_bytes() == b""
    written(path)
    with Journal(path, IDENTITY) as journal:
        assert check_kept(journal) == len(ADDED)
    assert os.listdir(path.parent) == ["journal"], "no lock file stays behind"


def test_cut_at_every_byte_it_goes_on_to_the_same_file(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole")
    ends = [place - 1 for place in range(1, len(whole) + 1) if whole[:place].endswith(b"\n")]
    path = tmp_path / "cut"
    for place in range(len(whole) + 1):
        for after in (b"", bytes(7)) if place % 5 == 0 and not whole[:place].endswith(b"\n") else (b"",):
            if after and not place:
                continue  # a file of zeros alone is no journal
            kept = open_damaged(path, whole[:place] + after)
            assert kept == max(0, sum(end <= place for end in ends) - 1), "a line is whole without its end"
            with Journal(path, IDENTITY) as journal:
                for index in range(kept, len(ADDED)):
                    add(journal, index)
            if kept == len(ADDED):
                assert path.read_bytes().rstrip(b"\0") == whole[:place]
            else:
                assert path.read_bytes() == whole


def test_no_flipped_byte_gives_a_wrong_value(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole")
    refused = 0
    for place, byte in enumerate(whole):
        for other in {byte ^ 1, (byte ^ 128, 10, 0, ord("0"), ord('"'))[place % 5]} - {byte}:
            kept = open_damaged(tmp_path / "flipped", whole[:place] + bytes([other]) + whole[place + 1 :])
            # a zero in place of the last line's end is what a power failure leaves
            assert kept is None or (place, other, kept) == (len(whole) - 1, 0, len(ADDED))
            refused += kept is None
    assert refused > 1.7 * len(whole)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_gives_a_wrong_value(tmp_path: Path, data: st.DataObject) -> None:
    """Pieces are removed, repeated, moved and replaced, in a journal of either format that was continued."""
    path = tmp_path / "journal"
    content = written(tmp_path / "whole")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        stop = data.draw(st.integers(start, min(len(content), start + 300)))
        line = content.splitlines(keepends=True)
        piece = data.draw(
            st.one_of(st.binary(max_size=4), st.just(content[start:stop] * 2), st.sampled_from([b"", *line]))
        )
        content = content[:start] + piece + content[stop:]
    kept = open_damaged(path, content)
    if kept is not None:
        with Journal(path, IDENTITY) as journal:
            for index in range(len(ADDED)):
                if ADDED[index][:2] not in journal.entries:
                    add(journal, index)
        with Journal(path, IDENTITY) as journal:
            assert check_kept(journal) == len(ADDED)


def test_damage_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    lines = written(path).splitlines(keepends=True)
    changed = lines[2].replace(b'"query": 1', b'"query": 3')
    for content, says in (
        ([*lines[:2], changed, *lines[3:]], "line 3, is damaged: its checksum differs"),
        ([*lines[:2], *lines[3:]], "line 3, is damaged: its checksum differs"),
        ([*lines[:2], lines[1], *lines[2:]], "line 3, is damaged: its checksum differs"),
        ([*lines[:3], b"hello\n", *lines[3:]], "line 4, is damaged: it does not end with its checksum"),
        ([*lines, lines[1].rstrip() + b"x"], "line 6, is damaged"),
        ([*lines, b"hello"], "line 6, is damaged"),
        ([lines[0].replace(b'"format": 2', b'"format": 1'), *lines[1:]], "line 1, is damaged"),
        ([lines[0].replace(b'"seed": 1', b'"seed": 7'), *lines[1:]], "line 1, is damaged"),
    ):
        assert open_damaged(path, b"".join(content)) is None
        with pytest.raises(ConfigError, match=says):
            Journal(path, IDENTITY)
    # lines may be removed from the end
    assert open_damaged(path, b"".join(lines[:3])) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trial": 2}, "trial is 2; the search has trials 0 to 1"),
        ({"trial": True}, "trial is true, not a whole number"),
        ({"trial": -1}, "trial is -1, less than 0"),
        ({"query": 0}, "query is 0, less than 1"),
        ({"query": 1.0}, "query is 1.0, not a whole number"),
        ({"architecture": []}, "architecture is"),
        ({"architecture": [0, -1]}, "architecture is negative"),
        ({"architecture": [0, "1"]}, "architecture is"),
        ({"fidelity": "108"}, "fidelity is"),
        ({"run": -2}, "run is -2"),
        ({"validation": 93.1}, r"validation is 93.1, outside \[0, 1\]"),
        ({"validation": "0.9"}, 'validation is "0.9", not a number or null'),
        ({"test": -0.1}, r"test is -0.1, outside \[0, 1\]"),
        ({"seconds": -1}, "seconds are -1"),
        ({"seconds": 1e999}, "Infinity is no number"),
        ({"validation": float("nan")}, "NaN is no number"),
        ({"reason": "lost"}, "a validation accuracy and a reason"),
        ({"reason": 3, "validation": None}, "reason is 3, not text"),
        ({"more": 3}, "more is no member"),
        ({"seconds": ...}, "it has no seconds"),
        ({"trial": 0, "query": 2}, "trial 0, query 2 is there already"),
    ],
)
def test_wrong_members_of_an_entry_are_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """In the first format, which has no checksums to find them."""
    path = tmp_path / "journal"
    lines = old_format().splitlines()
    entry = {name: value for name, value in (json.loads(lines[1]) | change).items() if value is not ...}
    lines[1] = json.dumps(entry).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    number = 4 if "already" in says else 2
    with pytest.raises(ConfigError, match=f"line {number}, is damaged: .*{says}"):
        Journal(path, IDENTITY)
    assert path.read_bytes() == b"\n".join(lines) + b"\n"


def test_the_first_format_is_read_and_continued(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    lines = old_format().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    with Journal(path, IDENTITY) as journal:
        assert check_kept(journal) == 2
        add(journal, 2)
        add(journal, 3)
    content = path.read_bytes()
    assert content.startswith(b"".join(lines[:3])), "what was there is there still"
    with Journal(path, IDENTITY) as journal:
        assert check_kept(journal) == 4
    # the checksums of the new lines cover the old ones
    assert open_damaged(path, content.replace(b"0.8875", b"0.8876")) is None
    for place in range(len(b"".join(lines[:3])), len(content) - 1):
        assert (
            open_damaged(path, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]) is None
        )
    for missing in ("budget", "protocol"):
        head = {"journal": {name: value for name, value in OLD_IDENTITY.items() if name != missing}}
        path.write_text(json.dumps(head) + "\n")
        with pytest.raises(ConfigError, match=f"another search \\(its {missing} differs\\)"):
            Journal(path, IDENTITY)


def test_another_search_is_named_with_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path)
    for change, says in (
        ({"budget": 11}, r"\(its budget differs\): budget is 10 there and 11 here"),
        ({"function": "training.other"}, r"\(its function differs\): function is training.train there"),
        ({"settings": {"rate": 0.25}}, r"\(its settings differs\): settings.rate is 0.5 there and 0.25 here"),
        ({"seed": 2, "budget": 3}, r"\(its budget, seed differ\)"),
        ({"new": 2}, r"\(its new differs\): new is None there"),
    ):
        with pytest.raises(ConfigError, match=says):
            Journal(path, IDENTITY | change)


def test_a_value_that_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    content = written(path, 2)
    with Journal(path, IDENTITY) as journal:
        for trial, query, values in (
            (0, 2, (93.0, 0.5, 1.0)),
            (0, 1, (0.5, 0.5, 1.0)),
            (5, 1, (0.5, 0.5, 1.0)),
        ):
            with pytest.raises(ConfigError, match="cannot be written to journal"):
                journal.add(trial, query, np.array([0]), 1, 0, values)
    assert path.read_bytes() == content


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_stops_half_way_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    whole = written(tmp_path / "whole")
    path = tmp_path / "journal"
    write = os.write

    def stops(descriptor: int, content: memoryview) -> int:
        write(descriptor, bytes(content)[: len(content) // 2])
        raise error

    with Journal(path, IDENTITY) as journal:
        for index in range(len(ADDED)):
            with monkeypatch.context() as patch:
                patch.setattr(os, "write", stops)
                with pytest.raises((ConfigError, KeyboardInterrupt)):
                    add(journal, index)
            with monkeypatch.context() as patch:
                patch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:50]))
                add(journal, index)
    assert path.read_bytes() == whole


HOLD = """
import json, os, sys, time
import numpy as np
from nas_bench_suite.journal import Journal
path, identity, forks = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "fork"
journal = Journal(path, identity)
child = os.fork() if forks else -1
if child == 0:
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
for query in range(1, 10**9):
    journal.add(0, query, np.array([query]), 1, 0, (0.5, 0.5, 1.0))
"""


@pytest.mark.parametrize("fork", [False, True])
def test_one_process_at_a_time_and_a_killed_one_lets_go(tmp_path: Path, fork: bool) -> None:
    path = tmp_path / "journal"
    command = [sys.executable, "-c", HOLD, str(path), json.dumps(IDENTITY), "fork" if fork else "alone"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    child = -1
    try:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        began = time.monotonic()
        with pytest.raises(ConfigError, match="is in use by another process") as refusal:
            Journal(path, IDENTITY)
        assert time.monotonic() - began < 5, "it does not wait"
        if sys.platform == "linux":
            assert f"(pid {process.pid})" in str(refusal.value)
        while path.stat().st_size < 2000:
            time.sleep(0.01)
        process.kill()
        process.wait()
        with Journal(path, IDENTITY) as journal:
            queries = sorted(query for _, query in journal.entries)
            assert queries == list(range(1, len(queries) + 1)) and len(queries) > 5
    finally:
        if child > 0:
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.communicate()


def test_one_journal_at_a_time_in_one_process(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, IDENTITY) as journal:
        with pytest.raises(ConfigError, match=r"is in use by (this|another) process"):
            Journal(path, IDENTITY)
        add(journal, 0)
    with Journal(path, IDENTITY) as journal:
        assert check_kept(journal) == 1
        journal.close()
        Journal(path, IDENTITY).close()
