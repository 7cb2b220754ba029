"""Ensembles of small networks for T trials: every trial's every member is initialised, trained and asked in
one compiled call.

Notation: T trials, E members, n examples and C questions a trial (each trial has its own numbers), F features
of which at most K differ from zero. `mlp` holds what happens to one network. Trials do not meet: a trial's
networks depend on its examples and its generator alone, so they are bit for bit the same whichever trials are
trained beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_choice, check_float, check_int
from optimizers.parts import mlp

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-7  # BANANAS's second beta; Keras's epsilon


@dataclass(frozen=True)
class Sparse:
    """Feature vectors [..., F] by their entries other than zero: index int32[..., K], value float32[..., K],
    count int64[...]."""

    index: np.ndarray
    value: np.ndarray
    count: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, ...], most: int) -> Sparse:
        """All-zero vectors, with room for `most` entries each."""
        return cls(
            np.zeros((*shape, most), np.int32),
            np.zeros((*shape, most), np.float32),
            np.zeros(shape, np.int64),
        )

    @classmethod
    def of(cls, dense: np.ndarray) -> Sparse:
        """From float32[..., F]."""
        flat = np.ascontiguousarray(dense, dtype=np.float32).reshape(-1, dense.shape[-1])
        count = np.count_nonzero(flat, axis=1)
        out = cls.empty((len(flat),), max(1, int(count.max(initial=0))))
        _compress(flat, out.index, out.value, out.count)
        return cls(
            *(
                column.reshape(*dense.shape[:-1], *column.shape[1:])
                for column in (out.index, out.value, out.count)
            )
        )

    def widened(self, most: int) -> Sparse:
        """The same vectors with room for at least `most` entries each."""
        more = most - self.index.shape[-1]
        if more <= 0:
            return self
        pad = [(0, 0)] * (self.index.ndim - 1) + [(0, more)]
        return Sparse(np.pad(self.index, pad), np.pad(self.value, pad), self.count)


@dataclass(frozen=True)
class Ensemble:
    """The networks' shape and training.

    Attributes:
        networks: E.
        layers, width: hidden layers and their units (ReLU), then one linear output.
        epochs, batch_size: passes over the examples, in a fresh random order each; examples a step (the last
            step takes what is left).
        max_steps: at most this many steps a fit, in whole epochs but at least one; 0 = no limit.
        learning_rate: Adam's.
        loss: mean absolute ("mae") or mean squared ("mse") error.
    """

    networks: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150
    batch_size: int = 32
    max_steps: int = 0
    learning_rate: float = 0.01
    loss: str = "mae"

    def __post_init__(self) -> None:
        check_int("optimizer.networks", self.networks, 1)
        check_int("optimizer.layers", self.layers, 1)
        check_int("optimizer.width", self.width, 1)
        check_int("optimizer.epochs", self.epochs, 1)
        check_int("optimizer.batch_size", self.batch_size, 1)
        check_int("optimizer.max_steps", self.max_steps, 0)
        check_float("optimizer.learning_rate", self.learning_rate, 0, open_low=True)
        check_choice("optimizer.loss", self.loss, mlp.LOSSES)

    def fit(
        self,
        generators: Any,
        trials: np.ndarray,
        examples: Sparse,
        targets: np.ndarray,
        known: np.ndarray,
        features: int,
    ) -> np.ndarray:
        """Train every trial's networks from scratch.

        Args:
            generators: the typed list of the streams' generators.
            trials: int64[R], which trials.
            examples: [T, >= n, K]; targets: float32[T, >= n]; known: int64[T], n >= 1 of each trial.
            features: F.

        Returns:
            float32[R, E, P], the networks.
        """
        if (known[trials] < 1).any():
            raise ValueError("a network was to be trained without examples")
        out = np.empty(
            (len(trials), self.networks, mlp.num_parameters(features, self.width, self.layers)),
            dtype=np.float32,
        )
        _fit(
            generators,
            trials,
            examples.index,
            examples.value,
            examples.count,
            targets,
            known,
            features,
            self.width,
            self.layers,
            self.epochs,
            self.batch_size,
            self.max_steps,
            self.loss == "mse",
            self.learning_rate,
            BETA1,
            BETA2,
            EPSILON,
            out,
        )
        return out

    def predict(
        self, networks: np.ndarray, questions: Sparse, asked: np.ndarray, features: int
    ) -> np.ndarray:
        """Ask networks float32[R, E, P] about the first asked[r] of questions [R, >= C, K]: float32[R, E, max
        C], zero past those."""
        out = np.zeros((*networks.shape[:2], int(asked.max(initial=0))), dtype=np.float32)
        _predict(
            networks,
            questions.index,
            questions.value,
            questions.count,
            asked,
            features,
            self.width,
            self.layers,
            out,
        )
        return out


@njit(cache=True)
def _compress(dense, index, value, count):
    for s in range(len(dense)):
        for f in range(dense.shape[1]):
            if dense[s, f] != 0:
                index[s, count[s]] = f
                value[s, count[s]] = dense[s, f]
                count[s] += 1


@njit(cache=True)
def draw_orders(generator, orders):
    """Fill orders int32[epochs, n] with uniform permutations (Fisher-Yates, each epoch going on from the last
    one's order)."""
    n = orders.shape[1]
    for epoch in range(len(orders)):
        for i in range(n):
            orders[epoch, i] = i if epoch == 0 else orders[epoch - 1, i]
        for i in range(n - 1, 0, -1):
            j = int(generator.random() * (i + 1))
            orders[epoch, i], orders[epoch, j] = orders[epoch, j], orders[epoch, i]


@njit(cache=True)
def epochs_within(epochs, examples, batch, max_steps):
    """How many epochs a fit runs."""
    steps = (examples + batch - 1) // batch
    return epochs if max_steps == 0 else max(1, min(epochs, max_steps // steps))


@njit(cache=True)
def _fit(
    generators,
    trials,
    index,
    value,
    count,
    targets,
    known,
    features,
    width,
    layers,
    epochs,
    batch,
    max_steps,
    squared,
    rate,
    beta1,
    beta2,
    epsilon,
    out,
):
    moments = np.empty((2, out.shape[2]), np.float32)
    for r in range(len(trials)):
        t = trials[r]
        n = known[t]
        orders = np.empty((epochs_within(epochs, n, batch, max_steps), n), np.int32)
        for e in range(out.shape[1]):
            mlp.initialise(generators[t], out[r, e], features, width, layers)
            moments[:] = 0
            draw_orders(generators[t], orders)
            mlp.train(
                index[t],
                value[t],
                count[t],
                targets[t, :n],
                orders,
                out[r, e],
                moments,
                0,
                features,
                width,
                layers,
                batch,
                squared,
                rate,
                beta1,
                beta2,
                epsilon,
            )


@njit(cache=True)
def _predict(networks, index, value, count, asked, features, width, layers, out):
    for r in range(len(networks)):
        for e in range(out.shape[1]):
            mlp.predict(
                index[r], value[r], count[r], networks[r, e], features, width, layers, out[r, e, : asked[r]]
            )
