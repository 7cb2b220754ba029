"""Who leads, and how the report says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.curves import expected_ranks, few_points
from analysis.material import Material
from analysis.report.headline import doubts, headline, joined
from analysis.report.svg import tag
from analysis.result import scan
from analysis.selection import Study
from analysis.standing import Standing, standing, standings, unresolved
from analysis.style import DARK_GROUND, LEGIBLE, STYLES, contrast, on_dark
from tests.unit.analysis_samples import own_settings, write_run


def ranked(folder: Path, **shifts: float) -> Standing:
    for label, shift in shifts.items():
        write_run(folder, label, shift=shift, settings=own_settings(label))
    return standing(Material(Study(scan(folder), trials=20)), list(shifts), 150)


def test_ranks_by_hand() -> None:
    a = np.array([[1.0], [3.0]])
    b = np.array([[2.0], [2.0], [4.0]])
    c = np.array([[9.0]])
    # P(b below a): a = 1 none, a = 3 two of three; so 1/3 on average, and c never is
    np.testing.assert_allclose(expected_ranks([a, b, c])[:, 0], [1 + 1 / 3, 1 + 2 / 3, 3])
    np.testing.assert_allclose(expected_ranks([a, a])[:, 0], [1.5, 1.5])  # ties count half
    assert np.isnan(expected_ranks([a, np.array([[np.nan], [1.0]])])).all()
    assert few_points(3).tolist() == [1, 2, 3] and few_points(3200)[-1] == 3200


def test_ranks_add_up() -> None:
    rng = np.random.default_rng(0)
    ranks = expected_ranks([rng.normal(size=(50, 4)) for _ in range(5)])
    np.testing.assert_allclose(ranks.sum(axis=0), 15)


def test_places(tmp_path: Path) -> None:
    found = ranked(tmp_path, random=0.0, remaade=0.004, tpe=0.002, bananas=0.0041)
    assert [place.label for place in found.places][-1] == "random"
    assert {place.label for place in found.first} == {"remaade", "bananas"}
    place = next(place for place in found.places if place.label == "tpe")
    assert place.comparison is not None and place.comparison.difference < 0
    assert place.printed is not None and place.printed.difference == pytest.approx(6.43 - 6.36)
    assert place.band is None and found.random is not None and found.random.comparison is None
    sentence = headline([found])[0]
    leader = found.places[0]
    assert sentence.startswith(f"After 150 queries {leader.name} leads, 0.")
    assert "not resolved from" in sentence


def test_draws_give_a_band(tmp_path: Path) -> None:
    for draw in (1, 2, 3):
        options = {"edge_limit": "pruned", "draw": draw}
        for label, shift in (("random", 0.0), ("remaade", 0.003 * draw)):
            write_run(tmp_path, label, shift=shift, settings=own_settings(label), options=options)
    found = ranked(tmp_path, random=0.0, remaade=0.004)
    place = found.places[0]
    assert place.draws is not None and len(place.draws.differences) == 4
    assert place.band is not None and place.band.low < place.draws.difference < place.band.high
    words = doubts(Study(scan(tmp_path), trials=20), [found], True)
    assert any(word.endswith("ahead of random search on 4 of 4") for word in words)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    study = Study([], trials=20)
    nothing = standings(Material(study))
    assert headline(nothing) == [] and "nothing was run at 150 queries" in doubts(study, nothing, False)
    alone = ranked(tmp_path, random=0.0)
    assert headline([alone])[0].startswith("After 150 queries there is Random Search alone")
    without = ranked(tmp_path / "other", remaade=0.0, tpe=0.004)
    assert headline([without])[0].endswith("random search was not run.")
    worse = ranked(tmp_path / "worse", random=0.004, tpe=0.0)
    assert "no method is ahead of random search" in headline([worse])[0]
    assert unresolved({}) == set()


def test_words() -> None:
    assert [joined(names) for names in ([], ["A"], ["A", "B"], ["A", "B", "C"])] == [
        "", "A", "A and B", "A, B and C",
    ]  # fmt: skip
    assert tag("text", "&lt;", class_="a", font_size=2.0) == '<text class="a" font-size="2">&lt;</text>'


@pytest.mark.parametrize("label", STYLES)
def test_colours_are_seen_in_the_dark(label: str) -> None:
    assert contrast(on_dark(STYLES[label].color), DARK_GROUND) >= LEGIBLE
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
