"""Wrappers of other libraries: that each runs, gives the same search again, alone and in a block, and takes
failures. The fast ones are under the laws in the ordinary run; the slow ones there with `-m study`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas_bench_suite import (
    CategoricalSpace,
    ConfigError,
    Objective,
    SearchRecord,
    load_benchmark,
    ordered,
    search,
)
from nas_bench_suite.build import make_optimizer
from nas_bench_suite.laws.collect import composed
from tests.optional import package

# label -> the package, and queries enough to see the model at work
LIBRARIES = {
    "optuna_tpe": ("optuna", 25),
    "optuna_cmaes": ("optuna", 25),
    "optuna_gp": ("optuna", 13),
    "nevergrad_ngopt": ("nevergrad", 25),
    "nevergrad_de": ("nevergrad", 35),
    "nevergrad_pso": ("nevergrad", 35),
    "skopt_gp": ("skopt", 12),
    "smac": ("smac", 8),
}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(params=LIBRARIES)
def label(request: pytest.FixtureRequest) -> str:
    package(LIBRARIES[request.param][0])
    return str(request.param)


def run(label: str, benchmark: Any = None, **changes: Any) -> SearchRecord:
    how: dict[str, Any] = {"budget": LIBRARIES[label][1], "trials": 1, "seed": 4} | changes
    method = make_optimizer(composed(f"optimizer={label}")["optimizer"])
    return search(method, benchmark or load_benchmark("planted"), **how)


def test_alone_and_in_a_block(label: str) -> None:
    both = run(label, trials=2)
    np.random.seed(17)  # noqa: NPY002  what the program draws is nothing to a search
    second = run(label, first_trial=1)
    cells = both.queries["cell_id"][both.queries["trial"] == 1]
    np.testing.assert_array_equal(second.queries["cell_id"], cells)
    assert not np.array_equal(cells, both.queries["cell_id"][both.queries["trial"] == 0])
    assert set(both.ledger["ended"]) == {"budget"}


def test_an_own_space_with_failures(label: str) -> None:
    space = CategoricalSpace(
        {"op": ["a", "b", "c"], "width": ordered([1, 2, 4, 8]), "depth": ordered([1, 2, 3])},
        valid=lambda c: c["op"] != "c" or c["width"] < 8,
    )

    def function(configuration: dict[str, Any]) -> float:
        if configuration["depth"] == 3 and configuration["op"] == "b":
            raise RuntimeError("too deep")
        return float(configuration["width"] / 8 * (1.0 if configuration["op"] == "b" else 0.5))

    record = run(label, Objective(space, function))
    assert record.ledger["queries"][0] > 5 and record.ledger["incumbent_validation"][0] >= 0.25


def test_an_unknown_method_of_nevergrad_is_one_sentence() -> None:
    package("nevergrad")
    from optimizers.nevergrad_methods import Nevergrad

    with pytest.raises(ConfigError, match=r"optimizer.method=NGOptt is not in .*did you mean 'NGOpt"):
        search(Nevergrad(method="NGOptt"), load_benchmark("planted"), budget=1, trials=1, seed=0)
