"""Objectives that take a while, in a module that worker processes can import."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from nas_bench_suite import CategoricalSpace, grid, ordered

SPACE = CategoricalSpace(
    {
        "op": ["conv", "pool", "skip"],
        "width": ordered([16, 32, 64, 128]),
        "lr": grid(1e-4, 1e-1, 7, log=True),
        "layers": [1, 2],
        "width_2": ordered([16, 32]),
    },
    valid=lambda c: c["op"] != "skip" or c["width"] == 16,
    same_as=lambda c: c if c["layers"] > 1 else c | {"width_2": 16},
    name="slow",
)


def loss(configuration: dict[str, Any]) -> float:
    """In [0, 3.7]; 0 at conv, 64, 1e-2."""
    miss = {"conv": 0.0, "pool": 0.5, "skip": 1.0}[configuration["op"]]
    return float(miss + abs(configuration["width"] - 64) / 64 + abs(configuration["lr"] - 0.01) * 10)


def waits(configuration: dict[str, Any]) -> float:
    """Takes 0.7 to 1.3 seconds."""
    time.sleep(1 + 0.3 * ((configuration["width"] + len(configuration["op"])) % 3 - 1))
    return loss(configuration)


def hurries(configuration: dict[str, Any]) -> float:
    time.sleep(0.005 * (configuration["width"] % 48) / 16)
    return loss(configuration)


def faulty(configuration: dict[str, Any]) -> float:
    """Fails on `pool` until the file that $FIXED names exists."""
    if configuration["op"] == "pool" and not Path(os.environ["FIXED"]).exists():
        raise RuntimeError("a bug")
    return loss(configuration)
