"""What of a configuration decides a result, and so is hashed into its key.

An option that a benchmark or a method gains has a *neutral* value, at which everything is as it was before
the option existed. At that value the option is no part of a key: the results from before keep theirs, and
the same command finds them. At every other value it is part of the key like any option.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas_bench_suite.benchmark import NOT_IDENTITY

# Whose option, by the benchmark's name or the method's `_target_` -> option -> its neutral value.
NEUTRAL: dict[str, dict[str, Any]] = {
    "nasbench101_surrogate": {"draw": 0},
    "tabular": {"minimize": False, "scale": None, "test": "column"},
}


def benchmark_identity(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a benchmark that decide a result. What a file holds does (by its checksum), where it
    lies does not."""
    return {key: value for key, value in _identity(options).items() if key not in NOT_IDENTITY}


def optimizer_identity(options: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a method that decide a result."""
    return _identity(options)


def with_neutral(config: Mapping[str, Any]) -> dict[str, Any]:
    """A result's configuration with the options that it lacks because they were neutral."""
    full = dict(config)
    for section in ("benchmark", "optimizer"):
        own = config.get(section)
        if isinstance(own, Mapping):
            full[section] = {**own, **{k: v for k, v in _neutral(own).items() if k not in own}}
    return full


def _identity(options: Mapping[str, Any]) -> dict[str, Any]:
    neutral = _neutral(options)
    return {key: value for key, value in options.items() if key not in neutral or value != neutral[key]}


def _neutral(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return NEUTRAL.get(str(options.get("_target_", options.get("name"))), {})
