"""The laws that every search method keeps (ARCHITECTURE.md), for every config in conf/optimizer. The tests
are those of `nas_bench_suite.laws.methods`, which run on anybody's method."""

from __future__ import annotations

import pytest

from nas_bench_suite.laws.methods import *  # noqa: F403
from nas_bench_suite.laws.methods import Allowance
from tests.laws.collect import names

# AlphaX explores so much (docs/methods/alphax.md) that its lead over random search, real but a third of a
# trial's standard deviation, takes more trials to see. So with plain REINFORCE: five Adam steps at ReMAADE's
# learning rate move a bias by 0.05 (docs/methods/reinforce.md). The medium-term setting has batches of 64 and
# steps of 0.001: 150 queries are two of them.
TRIALS_TO_BEAT_RANDOM = {
    "alphax": 600,
    "reinforce": 600,
    "remaade_medium": 2000,
    "random": 600,
    "tpe_hyperopt": 10,
    "bohb_hpbandster": 6,
    "optuna_cmaes": 10,
    "nevergrad_ngopt": 120,
    "nevergrad_de": 30,
    "nevergrad_pso": 30,
    "optuna_gp": 4,
    "skopt_gp": 3,
    "smac": 3,
}
# hpbandster takes two milliseconds a candidate: with 64 of them a suggestion its laws would take most of an
# hour.
CHEAPER = {"bohb_hpbandster": {"num_samples": 4}}
# Wrappers whose laws take an hour: half a second a suggestion, or two seconds a trial of law 7 and more.
# tests/unit/test_libraries.py runs each in small; `-m study` runs their laws.
SLOW = ("optuna_gp", "skopt_gp", "smac", "nevergrad_ngopt", "nevergrad_de", "nevergrad_pso")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "method" in metafunc.fixturenames:
        labels = [
            pytest.param(label, marks=pytest.mark.study) if label in SLOW else label
            for label in names("optimizer")
        ]
        metafunc.parametrize("method", labels, indirect=True, scope="module")


@pytest.fixture(scope="module")  # type: ignore[no-redef]
def allowance() -> Allowance:
    return Allowance(TRIALS_TO_BEAT_RANDOM, CHEAPER, dict.fromkeys(SLOW, (15, 3)))
