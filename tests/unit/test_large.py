"""The large family: its optimum and distributions against brute force, its ids, its noise, and what wrong
options get."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nas_bench_suite import ConfigError, Lookups, Protocol, load_benchmark, search
from nas_bench_suite.benchmarks.large import Large, _scramble, _unscramble
from optimizers.random_search import RandomSearch


def everything(benchmark: Large) -> np.ndarray:
    return np.array(list(itertools.product(*map(range, benchmark.space.sizes))))


def plain_score(benchmark: Large, string: np.ndarray) -> int:
    """S as the module's equation has it, term by term."""
    space = benchmark.space
    total = sum(int(space.unary[i, string[i]]) for i in range(space.num_variables))
    return total + sum(
        int(space.pair[i, string[i], string[space.parents[i]]]) for i in range(1, space.num_variables)
    )


@pytest.mark.parametrize(("variables", "choices"), [(8, "mixed"), (12, "mixed"), (8, 3), (10, 2), (8, 4)])
@pytest.mark.parametrize("instance", [0, 1, 2])
def test_optimum_and_distribution_are_those_of_brute_force(
    variables: int, choices: int | str, instance: int
) -> None:
    benchmark = Large(variables=variables, choices=choices, instance=instance)
    space, strings = benchmark.space, everything(benchmark)
    scores = space.score(strings)
    assert [plain_score(benchmark, string) for string in strings[::997]] == scores[::997].tolist()
    assert (scores.max(), scores.min()) == (space.highest, space.lowest)
    assert (plain_score(benchmark, space.best), plain_score(benchmark, space.worst)) == (
        space.highest,
        space.lowest,
    )
    level = space.level(space.cell_id(strings))
    np.testing.assert_array_equal(level, scores - space.lowest)
    found = benchmark.query(Lookups(space.cell_id(strings), "mean"))
    assert found.test.max() == pytest.approx(benchmark.facts()["best_mean_test"])
    values, mass = benchmark.random_distribution()
    np.testing.assert_allclose(mass, np.bincount(level, minlength=space.range + 1) / len(strings), atol=1e-12)
    assert benchmark.random_moments() == pytest.approx((found.validation.mean(), found.validation.std()))
    assert (values[0], values[-1]) == (
        pytest.approx(found.validation.min()),
        pytest.approx(found.validation.max()),
    )


@pytest.mark.parametrize("variables", [26, 500])
def test_moments_agree_with_the_distribution_and_with_sampling(variables: int) -> None:
    benchmark = Large(variables=variables)
    values, mass = benchmark.random_distribution()
    mean = float(values @ mass)
    assert mass.sum() == pytest.approx(1) and benchmark.random_moments() == pytest.approx(
        (mean, ((values - mean) ** 2 @ mass) ** 0.5)
    )
    drawn = benchmark.query(
        Lookups(benchmark.space.cell_id(benchmark.space.sample_rng(np.random.default_rng(5), 20_000)), "mean")
    ).validation
    assert abs(drawn.mean() - mean) < 5 * drawn.std() / np.sqrt(len(drawn))


def test_random_search_meets_its_distribution() -> None:
    benchmark = Large(variables=30)
    record = search(RandomSearch(), benchmark, Protocol(run="mean"), budget=50, trials=400, seed=7)
    values, cdf = benchmark.random_search_cdf(50)
    expected = float(values @ np.diff(cdf, prepend=0))
    reached = record.ledger["incumbent_validation"]
    assert abs(reached.mean() - expected) < 4 * reached.std() / np.sqrt(len(reached))


@pytest.mark.parametrize("variables", [26, 200])
def test_equal_strings_have_equal_ids_and_a_million_strings_do_not_collide(variables: int) -> None:
    benchmark = Large(variables=variables)
    parts = [benchmark.space.sample_rng(np.random.default_rng(i), 100_000).astype(np.int8) for i in range(10)]
    ids = np.concatenate([benchmark.space.cell_id(part) for part in parts])
    assert ids.dtype == np.int64 and ids.min() >= 0
    again = load_benchmark("large", variables=variables).space.cell_id(parts[3])
    np.testing.assert_array_equal(ids[300_000:400_000], again)
    packed = np.concatenate(
        [
            np.packbits(np.stack([part & 1, part >> 1], axis=-1).reshape(len(part), -1), axis=1)
            for part in parts
        ]
    )
    distinct = len(np.unique(np.ascontiguousarray(packed).view(f"V{packed.shape[1]}")))
    # Of a million uniform strings among 2^21 3^5 about 981 are drawn twice.
    assert len(np.unique(ids)) == distinct > 998_500


