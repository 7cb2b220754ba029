"""Damaged result files: the analysis names them or reads the right numbers, and the same job mends them.

A small study of two runs (two seeds, four blocks each) is made once and copied for each case.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.result import scan
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.experiments import compose
from nas_bench_suite.job import run_job
from tests.torture.tables import mutated

SEEDS = (0, 1)
Contents = dict[str, bytes]


def config(folder: Path, seed: int) -> dict[str, Any]:
    """The job whose results are damaged."""
    small = {"budget": 20, "trials": 12, "trials_per_block": 3, "seed": seed, "output_dir": str(folder)}
    return compose({"optimizer": "random", "benchmark": "planted"}) | small


def contents(folder: Path) -> Contents:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Damage:
    """A copy of the study and what is done to it."""

    name: str
    damage: Callable[[random.Random, Path], None]

    def run(self, rng: random.Random, folder: Path) -> str:
        study = _study(folder.parent)
        right = contents(study)
        out = folder / "out"
        shutil.copytree(study, out)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            self.damage(rng, out)
        sentences = check_scan(out, study)
        changed = [
            name
            for name, content in right.items()
            if name not in (now := contents(out)) or now[name] != content
        ]
        foreign = {name: content for name, content in contents(out).items() if name not in right}
        answer = "ok"
        for seed in SEEDS:
            try:
                found = run_job(config(out, seed), "random", "planted")
            except ConfigError:
                answer = "refused"
                continue
            expected = run_job(config(study, seed), "random", "planted")
            for column, values in expected.ledger.items():
                if column == "optimizer_seconds":  # of a block that was made anew
                    continue
                assert np.array_equal(values, found.ledger[column], equal_nan=values.dtype.kind == "f"), (
                    column
                )
        mended = contents(out)
        queries = [name for name in right if name.endswith(".parquet")]
        if answer == "ok":
            wrong = [name for name in queries if mended.get(name) != right[name]]
            assert not wrong, f"not made anew: {wrong}"
            left = check_scan(out, study, timings=False)
            places = [str(Path(name).with_suffix("")) for name in foreign]
            extra = [sentence for sentence in left if not any(place in sentence for place in places)]
            assert not extra, f"named after the job was run again: {extra}"
        lost = [name for name in foreign if mended.get(name) != foreign[name]]
        assert not lost, f"foreign files were changed: {lost}"
        assert answer == "ok" or sentences or not changed, "refused, but the analysis named nothing"
        return answer


def check_scan(out: Path, study: Path, timings: bool = True) -> list[str]:
    """Hold what the analysis reads against the study as it was made, without the `timings` where blocks were
    made anew. Returns its sentences."""
    sentences: list[str] = []
    right = {
        (result.run.folder.relative_to(study), block.first, block.last): block
        for result in scan(study)
        for block in result.blocks
    }
    for result in scan(out, sentences.append):
        for block in result.blocks:
            place = (result.run.folder.relative_to(out), block.first, block.last)
            assert place in right, f"a block from nowhere: {place}"
            for found, expected in (
                (block.queries(), right[place].queries()),
                (block.ledger(), right[place].ledger()),
            ):
                assert list(found) == list(expected)
                for name, values in expected.items():
                    if name == "optimizer_seconds" and not timings:
                        continue
                    floats = values.dtype.kind == "f"
                    assert np.array_equal(values, found[name], equal_nan=floats), f"wrong numbers in {name}"
    for sentence in sentences:
        assert sentence.endswith(".") and "Traceback" not in sentence, sentence
    return sentences


def files(rng: random.Random) -> Iterator[Damage]:
    """Endless random damage to files."""
    while True:
        damage = rng.choice((_bytes, _bytes, _cut, _swap, _remove, _copy, _extra, _folder, _link))
        yield Damage(damage.__name__.strip("_"), damage)


def manifests(rng: random.Random) -> Iterator[Damage]:
    """Endless random edits of manifests, as JSON, under a checksum that stays as it was."""
    while True:
        yield Damage("edited manifest", _edit)


def _study(folder: Path) -> Path:
    """The study, made once for a folder of cases."""
    study = folder / "study"
    if not study.exists():
        for seed in SEEDS:
            run_job(config(folder / "making", seed), "random", "planted")
        os.replace(folder / "making", study)
    return study


def _any(rng: random.Random, out: Path) -> Path:
    return rng.choice(sorted(path for path in out.rglob("*") if path.is_file() and not path.is_symlink()))


def _bytes(rng: random.Random, out: Path) -> None:
    path = _any(rng, out)
    path.write_bytes(mutated(rng, path.read_bytes()))


def _cut(rng: random.Random, out: Path) -> None:
    path = _any(rng, out)
    content = path.read_bytes()
    path.write_bytes(content[: rng.choice((0, rng.randrange(len(content) + 1)))])


def _swap(rng: random.Random, out: Path) -> None:
    first, second = _any(rng, out), _any(rng, out)
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


def _remove(rng: random.Random, out: Path) -> None:
    _any(rng, out).unlink()


def _copy(rng: random.Random, out: Path) -> None:
    source, target = _any(rng, out), _any(rng, out)
    if source != target:
        shutil.copy(source, target)


def _extra(rng: random.Random, out: Path) -> None:
    """A file that nobody asked for, with a name like those of results or any other."""
    names = (
        "trials-000000-000009.parquet",
        "trials-000012-000014.json",
        "trials-000099-000011.parquet",
        "trials-0-2.parquet",
        "notes.txt",
        ".partial-notes",
        ".partial-1-abc-x",
        "trials-000000-000002.parquet.bak",
    )
    content = rng.choice((b"", b"{}", rng.randbytes(50), _any(rng, out).read_bytes()))
    (_any(rng, out).parent / rng.choice(names)).write_bytes(content)


def _folder(rng: random.Random, out: Path) -> None:
    path = _any(rng, out)
    path.unlink()
    path.mkdir()


def _link(rng: random.Random, out: Path) -> None:
    """A file that is a link to itself, to nowhere or to a device."""
    path = _any(rng, out)
    path.unlink()
    path.symlink_to(rng.choice((path.name, "nowhere", "/dev/null")))


def _edit(rng: random.Random, out: Path) -> None:
    path = rng.choice(sorted(out.rglob("trials-*.json")))
    try:
        manifest = json.loads(path.read_bytes())
    except ValueError:
        return
    odd: tuple[Any, ...] = (None, 0, 1, -1, 0.5, 1e308, 10**30, "x", "", [], {}, [1], True, float("nan"))
    where: Any = manifest
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        inner = [value for value in _values(where) if isinstance(value, (dict, list)) and value]
        if inner:
            where = rng.choice(inner)
    if not where:
        return
    key = rng.choice(list(where) if isinstance(where, dict) else range(len(where)))
    kind = rng.randrange(4)
    if kind == 0:
        del where[key]
    elif kind == 1 and isinstance(where[key], (int, float)):
        where[key] += rng.choice((1, -1, 0.001))
    elif kind == 2 and isinstance(where, list):
        rng.shuffle(where)
    else:
        where[key] = rng.choice(odd)
    path.write_text(json.dumps(manifest, indent=rng.choice((None, 1))))


def _values(where: Any) -> list[Any]:
    return list(where.values()) if isinstance(where, dict) else list(where)
