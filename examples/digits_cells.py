"""Training of one NASBench-101 cell on scikit-learn's digits: what `train_cells.py` searches.

In a module of its own, so that worker processes can import it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import nn

from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space

SPACE = NASBench101Space()
CHANNELS, EPOCHS, BATCH = 12, 8, 64


class Cell(nn.Module):
    """A NASBench-101 cell: vertices add up their inputs (the cell's input through a 1x1 projection), the
    output concatenates."""

    def __init__(self, matrix: np.ndarray, ops: list[str], channels: int) -> None:
        super().__init__()
        self.matrix = torch.as_tensor(matrix, dtype=torch.bool)
        self.last = len(ops) - 1
        self.entry = nn.ModuleDict(
            {str(v): conv(channels, channels, 1) for v in range(1, self.last) if matrix[0, v]}
        )
        self.ops = nn.ModuleDict({str(v): operation(ops[v], channels) for v in range(1, self.last)})
        ends = sum(int(matrix[v, self.last]) for v in range(1, self.last))
        self.merge = conv(ends * channels, channels, 1) if ends else None
        self.skip = conv(channels, channels, 1) if matrix[0, self.last] else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: dict[int, torch.Tensor] = {}
        for v in range(1, self.last):
            inputs = [values[u] for u in range(1, v) if self.matrix[u, v]]
            if self.matrix[0, v]:
                inputs.append(self.entry[str(v)](x))
            values[v] = self.ops[str(v)](torch.stack(inputs).sum(dim=0))
        ends = [values[v] for v in range(1, self.last) if self.matrix[v, self.last]]
        parts = [self.merge(torch.cat(ends, dim=1))] if self.merge is not None else []
        if self.skip is not None:
            parts.append(self.skip(x))
        return torch.stack(parts).sum(dim=0)


def conv(inputs: int, outputs: int, size: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def operation(name: str, channels: int) -> nn.Module:
    if name.startswith("maxpool"):
        return nn.MaxPool2d(3, stride=1, padding=1)
    return conv(channels, channels, 1 if "1x1" in name else 3)


def network(architecture: np.ndarray) -> nn.Module:
    """Stem, cell, down-sampling, cell with twice the resolution's channels, global pooling, classifier."""
    matrix, ops = SPACE.graph(architecture)
    return nn.Sequential(
        conv(1, CHANNELS, 3), Cell(matrix, ops, CHANNELS), nn.MaxPool2d(2), Cell(matrix, ops, CHANNELS),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, 10),
    )  # fmt: skip


@lru_cache(maxsize=1)
def digits() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """1,797 images of 8 x 8 pixels, split into 1,000 for training, 400 for validation and the rest for the
    test."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x = torch.as_tensor(images[order] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.as_tensor(labels[order])
    return {
        name: (x[a:b], y[a:b])
        for name, a, b in (("train", 0, 1000), ("validation", 1000, 1400), ("test", 1400, len(y)))
    }


def train(architecture: np.ndarray) -> tuple[float, float]:
    """Train one cell and return its validation and test accuracy. Deterministic: the seed is the cell's
    id."""
    torch.set_num_threads(1)
    torch.manual_seed(int(SPACE.cell_id(architecture)))
    model = network(architecture)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    x, y = digits()["train"]
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(y)), BATCH):
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    model.eval()
    with torch.no_grad():
        validation, test = (
            (model(x).argmax(dim=1) == y).float().mean().item()
            for x, y in (digits()["validation"], digits()["test"])
        )
    return validation, test
