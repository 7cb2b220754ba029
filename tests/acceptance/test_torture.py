"""A short seeded part of the campaign: the classes whose cases are quick, and the runner itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.__main__ import CLASSES, campaign, one

# class -> cases
QUICK = {
    "results": 3,
    "manifests": 3,
    "journals": 3,
    "shared_journals": 3,
    "pickles": 3,
    "disk": 2,
    "writers": 1,
}


@pytest.mark.parametrize("name", QUICK)
def test_seeded_cases(name: str, tmp_path: Path) -> None:
    failed = []
    for number in range(QUICK[name]):
        answer, what = one(name, 20, number, tmp_path / name)
        if answer == "failed":
            failed.append(f"{name}:{number}: {what}")
    assert not failed, "\n".join(failed)


def test_a_failing_case_is_counted_named_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(rng: object) -> object:
        raise RuntimeError("a case that cannot be made")

    monkeypatch.setitem(CLASSES, "pickles", broken)
    assert campaign(["pickles"], 5, 60, tmp_path, (0, 1)) == 1
    said = capsys.readouterr().out
    assert "| pickles | 2 | 0 | 0 |" in said and "--seed 5 --only pickles:1" in said
