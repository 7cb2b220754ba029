"""Result files: everything that a number is read from is covered by a checksum and tied to its place."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from nas_bench_suite import ConfigError, Protocol
from nas_bench_suite import job as job_module
from nas_bench_suite.job import run_job
from nas_bench_suite.results import Block, Manifest, Run, find_runs, manifest_digest, write_whole
from tests.laws.collect import composed


def study(folder: Path, **changes: Any) -> Run:
    """Two blocks of three trials of random search, on disk."""
    config = composed("optimizer=random", "benchmark=planted") | {
        "budget": 5,
        "trials": 6,
        "trials_per_block": 3,
        "output_dir": str(folder),
    }
    run_job(config | changes, "random", "planted")
    return next(run for run in find_runs(folder) if run.folder.name.startswith("5-"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return study(tmp_path)


def key(run: Run) -> str:
    return run.folder.name.rpartition("-")[2]


def test_a_changed_digit_of_the_ledger_is_noticed(run: Run) -> None:
    """Whatever digit of whatever number: the manifest's own checksum covers all of it."""
    block = run.blocks()[0]
    text = block.manifest_path.read_text()
    held = block.check(key(run))
    assert held["ledger"]["trial"] == [0, 1, 2]
    for match in re.finditer(r"\d", text):
        at = match.start()
        changed = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
        block.manifest_path.write_text(changed)
        if json.loads(changed) == json.loads(text):  # 1e-05 and 1e-5: the same number in other digits
            continue
        with pytest.raises(ConfigError, match=r"(damaged|no manifest|another block).*run the job again\."):
            block.check(key(run))
    block.manifest_path.write_text(text)
    assert block.check(key(run)) == held


def test_every_byte_of_a_query_file_counts(run: Run) -> None:
    block = run.blocks()[0]
    content = block.path.read_bytes()
    for at in range(0, len(content), 97):
        block.path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ConfigError, match="is damaged"):
            block.queries()
    block.path.write_bytes(content)


def swap(a: Path, b: Path) -> None:
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


@pytest.mark.parametrize("endings", [("parquet",), ("json",), ("parquet", "json")])
def test_swapped_blocks_are_named_and_computed_anew(
    run: Run, tmp_path: Path, endings: tuple[str, ...]
) -> None:
    first, second = run.blocks()
    expected = [block.path.read_bytes() for block in (first, second)]
    for ending in endings:
        swap(first.path.with_suffix(f".{ending}"), second.path.with_suffix(f".{ending}"))
    for block in (first, second):
        with pytest.raises(ConfigError, match=r"(describes another block|damaged)"):
            block.check(key(run))
    study(tmp_path)
    assert [block.path.read_bytes() for block in (first, second)] == expected


@pytest.mark.parametrize("content", [None, b"", b"{a: ", b"\xff", b"budget: 5"])
def test_a_missing_or_damaged_config_is_written_beside_complete_blocks(
    run: Run, tmp_path: Path, content: bytes | None
) -> None:
    path = run.folder / "config.yaml"
    expected = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError):
        run.config()
    study(tmp_path)
    assert path.read_bytes() == expected


@pytest.mark.parametrize("name", ["config.yaml", "trials-000000-000002.json", "trials-000000-000002.parquet"])
@pytest.mark.parametrize("kind", ["/dev/zero", "pipe", "itself"])
def test_what_is_no_regular_file_is_named_and_replaced(
    run: Run, tmp_path: Path, name: str, kind: str
) -> None:
    """A device has no end, and a pipe without a writer makes its reader wait."""
    path = run.folder / name
    expected = (run.folder / "trials-000000-000002.parquet").read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "itself" else kind)
    with pytest.raises(ConfigError, match=f"{re.escape(name)} cannot be read"):
        run.config()
        run.blocks()[0].check(key(run))
    study(tmp_path)
    assert path.is_file() and not path.is_symlink()
    assert (run.folder / "trials-000000-000002.parquet").read_bytes() == expected
    run.blocks()[0].check(key(run))


