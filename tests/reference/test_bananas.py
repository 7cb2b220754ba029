"""The compiled networks against torch's autograd in double precision, and a trial's networks trained alone
and among others."""

from __future__ import annotations

import numpy as np
import pytest

from bench.plain import bananas as plain
from nas_bench_suite.benchmarks.nasbench101.space import NASBench101Space
from nas_bench_suite.streams import Streams
from optimizers.bananas import _thompson
from optimizers.parts import mlp
from optimizers.parts.ensemble import BETA1, BETA2, EPSILON, Ensemble, draw_orders
from optimizers.parts.sparse import Sparse


def _features(rng: np.random.Generator, shape: tuple[int, ...], features: int) -> np.ndarray:
    return (rng.random((*shape, features)) < 0.2) * rng.integers(1, 3, size=(*shape, features)).astype(
        np.float32
    )


def _network(features: int, width: int, layers: int, seed: int = 0) -> np.ndarray:
    shape = mlp.Shape(features, width, layers)
    params = np.empty(mlp.num_parameters(shape), dtype=np.float32)
    mlp.initialise(np.random.Generator(np.random.PCG64(seed)), params, shape)
    return params


SHAPES = [(40, 20, 10, 32, "mae"), (13, 7, 1, 5, "mse"), (57, 24, 3, 32, "mse"), (9, 30, 2, 4, "mae")]


@pytest.mark.parametrize(("features", "width", "layers", "batch", "loss"), SHAPES)
def test_one_step_and_thirty_equal_autograd(
    features: int, width: int, layers: int, batch: int, loss: str
) -> None:
    rng = np.random.default_rng(features)
    n, units = 41, mlp.padded(width)
    x = _features(rng, (n,), features)
    targets = (6 + x @ rng.normal(size=features) + rng.normal(size=n)).astype(np.float32)
    examples = Sparse.of(x)
    params, out = _network(features, width, layers), np.empty(n, dtype=np.float32)
    start = plain.unpack(params, features, width, layers, units)
    shape = mlp.Shape(features, width, layers)
    training = mlp.Training(0, batch, 0, loss == "mse", 0.01, BETA1, BETA2, EPSILON)
    mlp.predict(examples, params, shape, out)
    np.testing.assert_allclose(out, plain.forward(start, x), rtol=2e-5, atol=2e-5)

    # In single precision the two part slowly: a ReLU or an absolute error that is 0 to rounding may fall on
    # either side. A whole first epoch must agree closely and thirty steps loosely.
    orders = np.stack([rng.permutation(n) for _ in range(5)]).astype(np.int32)
    for epochs, tolerance in ((1, 1e-3), (5, 3e-2)):
        trained = params.copy()
        steps = mlp.train(examples, targets, orders[:epochs], trained, shape, training)
        assert steps == epochs * -(-n // batch)
        twin = plain.train(start, x, targets, orders[:epochs], batch, loss, 0.01, BETA1, BETA2, EPSILON)
        mlp.predict(examples, trained, shape, out)
        expected = plain.forward(twin, x)
        assert np.abs(out - expected).max() <= tolerance * max(1, np.abs(expected).max())
        assert np.abs(expected - plain.forward(start, x)).max() > 0.1  # it learnt something
        # Padding: the units that are not there stay away.
        hidden = trained[: features * units].reshape(features, units)[:, width:]
        assert not hidden.any()


def test_initial_weights_are_glorot_uniform() -> None:
    params = _network(300, 20, 2)
    for weights, bias in plain.unpack(params, 300, 20, 2, mlp.padded(20)):
        limit = np.sqrt(6 / sum(weights.shape))
        assert np.abs(weights).max() <= limit and not bias.any()
        assert np.abs(weights).max() > 0.8 * limit
        assert abs(weights.std() - limit / np.sqrt(3)) < 4 * limit / np.sqrt(weights.size)


def test_a_network_of_the_batch_equals_the_same_network_trained_alone() -> None:
    rng = np.random.default_rng(1)
    trials, features = 4, 12
    known = np.array([9, 33, 1, 20])
    x = _features(rng, (trials, 40), features)
    targets = (5 + x @ rng.normal(size=features)).astype(np.float32)
    examples, questions = Sparse.of(x), Sparse.of(_features(rng, (trials, 7), features))
    asked = np.full(trials, 7)
    ensemble = Ensemble(networks=3, layers=4, width=10, epochs=20)
    fitted = ensemble.fit(
        Streams(0, trials).typed("a"), np.arange(trials), examples, targets, known, features
    )
    together = ensemble.predict(fitted, questions, asked, features)
    for t in range(trials):
        one = [Sparse(*(column[t : t + 1] for column in vectors)) for vectors in (examples, questions)]
        streams = Streams(0, 1, first_trial=t)
        alone = ensemble.fit(
            streams.typed("a"), np.zeros(1, np.int64), one[0], targets[t : t + 1], known[t : t + 1], features
        )
        np.testing.assert_array_equal(alone[0], fitted[t])
        np.testing.assert_array_equal(ensemble.predict(alone, one[1], asked[:1], features)[0], together[t])
        # And one member of the ensemble, against the plain twin with the same draws.
        generator = Streams(0, 1, first_trial=t).generators("a")[0]
        shape = mlp.Shape(features, 10, 4)
        params = np.empty(mlp.num_parameters(shape), dtype=np.float32)
        mlp.initialise(generator, params, shape)
        orders = np.empty((20, known[t]), dtype=np.int32)
        draw_orders(generator, orders)
        start = plain.unpack(params, features, 10, 4, mlp.padded(10))
        twin = plain.train(
            start, x[t, : known[t]], targets[t, : known[t]], orders, 32, "mae", 0.01, BETA1, BETA2, EPSILON
        )
        dense = np.zeros((7, features))
        for c in range(7):
            entries = questions.entries[t, c]
            dense[c, questions.feature[t, c, :entries]] = questions.value[t, c, :entries]
        np.testing.assert_allclose(together[t, 0], plain.forward(twin, dense), atol=0.05)


def test_orders_are_uniform_permutations() -> None:
    orders = np.empty((6000, 3), dtype=np.int32)
    draw_orders(np.random.Generator(np.random.PCG64(2)), orders)
    assert (np.sort(orders, axis=1) == np.arange(3)).all()
    counts = np.unique(orders @ np.array([9, 3, 1]), return_counts=True)[1]
    assert len(counts) == 6 and abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_independent_thompson_sampling_equals_its_twin() -> None:
    rng = np.random.default_rng(3)
    predictions = rng.normal(size=(1, 5, 30)).astype(np.float32)
    strings = np.arange(30)[None, :, None]
    out = np.zeros((1, 6, 1), dtype=np.int64)
    _thompson(
        Streams(4, 1).typed("t"),
        np.zeros(1, np.int64),
        predictions,
        np.array([30]),
        strings,
        np.array([6]),
        out,
    )
    expected = plain.thompson(Streams(4, 1).generators("t")[0], predictions[0].astype(np.float64), 6)
    np.testing.assert_array_equal(out[0, :, 0], expected)


def test_path_features_equal_paths_walked_one_by_one() -> None:
    space = NASBench101Space()
    rows = space.sample_rng(np.random.default_rng(5), 200)
    encoded = space.encode(rows, "path")
    tails, heads = np.triu_indices(7, k=1)
    for row, features in zip(rows, encoded):
        matrix = np.zeros((7, 7), dtype=np.int64)
        matrix[tails, heads] = row[:21]
        assert set(np.flatnonzero(features)) == plain.paths(matrix, list(row[21:]), 3)