def test_ids_hide_the_level() -> None:
    space = Large(variables=100).space
    ids = space.cell_id(space.sample_rng(np.random.default_rng(1), 50_000))
    assert abs(np.corrcoef(ids, space.level(ids))[0, 1]) < 0.02
    ones = np.array([[(number >> bit) & 1 for bit in range(63)] for number in ids[:5000].tolist()]).mean(
        axis=0
    )
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(5000)
    numbers = np.random.default_rng(2).integers(0, 2**63, 1000).astype(np.uint64)
    np.testing.assert_array_equal(_unscramble(_scramble(numbers)), numbers)
    assert not (_scramble(numbers) == numbers).any()


def test_noise_has_its_moments() -> None:
    benchmark = Large(variables=100, noise=0.01)
    ids = benchmark.space.cell_id(benchmark.space.sample_rng(np.random.default_rng(3), 40_000))
    mean = benchmark.query(Lookups(ids, "mean"))
    runs = [benchmark.query(Lookups(ids, run)) for run in range(3)]
    x = np.stack([run.validation for run in runs]) - mean.validation
    y = np.stack([run.test for run in runs]) - mean.test
    np.testing.assert_allclose(x.sum(axis=0), 0, atol=1e-12)  # the runs' mean is the known mean accuracy
    np.testing.assert_allclose(y.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=1), 0.01, rtol=0.02)
    np.testing.assert_allclose(y.std(axis=1), 0.01 * np.sqrt(0.9**2 + 0.3**2), rtol=0.02)
    np.testing.assert_allclose(x.mean(axis=1), 0, atol=5 * 0.01 / 200)
    assert np.corrcoef(x[0], x[1])[0, 1] == pytest.approx(-0.5, abs=0.02)
    kurtosis = float((x[0] ** 4).mean() / (x[0] ** 2).mean() ** 2)
    assert kurtosis == pytest.approx(3, abs=0.15)
    for a, b in zip(
        benchmark.query(Lookups(ids, 1)),
        Large(variables=100, noise=0.01).query(Lookups(ids, np.ones(len(ids), dtype=int))),
    ):
        np.testing.assert_array_equal(a, b)
    assert np.std(Large(variables=100, noise=0).query(Lookups(ids, 0)).validation - mean.validation) == 0


def test_instances_differ() -> None:
    strings = Large().space.sample_rng(np.random.default_rng(4), 100)
    assert not (Large(instance=0).space.cell_id(strings) == Large(instance=1).space.cell_id(strings)).any()
    assert (
        Large(instance=0).facts()["checksum"]
        != Large(instance=1).facts()["checksum"]
        != Large(instance=1, noise=0.001).facts()["checksum"]
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"variables": 7},
            r"benchmark\.variables=7 is out of range; accepted: a whole number in \[8, 10000\]\.",
        ),
        ({"variables": 26.5}, r"benchmark\.variables=26\.5 is out of range; accepted: a whole number"),
        ({"choices": 1}, r"benchmark\.choices=1 is out of range; accepted: a whole number in \[2, 16\]\."),
        (
            {"choices": "many"},
            r"benchmark\.choices=many is not known; accepted: mixed, or a whole number in \[2, 16\]\.",
        ),
        ({"noise": -0.1}, r"benchmark\.noise=-0\.1 is out of range; accepted: a number in \[0, 0\.02\]\."),
        ({"instance": -1}, r"benchmark\.instance=-1 is out of range"),
        (
            {"variable": 26},
            r"benchmark\.variable is not an option of benchmark 'large' "
            r"\(did you mean 'variables'\?\); accepted:",
        ),
    ],
)
def test_wrong_options_get_one_sentence(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_benchmark("large", **options)
    assert "\n" not in str(caught.value)


def test_what_an_id_cannot_do_is_said() -> None:
    space = Large(variables=26).space
    ids = space.cell_id(space.sample_rng(np.random.default_rng(6), 4))
    with pytest.raises(ConfigError, match=r"ids by hash.*accepted: the strings themselves"):
        space.architecture(ids)
    with pytest.raises(ConfigError, match=r"-1 is no cell id of space 'large-26-mixed'"):
        space.level(np.array([ids[0], -1]))