def test_a_block_of_another_configuration_is_named(run: Run, tmp_path: Path) -> None:
    other = study(tmp_path / "other", seed=1)
    block = run.blocks()[0]
    for path in (block.path, block.manifest_path):
        path.write_bytes((other.folder / path.name).read_bytes())
    with pytest.raises(ConfigError, match="results of another configuration"):
        block.check(key(run))


def test_a_manifest_of_the_first_format_is_read(run: Run) -> None:
    """It has no checksum of its own, and may name no key."""
    block = run.blocks()[0]
    manifest: dict[str, Any] = json.loads(block.manifest_path.read_text())
    expected = manifest["ledger"]
    for gone in ("sha256", "key"):
        del manifest[gone]
    manifest["format"] = 1
    block.manifest_path.write_text(json.dumps(manifest, indent=1))
    assert block.check(key(run))["ledger"] == expected


def test_the_checksum_depends_on_content_alone(run: Run) -> None:
    manifest: Manifest = run.blocks()[0].manifest()
    shuffled = dict(sorted(manifest.items(), key=lambda item: item[0][::-1]))
    assert manifest_digest(manifest) == manifest_digest(shuffled) == manifest["sha256"]


def test_left_overs_of_processes_that_are_gone_are_removed(run: Run, tmp_path: Path) -> None:
    """Also where the names of host and file hold hyphens and digits; those of living processes stay."""
    target = run.folder / "a-1-b-2.txt"
    write_whole(target, b"whole")
    partial = _interrupted(target)
    gone = partial.with_name(partial.name.replace(str(os.getpid()), "999999999"))
    gone.write_bytes(b"half")
    partial.write_bytes(b"half")
    study(tmp_path)
    assert not gone.exists() and partial.exists()
    gone.write_bytes(b"half")
    write_whole(target, b"again")
    assert target.read_bytes() == b"again" and not list(run.folder.glob(".partial-*"))


def _interrupted(target: Path) -> Path:
    """The path of the partial file while `target` is written."""
    seen: list[Path] = []

    def stop(descriptor: int) -> None:
        seen.extend(target.parent.glob(".partial-*"))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_bench_suite.results.os.fsync", stop)
        with pytest.raises(KeyboardInterrupt):
            write_whole(target, b"half")
    assert not list(target.parent.glob(".partial-*")), "an interrupt leaves nothing behind"
    return seen[0]


def test_a_new_key_of_the_protocol_leads_to_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result key takes the protocol's keys from its dataclass: none can be forgotten."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Extended(Protocol):
        breaks: str = "none"

        def __post_init__(self) -> None:
            pass

    plain = study(tmp_path / "plain")
    folders = set()
    for value in ("none", "tea"):
        monkeypatch.setattr(job_module, "make_protocol", lambda options, value=value: Extended(breaks=value))
        folders.add(study(tmp_path / value).folder.name)
    assert len(folders | {plain.folder.name}) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first_trial": 2**31 - 1}, r"first_trial \+ trials reaches trial 2,147,483,6\d\d.*accepted: up to"),
        (
            {"budget": 10**10},
            r"budget=10000000000 is out of range; accepted: a whole number in \[1, 2147483647\]",
        ),
        ({"budget": 10**9}, r"need about [\d,]+ GB of memory, and this machine has"),
        ({"trials": 10**9, "budget": 150}, r"are 150,000,000,\d00 queries and need about 1,800 GB"),
        ({"output_dir": None}, r"output_dir=None is no path; accepted: the path of a folder"),
        ({"output_dir": ["x"]}, r"output_dir=\['x'\] is no path"),
        ({"output_dir": "a" * 5000}, r"cannot be (used|written): File name too long"),
        ({"output_dir": "/dev/null"}, r"cannot be (used|written): Not a directory"),
    ],
)
def test_what_cannot_end_well_is_refused_before_it_starts(
    changes: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "search", lambda *args, **kwargs: pytest.fail("a search was started"))
    with pytest.raises(ConfigError, match=words) as caught:
        study(tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_blocks_lie_on_an_absolute_grid() -> None:
    block = Run(Path("folder")).block(50, 25)
    assert block == Block(Path("folder"), 50, 74) and block.path.name == "trials-000050-000074.parquet"
