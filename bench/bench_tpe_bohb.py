"""TPE and BOHB in lockstep against the libraries' own code: processor time a trial of 150 queries, and of
longer searches."""

from __future__ import annotations

import importlib.util
import time

from nas_bench_suite import Benchmark, Optimizer, Protocol, load_benchmark, search
from optimizers.bohb import BOHB
from optimizers.bohb_hpbandster import BOHBHpbandster
from optimizers.tpe import TPE
from optimizers.tpe_hyperopt import TPEHyperopt

QUERIES, EPOCHS = Protocol(), Protocol(cost="epochs")


def _seconds(
    optimizer: Optimizer, benchmark: Benchmark, protocol: Protocol, budget: int, trials: int
) -> float:
    """Processor seconds a trial of the whole search, look-ups and books included."""
    began = time.process_time()
    search(optimizer, benchmark, protocol, budget=budget, trials=trials, seed=0)
    return (time.process_time() - began) / trials


def _against(name: str, theirs: tuple[str, float] | None, ours: float) -> tuple[str, str]:
    text = f"{ours * 1e3:.2f} ms a trial"
    if theirs is not None:
        text += f", {theirs[1] / ours:,.0f} times as fast as {theirs[0]} ({theirs[1]:.1f} s)"
    return name, text


def run() -> list[tuple[str, str]]:
    benchmark = load_benchmark("nasbench101_surrogate")
    for optimizer in (TPE(), BOHB()):  # compile
        search(optimizer, benchmark, EPOCHS, budget=30, trials=2, seed=0)
    hyperopt = ("hyperopt", _seconds(TPEHyperopt(), benchmark, QUERIES, 150, 3))
    rows = [_against("TPE, 150 queries, 500 trials", hyperopt, _seconds(TPE(), benchmark, QUERIES, 150, 500))]
    searches = [
        ("BOHB, 150 trainings' epochs, 500 trials", True, EPOCHS),
        ("BOHB without low fidelities, 150 queries, 500 trials", False, QUERIES),
    ]
    for name, low, protocol in searches:
        ours = _seconds(BOHB(low_fidelities=low), benchmark, protocol, 150, 500)
        theirs = None
        if importlib.util.find_spec("hpbandster") is not None:
            theirs = ("hpbandster", _seconds(BOHBHpbandster(low_fidelities=low), benchmark, protocol, 150, 1))
        rows.append(_against(name, theirs, ours))
    rows.append(
        (
            "TPE, 3,200 queries, 500 trials",
            f"{500 * _seconds(TPE(), benchmark, QUERIES, 3200, 500):.0f} s in all",
        )
    )
    rows.append(
        (
            "BOHB, 3,200 trainings' epochs",
            f"{500 * _seconds(BOHB(), benchmark, EPOCHS, 3200, 20):.0f} s for 500 trials, from 20",
        )
    )
    return rows
