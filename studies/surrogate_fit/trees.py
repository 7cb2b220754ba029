"""Gradient-boosted trees on the flat features: the ensemble's second voice, and the propensity to collapse.

Notation and shapes
    flat         float32[N, F] as in ``features``
    targets      float32[N, K], not standardised, NaN where there is none
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class TreeSettings:
    """Hyperparameters of the regression trees."""

    trees: int = 2000
    learning_rate: float = 0.03
    leaves: int = 31
    least_samples: int = 20
    rows: float = 0.7
    columns: float = 0.4
    l2: float = 1.0


def fit_trees(
    flat: np.ndarray, target: np.ndarray, settings: TreeSettings, seed: int, loss: str = "regression"
) -> lightgbm.LGBMRegressor:
    """Fit trees to the cells whose target is known; deterministic given the seed.

    Args:
        flat: float32[N, F]; target: float[N].
    """
    import lightgbm

    known = ~np.isnan(target)
    model = lightgbm.LGBMRegressor(
        objective=loss,
        n_estimators=settings.trees,
        learning_rate=settings.learning_rate,
        num_leaves=settings.leaves,
        min_child_samples=settings.least_samples,
        subsample=settings.rows,
        subsample_freq=1,
        colsample_bytree=settings.columns,
        reg_lambda=settings.l2,
        n_jobs=1,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    return model.fit(flat[known], target[known])


def fit_propensity(flat: np.ndarray, event: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the log-odds of a rare event with few shallow trees, so that a handful of cases is not learnt by
    heart.

    Args:
        flat: float32[N, F]; event: bool[N].
    Returns:
        A function from flat float32[M, F] to probabilities float64[M].
    """
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=150,
        learning_rate=0.05,
        num_leaves=6,
        min_child_samples=40,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.5,
        reg_lambda=5.0,
        n_jobs=1,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    ).fit(flat, event)
    return lambda rows: np.asarray(model.predict_proba(rows))[:, 1]
