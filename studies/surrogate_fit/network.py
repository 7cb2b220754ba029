"""A graph network over cells: bidirectional message passing, one head a target.

Notation and shapes
    N, B         cells, cells in a batch; V, G  vertex and global features; d  width; K  targets
    vertex       float32[N, 7, V]; empty slots are zero
    edges        float32[N, 14, 7]: rows 2v and 2v+1 hold the predecessors and the successors of vertex v, so
                 that one batched product gives both messages side by side
    targets      float32[N, K], standardised; NaN where there is none

A layer is h <- h + relu(norm(W [h_v, sum of predecessors, sum of successors])).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class NetworkSettings:
    """Hyperparameters of one network and of its fit."""

    width: int = 96
    layers: int = 5
    epochs: int = 42
    batch: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 0.1
    warmup: float = 0.05
    average: float = 0.995  # of the weights, an exponential moving average
    huber: float = 1.0  # in units of the target's standard deviation
    dropout: float = 0.1  # of what each layer adds


class CellNetwork(nn.Module):
    """Predicts the standardised targets of cells; see the module's notation."""

    def __init__(
        self, vertex_features: int, global_features: int, targets: int, settings: NetworkSettings
    ) -> None:
        super().__init__()
        d = settings.width
        self.embed = nn.Linear(vertex_features, d)
        self.mix = nn.ModuleList(nn.Linear(3 * d, d) for _ in range(settings.layers))
        self.norm = nn.ModuleList(nn.LayerNorm(d) for _ in range(settings.layers))
        self.drop = nn.Dropout(settings.dropout)
        self.read = nn.Sequential(
            nn.Linear(3 * d + global_features, 2 * d), nn.ReLU(), nn.Linear(2 * d, targets)
        )

    def forward(self, vertex: torch.Tensor, edges: torch.Tensor, overall: torch.Tensor) -> torch.Tensor:
        batch, slots, _ = vertex.shape
        present = (vertex[:, :, :5].sum(dim=2, keepdim=True) > 0).to(vertex.dtype)
        h = torch.relu(self.embed(vertex)) * present
        for mix, norm in zip(self.mix, self.norm, strict=True):
            messages = torch.bmm(edges, h).view(batch, slots, -1)
            h = h + self.drop(torch.relu(norm(mix(torch.cat([h, messages], dim=2))))) * present
        pooled = torch.cat([h.sum(dim=1) / 4.0, h[:, -1], h[:, 0], overall], dim=1)
        output: torch.Tensor = self.read(pooled)
        return output


def edge_matrix(adjacency: np.ndarray) -> np.ndarray:
    """Predecessors and successors interleaved, float32[N, 14, 7], from adjacency bool[N, 7, 7]."""
    stacked = np.stack([adjacency.transpose(0, 2, 1), adjacency], axis=2)
    return stacked.reshape(len(adjacency), 14, 7).astype(np.float32)


def _loss(output: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, huber: float) -> torch.Tensor:
    known = ~torch.isnan(target)
    error = torch.nn.functional.huber_loss(
        output, torch.where(known, target, output.detach()), delta=huber, reduction="none"
    )
    return (error * weight).sum() / len(target)


def fit_network(
    vertex: np.ndarray,
    edges: np.ndarray,
    overall: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    settings: NetworkSettings,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> CellNetwork:
    """Fit one network; deterministic given the seed on one thread.

    Args:
        vertex, edges, overall, targets: as in the module's notation.
        weights: float32[K], the weight of each target in the loss.
        progress: called with one line every few epochs.
    Returns:
        The network with its weights averaged over the last steps, in evaluation mode.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    tensors = [
        torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in (vertex, edges, overall, targets)
    ]
    weight = torch.from_numpy(np.asarray(weights, dtype=np.float32))
    count = len(targets)
    network = CellNetwork(vertex.shape[2], overall.shape[1], targets.shape[1], settings)
    averaged = {name: value.detach().clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
    )
    steps_per_epoch = count // settings.batch
    steps = steps_per_epoch * settings.epochs
    warm = max(1, int(settings.warmup * steps))
    step = 0
    started = time.perf_counter()
    for epoch in range(settings.epochs):
        order = torch.randperm(count, generator=generator)
        running = 0.0
        for index in range(steps_per_epoch):
            rows = order[index * settings.batch : (index + 1) * settings.batch]
            v, e, g, t = (tensor[rows] for tensor in tensors)
            share = (
                min(1.0, (step + 1) / warm)
                * 0.5
                * (1 + math.cos(math.pi * max(0.0, step - warm) / (steps - warm)))
            )
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * share
            optimizer.zero_grad(set_to_none=True)
            loss = _loss(network(v, e, g), t, weight, settings.huber)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            step += 1
            decay = min(settings.average, step / (step + 10.0))
            with torch.no_grad():
                current = network.state_dict()
                torch._foreach_lerp_(list(averaged.values()), [current[name] for name in averaged], 1 - decay)
            running += float(loss.detach())
        if progress is not None and (epoch % 4 == 3 or epoch + 1 == settings.epochs):
            seconds = time.perf_counter() - started
            progress(
                f"epoch {epoch + 1}/{settings.epochs}  loss {running / steps_per_epoch:.4f}  {seconds:.0f} s"
            )
    network.load_state_dict(averaged)
    return network.eval()


def predict_network(
    network: CellNetwork, vertex: np.ndarray, edges: np.ndarray, overall: np.ndarray, batch: int = 2048
) -> np.ndarray:
    """The network's standardised predictions, float32[N, K]."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(vertex), batch):
            piece = slice(start, start + batch)
            parts.append(
                network(
                    *(torch.from_numpy(np.ascontiguousarray(a[piece])) for a in (vertex, edges, overall))
                ).numpy()
            )
    return np.concatenate(parts)
