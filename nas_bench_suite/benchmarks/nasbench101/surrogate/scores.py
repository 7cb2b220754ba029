"""How well a prediction agrees with observed values: R2, Kendall tau, Spearman, mean bias."""

from __future__ import annotations

import numpy as np


def agreement(observed: np.ndarray, predicted: np.ndarray, floor: float = 0.5) -> dict[str, float]:
    """Scores of a prediction.

    Args:
        observed, predicted: float[m]. floor: only observed values above it count (runs that trained).
    Returns: cells (how many counted), r2 (1 - squared error / variance), kendall (tau-b), spearman, bias
        (mean of predicted less observed), rmse; NaN where fewer than two cells count.
    """
    from scipy.stats import kendalltau, spearmanr

    keep = observed > floor
    truth, guess = np.asarray(observed)[keep], np.asarray(predicted)[keep]
    if len(truth) < 2:
        return {
            "cells": float(len(truth)),
            **dict.fromkeys(("r2", "kendall", "spearman", "bias", "rmse"), float("nan")),
        }
    error = guess - truth
    variance = float(((truth - truth.mean()) ** 2).sum())
    return {
        "cells": float(len(truth)),
        "r2": 1 - float((error**2).sum()) / variance if variance > 0 else float("nan"),
        "kendall": float(kendalltau(truth, guess).statistic),
        "spearman": float(spearmanr(truth, guess).statistic),
        "bias": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
    }
