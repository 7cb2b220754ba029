"""The pictures of policies that learn and of where methods search: watching a search does not change it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas_bench_suite import load_benchmark, search
from optimizers.reinforce import Reinforce
from studies.method_pictures import policy, search_map
from studies.method_pictures.policy import Data, Watched, rows_of


def test_watching_changes_nothing() -> None:
    benchmark = load_benchmark("planted")
    watched = Watched(policy="made", batch_size=10)
    seen = search(watched, benchmark, budget=60, trials=1, seed=3)
    plain = search(Reinforce(policy="made", batch_size=10), benchmark, budget=60, trials=1, seed=3)
    for name, column in plain.queries.items():
        np.testing.assert_array_equal(column, seen.queries[name])
    assert len(watched.seen) == len(watched.batches) + 1 == 7
    shares, rows = watched.seen[-1], rows_of(benchmark.space)
    assert len(shares) == len(rows) == 5 + 5 * 3
    for i in range(5, 10):  # the shares of a variable's choices add up
        total = sum(share for share, (variable, _, _) in zip(shares, rows) if variable == i)
        assert total == pytest.approx(1)


def test_still_and_animation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"edge_{i}" for i in range(4)] + [f"op_1: {word}" for word in "abc"]
    data = Data(
        names,
        {name: rng.random((6, 7)) for name in policy.POLICIES},
        {name: rng.random(5) + 6 for name in policy.POLICIES},
    )
    figure = policy.draw(data)
    figure.savefig(tmp_path / "still.png", dpi=80)
    assert len(figure.axes) == 7  # three maps, three curves and the bar of colours
    policy.animate(data, tmp_path / "moving.gif")
    moving = Image.open(tmp_path / "moving.gif")
    assert getattr(moving, "n_frames", 1) >= 3


def test_the_map() -> None:
    rng = np.random.default_rng(0)
    matrix = np.triu(np.ones((4, 4), dtype=int), 1)
    data = search_map.Data(
        rng.normal(size=(50, 2)),
        rng.random(50) + 6,
        30,
        {label: rng.integers(0, 50, 20) for label in search_map.methods()},
        7,
        (matrix, ["input", "conv3x3", "maxpool3x3", "output"]),
    )
    figure = search_map.draw(data)
    figure.canvas.draw()
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 5 and titles[-1] == f"best cell met\n{data.errors[7]:.2f} %"
