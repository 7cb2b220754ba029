"""Figures as they are printed: their width, their type, their names, and what is said about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text
from PIL import Image

from analysis.axes import DPI, ONE, RC, SMALLEST, TWO, apart, spread
from analysis.figure_data import FigureData, all_figures
from analysis.figures import DRAWINGS, draw_all
from analysis.material import Material
from analysis.result import scan
from analysis.selection import Study
from tests.unit.analysis_samples import own_settings, write_run

LABELS = {"random": 0.0, "remaade": 0.004, "tpe": 0.0041, "nasbot": 0.0042, "regularized_evolution": 0.002}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("outputs")
    for label, shift in LABELS.items():
        write_run(folder, label, shift=shift, settings=own_settings(label))
    return Material(Study(scan(folder), trials=20))


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    matplotlib.use("Agg")
    with plt.rc_context(RC):
        yield
    plt.close("all")


def drawn(material: Material) -> list[FigureData]:
    return [data for data in all_figures(material) if not data.frame.empty]


@pytest.mark.parametrize("width", [ONE, TWO])
def test_type_is_large_enough_in_print(material: Material, width: float) -> None:
    for data in drawn(material):
        figure = DRAWINGS[data.kind](data, width)
        figure.canvas.draw()
        assert figure.get_figwidth() <= TWO
        texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        small = [text.get_text() for text in texts if float(text.get_fontsize()) < SMALLEST]
        assert texts and not small, f"{data.name}: {small}"
        for axis in figure.axes:  # nothing is cut off
            for text in (axis.xaxis.label, axis.yaxis.label, axis.title, *axis.texts):
                box, whole = Text.get_window_extent(text), figure.bbox
                inside = min(box.x0, box.y0, whole.x1 - box.x1, whole.y1 - box.y1) > -1
                assert inside or not text.get_text(), f"{data.name}: {text.get_text()}"
        # nothing about commits or seeds in the picture
        assert not any(re.search("commit|seed|0123456", text.get_text()) for text in texts), data.name


def test_every_curve_is_named_once_at_its_end(material: Material) -> None:
    data = next(data for data in drawn(material) if data.name == "curves_test_150")
    figure = DRAWINGS[data.kind](data, ONE)
    figure.canvas.draw()
    (axis,) = figure.axes
    names = [text.get_text() for text in axis.texts]
    assert sorted(names) == sorted(["Random Search", "ReMAADE", "TPE", "NASBOT", "Reg Evolution"])
    boxes = [Text.get_window_extent(text) for text in axis.texts]  # without the lines to the curves
    for i, one in enumerate(boxes):
        assert one.x1 <= figure.bbox.x1 + 1, names[i]  # nothing is cut off
        for other in boxes[:i]:
            assert min(one.y1, other.y1) - max(one.y0, other.y0) < 1.5  # nor covered
    assert axis.get_legend() is None
    for line in axis.lines:
        every: Any = line.get_markevery()
        assert every[-1] == len(np.asarray(line.get_xdata())) - 1  # markers reach the end


def test_what_is_said_stands_beside_the_picture(material: Material, tmp_path: Path) -> None:
    written, _ = draw_all(material, tmp_path, ONE, ["curves_test_150"])
    (path,) = written
    said = path.with_suffix(".txt").read_text()
    assert said.startswith("DRAFT. curves_test_150: ") and "a surrogate" in said and "01234567" in said
    picture = Image.open(path)
    assert picture.info["Description"] == said.strip() and picture.size[0] == pytest.approx(ONE * DPI, abs=2)
    assert path.with_suffix(".csv").read_text().startswith(",label,x,mean,low,high\n")
    before = path.read_bytes(), path.with_suffix(".pdf").read_bytes()
    draw_all(material, tmp_path, ONE, ["curves_test_150"])
    assert before == (path.read_bytes(), path.with_suffix(".pdf").read_bytes())  # equal results, equal files
    assert (imread(path)[-1, :, :3] == 1).all()


def test_places_are_moved_apart() -> None:
    assert apart([0.0, 0.5, 1.0], 0.1, 0, 1) == pytest.approx([0.0, 0.5, 1.0])
    moved = apart([0.5, 0.5, 0.51, 0.9], 0.1, 0, 1)
    assert min(np.diff(moved)) > 0.1 - 1e-6 and moved[-1] == pytest.approx(0.9, abs=0.05)
    assert apart([1.0, 1.0], 0.3, 0, 1) == pytest.approx([0.7, 1.0], abs=1e-6)
    assert apart([0.1] * 5, 0.5, 0, 1) == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])  # no room
    assert spread(np.arange(1.0, 151.0))[-1] == 149 and spread(np.array([])) == []
