"""Law 4 where compiled code comes from: a search gives the same bytes whether numba compiles its kernels or
loads them from its cache, in whatever order they are loaded.

Kernels that may reorder floating-point sums break this law where several callers carry copies of them: the
copies are optimised apart, and the first one loaded serves all callers. A process with an empty cache loads
callees first; one with a full cache loads callers first.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.laws.collect import composed, names

ROOT = Path(__file__).parents[2]
BUDGET, TRIALS = 34, 2
# So that the models of every method are fitted several times within the budget, and quickly.
SMALLER: dict[str, dict[str, Any]] = {
    "alphax": {"retrain_every": 8, "epochs": 40},
    "bohb_hpbandster": {"num_samples": 4},
    "tpe_hyperopt": {"startup": 10},
    "tpe": {"startup": 10},
}
RUN = ("optimizer=bananas", "benchmark=planted", "budget=30", "trials=6", "trials_per_block=2")


def environment(cache: Path) -> dict[str, str]:
    return os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}


def floats(thing: Any, seen: set[int]) -> Iterator[np.ndarray]:
    """Every array of floats that an optimizer holds, in its parts too."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if type(thing).__module__ == "torch" and hasattr(thing, "detach"):
        thing = thing.detach().cpu().numpy()
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind == "f":
            yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from floats(value, seen)
    elif isinstance(thing, (list, tuple)):
        for value in thing:
            yield from floats(value, seen)
    elif type(thing).__module__.startswith("optimizers."):
        yield from floats(vars(thing), seen)


def digests(labels: list[str]) -> dict[str, str]:
    """What the searches of each method gave, and the numbers that its models hold at the end."""
    import torch

    from nas_bench_suite import load_benchmark, search
    from nas_bench_suite.build import make_optimizer, make_protocol

    torch.set_num_threads(1)
    out = {}
    for label in labels:
        config = composed(f"optimizer={label}", "benchmark=planted")
        optimizer = make_optimizer(config["optimizer"] | SMALLER.get(label, {}))
        protocol = make_protocol(config["protocol"])
        record = search(optimizer, load_benchmark("planted"), protocol, budget=BUDGET, trials=TRIALS, seed=3)
        digest = hashlib.sha256()
        for column in (*record.queries.values(), *floats(optimizer, set())):
            digest.update(np.ascontiguousarray(column).tobytes())
        out[label] = digest.hexdigest()
    return out


def in_a_process(labels: list[str], cache: Path) -> dict[str, str]:
    command = [sys.executable, "-m", "tests.laws.test_numba_cache", *labels]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(cache), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def every_method() -> list[str]:
    missing = importlib.util.find_spec("hpbandster") is None
    return [label for label in names("optimizer") if not (missing and label == "bohb_hpbandster")]


def differing(labels: list[str], cache: Path) -> list[str]:
    """The methods that give other bytes with the cache that they filled than they gave while it was empty."""
    cold = in_a_process(labels, cache)
    warm = in_a_process(labels[::-1], cache)
    return [label for label in labels if cold[label] != warm[label]]


def test_networks_give_the_same_bytes_from_an_empty_cache_and_a_full_one(tmp_path: Path) -> None:
    """AlphaX. It has the kernels that once broke this law, as BANANAS has, which is killed below."""
    assert differing(["alphax"], tmp_path) == []


@pytest.mark.study
def test_every_method_gives_the_same_bytes_from_an_empty_cache_and_a_full_one(tmp_path: Path) -> None:
    """Four minutes, nearly all of them compilation: `pytest -m study tests/laws/test_numba_cache.py`."""
    assert differing(every_method(), tmp_path) == []


def test_killed_with_an_empty_cache_and_finished(tmp_path: Path) -> None:
    """Killed once while it compiles and once between two blocks."""

    def command(folder: str) -> list[str]:
        return [sys.executable, str(ROOT / "run.py"), *RUN, f"output_dir={tmp_path / folder}"]

    def files(folder: str) -> dict[str, bytes]:
        found = (tmp_path / folder).rglob("trials-*.parquet")
        return {path.name: path.read_bytes() for path in found}

    cache = tmp_path / "numba"
    for compiled, blocks in (("mlp._forward*.nbi", 0), ("*.nbi", 1)):
        process = subprocess.Popen(
            command("killed"), env=environment(cache), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            if len(files("killed")) >= blocks and any(cache.rglob(compiled)):
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert blocks <= len(files("killed")) < 3
    for folder in ("killed", "undisturbed"):
        subprocess.run(command(folder), env=environment(cache), check=True, capture_output=True)
    assert files("killed") == files("undisturbed") and len(files("killed")) == 3


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1:])))
