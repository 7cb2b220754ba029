"""Result files of searches that never took place, for tests of the analysis: right in form, with levels
chosen by the test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.experiments import compose
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.provenance import Provenance
from nas_bench_suite.record import SearchRecord
from nas_bench_suite.results import Block, Run, manifest_digest, run_key, write_whole


def own_settings(label: str) -> dict[str, Any]:
    """A label's hyperparameters, as its config has them."""
    settings: dict[str, Any] = compose({"optimizer": label})["optimizer"]
    return settings


def write_run(
    output_dir: Path,
    label: str,
    *,
    budget: int = 150,
    trials: int = 20,
    block: int = 10,
    shift: float = 0.0,
    benchmark: str = "nasbench101_surrogate",
    settings: Mapping[str, Any] | None = None,
    protocol: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    seed: int = 0,
    spread: float = 0.003,
    surrogate: bool = True,
    checksum: str = "cafe0123",
) -> Run:
    """Write a run whose single-run accuracies rise by `shift` with respect to a common level. Trial t's draws
    depend on (label, t) alone."""
    if options is None:
        options = {"edge_limit": "pruned"} if "nasbench101" in benchmark else {}
    identity = {
        "benchmark": {"name": benchmark, **options, "checksum": checksum},
        "benchmark_label": benchmark,
        "budget": budget,
        "optimizer": {"_target_": "optimizers.none.None_", **(settings or {})},
        "optimizer_label": label,
        "protocol": asdict(Protocol()) | (protocol or {}),
        "seed": seed,
        "trials_per_block": block,
    }
    run = Run(output_dir / benchmark / label / f"{budget}-{run_key(identity)}")
    for first in range(0, trials, block):
        made = [_trial(label, t, budget, shift, spread) for t in range(first, first + block)]
        queries = {name: np.concatenate([columns[name] for columns, _ in made]) for name in made[0][0]}
        ledger = {name: np.array([entry[name] for _, entry in made]) for name in made[0][1]}
        provenance: Provenance = {
            "key": run_key(identity),
            "versions": {"python": "3.11", "numpy": np.__version__},
            "commit": "0123456789abcdef",
            "dirty": False,
            "source_hash": "feed",
            "benchmark": {
                "name": benchmark,
                "description": "made up",
                "source": "none",
                "notice": None,
                "checksum": checksum,
                "surrogate": surrogate,
                "options": {"name": benchmark, **options},
            },
            "host": "host",
            "platform": "x86_64 Linux",
            "device": "cpu",
            "command": ["run.py"],
        }
        Block(run.folder, first, first + block - 1).write(SearchRecord(queries, ledger, 1.5), provenance)
    from omegaconf import OmegaConf

    write_whole(run.folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(identity)).encode())
    return run


def edit_manifest(path: Path, benchmark: Mapping[str, Any]) -> None:
    """Change what a manifest says of its benchmark, its checksum included, as if it had been made so."""
    content = json.loads(path.read_text())
    content["benchmark"] |= benchmark
    path.write_text(json.dumps(content | {"sha256": manifest_digest(content)}))


def _trial(
    label: str, t: int, budget: int, shift: float, spread: float
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    rng = np.random.default_rng([t, *map(ord, label)])
    worse = rng.gamma(1.5, 0.012, budget) * np.exp(-shift * np.linspace(0, 30, budget))
    validation = np.round((0.9505 + shift - worse + rng.normal(0, spread, budget)) * 9984) / 9984
    test = np.round((validation - 0.006 + rng.normal(0, spread, budget)) * 9984) / 9984
    best = int(np.argmax(validation))
    cells = rng.integers(0, 423_624 if budget < 1000 else 2_000, budget)
    seconds = rng.gamma(6, 280, budget)
    queries = {
        "trial": np.full(budget, t),
        "query": np.arange(1, budget + 1),
        "cell_id": cells,
        "run": rng.integers(0, 3, budget),
        "fidelity": np.full(budget, 108),
        "validation": validation,
        "test": test,
        "seconds": seconds,
        "status": np.zeros(budget, dtype=int),
        "spent": np.arange(1, budget + 1),
    }
    unique = len(np.unique(cells))
    ledger = {
        "trial": t,
        "queries": budget,
        "spent": budget,
        "unique_cells": unique,
        "repeats": budget - unique,
        "invalid": 0,
        "rejected": int(rng.integers(0, 80)),
        "epochs": 108 * budget,
        "training_seconds": float(seconds.sum()),
        "optimizer_seconds": 0.001 * (1 + len(label)),
        "ended": "budget",
        "incumbent_query": best + 1,
        "incumbent_cell_id": int(cells[best]),
        "incumbent_validation": float(validation[best]),
        "incumbent_test": float(test[best]),
        "incumbent_test_mean": float(test[best] - 0.0015),
    }
    return queries, ledger
