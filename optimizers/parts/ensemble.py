"""Ensembles of small networks for T trials: every trial's every member is initialised, trained and asked in
one compiled call.

Notation: T trials, E members, n examples and C questions per trial (each trial has its own numbers), F
features of which at most K differ from zero. `mlp` holds what happens to one network. Trials do not meet: a
trial's networks depend on its examples and its generator alone, so they are bit for bit the same whichever
trials are trained beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nas_bench_suite.checks import check_choice, check_float, check_int
from optimizers.parts import mlp
from optimizers.parts.sparse import Sparse

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-7  # BANANAS's second beta; Keras's epsilon


class Lessons(NamedTuple):
    """What the networks of all trials are trained on."""

    examples: Sparse  # [T, >= n]
    targets: np.ndarray  # float32[T, >= n]
    known: np.ndarray  # int64[T], n of each trial


@dataclass(frozen=True)
class Ensemble:
    """The networks' shape and training.

    Attributes:
        networks: E.
        layers, width: hidden layers and their units (ReLU), then one linear output.
        epochs, batch_size: passes over the examples, in a fresh random order each; examples per step (the
            last step takes what is left).
        max_steps: at most this many steps per fit, in whole epochs but at least one; 0 = no limit.
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
        most = {"networks": 1000, "layers": 100, "width": 4096, "epochs": 1_000_000, "batch_size": 1_000_000}
        for name, high in most.items():
            object.__setattr__(self, name, check_int(f"optimizer.{name}", getattr(self, name), 1, high))
        steps = check_int("optimizer.max_steps", self.max_steps, 0, 1_000_000_000)
        object.__setattr__(self, "max_steps", steps)
        check_float("optimizer.learning_rate", self.learning_rate, 0, 1e6, open_low=True)
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
        shape = mlp.Shape(features, self.width, self.layers)
        out = np.empty((len(trials), self.networks, mlp.num_parameters(shape)), dtype=np.float32)
        _fit(generators, trials, Lessons(examples, targets, known), shape, self._training(), out)
        return out

    def predict(
        self, networks: np.ndarray, questions: Sparse, asked: np.ndarray, features: int
    ) -> np.ndarray:
        """Ask networks float32[R, E, P] about the first asked[r] of questions [R, >= C, K]: float32[R, E, max
        C], zero past those."""
        out = np.zeros((*networks.shape[:2], int(asked.max(initial=0))), dtype=np.float32)
        _predict(networks, questions, asked, mlp.Shape(features, self.width, self.layers), out)
        return out

    def _training(self) -> mlp.Training:
        return mlp.Training(
            self.epochs,
            self.batch_size,
            self.max_steps,
            self.loss == "mse",
            self.learning_rate,
            BETA1,
            BETA2,
            EPSILON,
        )


@njit(cache=True)
def draw_orders(generator: np.random.Generator, orders: np.ndarray) -> None:
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
def epochs_within(epochs: int, examples: int, batch: int, max_steps: int) -> int:
    """How many epochs a fit runs."""
    steps = (examples + batch - 1) // batch
    return epochs if max_steps == 0 else max(1, min(epochs, max_steps // steps))


@njit(cache=True)
def _fit(
    generators: Any,
    trials: np.ndarray,
    lessons: Lessons,
    shape: mlp.Shape,
    training: mlp.Training,
    out: np.ndarray,
) -> None:
    """Fill out float32[R, E, P] with trained networks."""
    all_examples = lessons.examples
    for r in range(len(trials)):
        t = trials[r]
        n = lessons.known[t]
        examples = Sparse(all_examples.feature[t], all_examples.value[t], all_examples.entries[t])
        epochs = epochs_within(training.epochs, n, training.batch, training.max_steps)
        orders = np.empty((epochs, n), np.int32)
        for e in range(out.shape[1]):
            mlp.initialise(generators[t], out[r, e], shape)
            draw_orders(generators[t], orders)
            mlp.train(examples, lessons.targets[t, :n], orders, out[r, e], shape, training)


@njit(cache=True)
def _predict(
    networks: np.ndarray, questions: Sparse, asked: np.ndarray, shape: mlp.Shape, out: np.ndarray
) -> None:
    for r in range(len(networks)):
        own = Sparse(questions.feature[r], questions.value[r], questions.entries[r])
        for e in range(out.shape[1]):
            mlp.predict(own, networks[r, e], shape, out[r, e, : asked[r]])
