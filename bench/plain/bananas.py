"""Plain twins of BANANAS's parts: one network in NumPy and torch, the acquisition, the path encoding, written
from the equations."""

from __future__ import annotations

import numpy as np

Network = list[tuple[np.ndarray, np.ndarray]]


def unpack(params: np.ndarray, features: int, width: int, layers: int, units: int) -> Network:
    """The weight matrices [inputs, outputs] and biases [outputs] of a network held as the fast code holds it,
    padding left out."""
    out, at = [], 0
    for layer in range(layers):
        inputs = features if layer == 0 else width
        weights = params[at : at + inputs * units].reshape(inputs, units)[:, :width]
        bias = params[at + inputs * units : at + (inputs + 1) * units][:width]
        out.append((weights.astype(np.float64), bias.astype(np.float64)))
        at += (inputs + 1) * units
    return [
        *out,
        (
            params[at : at + width, None].astype(np.float64),
            params[at + units : at + units + 1].astype(np.float64),
        ),
    ]


def forward(network: Network, x: np.ndarray) -> np.ndarray:
    """Predictions [n] for x [n, F]: ReLU layers, then a linear one."""
    for weights, bias in network[:-1]:
        x = np.maximum(x @ weights + bias, 0)
    weights, bias = network[-1]
    return (x @ weights + bias)[:, 0]


def train(
    network: Network,
    x: np.ndarray,
    targets: np.ndarray,
    orders: np.ndarray,
    batch: int,
    loss: str,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> Network:
    """Adam (Kingma & Ba 2015, algorithm 1, with the corrections folded into the rate) by torch's autograd, in
    double precision."""
    import torch

    tensors = [torch.tensor(part, requires_grad=True) for layer in network for part in layer]
    first, second = [torch.zeros_like(p) for p in tensors], [torch.zeros_like(p) for p in tensors]
    inputs, wanted = torch.tensor(x, dtype=torch.float64), torch.tensor(targets, dtype=torch.float64)
    step = 0
    for order in orders:
        for begin in range(0, len(order), batch):
            rows = torch.tensor(order[begin : begin + batch].astype(np.int64))
            h = inputs[rows]
            for weights, bias in zip(tensors[:-2:2], tensors[1:-2:2]):
                h = torch.relu(h @ weights + bias)
            error = (h @ tensors[-2] + tensors[-1])[:, 0] - wanted[rows]
            value = error.abs().mean() if loss == "mae" else (error**2).mean()
            grads = torch.autograd.grad(value, tensors)
            step += 1
            corrected = rate * np.sqrt(1 - beta2**step) / (1 - beta1**step)
            with torch.no_grad():
                for p, m, v, g in zip(tensors, first, second, grads):
                    m.mul_(beta1).add_((1 - beta1) * g)
                    v.mul_(beta2).add_((1 - beta2) * g * g)
                    p.sub_(corrected * m / (v.sqrt() + epsilon))
    parts = [p.detach().numpy() for p in tensors]
    return list(zip(parts[::2], parts[1::2]))


def thompson(generator: np.random.Generator, predictions: np.ndarray, k: int) -> np.ndarray:
    """Indices of the k candidates with the smallest draws from N(mean, SD over members) of predictions [E,
    C], smallest first."""
    mean, spread = predictions.mean(axis=0), predictions.std(axis=0)
    draws = np.array([m + s * generator.standard_normal() for m, s in zip(mean, spread)])
    return np.argsort(draws, kind="stable")[:k]


def paths(matrix: np.ndarray, operations: list[int], choices: int) -> set[int]:
    """Indices of the input-output paths of a graph by their operations: 0 for the direct one, then all of
    length 1, 2, ... in turn."""
    found = set()
    stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while stack:
        vertex, ops = stack.pop()
        if vertex == len(matrix) - 1:
            found.add(
                sum(choices**length for length in range(len(ops)))
                + sum(op * choices**i for i, op in enumerate(ops))
            )
            continue
        for following in np.flatnonzero(matrix[vertex]).tolist():
            inner = following < len(matrix) - 1
            stack.append((following, (*ops, operations[following - 1]) if inner else ops))
    return found
