"""Objectives in worker processes: evaluations that hang or take their process down, and what stays behind."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_bench_suite import ConfigError, Objective, search
from optimizers.random_search import RandomSearch
from tests.terminal import start
from tests.unit import trainings
from tests.unit.test_objective import SPACE, evaluate

pytestmark = pytest.mark.filterwarnings("ignore:evaluation failed")


def gone(process: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet (a zombie) has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_workers_give_the_same_result() -> None:
    how: dict[str, Any] = {"budget": 20, "trials": 2, "seed": 0}
    one = search(RandomSearch(), Objective(SPACE, trainings.score), **how)
    two = search(RandomSearch(), Objective(SPACE, trainings.score, workers=2), **how)
    np.testing.assert_array_equal(one.queries["validation"], two.queries["validation"])


def test_an_evaluation_that_hangs_or_takes_its_process_down_costs_itself_alone() -> None:
    objective = Objective(SPACE, trainings.misbehave, workers=2, timeout=2)
    began = time.monotonic()
    found = evaluate(objective, 0, 1, 2, 3, 4, 5, 6, 0)
    assert time.monotonic() - began < 60
    reasons = [measured.reason for measured in found]
    assert reasons[0] == reasons[7] == "" and found[0][0] == found[7][0] == 0.5
    assert reasons[1] == reasons[5] == "took longer than timeout=2 s"
    assert reasons[2] == "its worker process died (EXIT(3))"
    assert reasons[3] == "its worker process died (SIGKILL(-9))"
    assert reasons[4].startswith("SystemExit: no data")
    assert reasons[6].startswith("ValueError: diverged")
    assert 2 <= found[1][2] < 10
    processes = subprocess.run(["ps", "-e", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert f"sleep {trainings.HANG:g}.{os.getpid()}" not in processes


def test_a_dead_worker_is_tried_again(tmp_path: Path) -> None:
    function = functools.partial(trainings.die_at_first, folder=str(tmp_path))
    found = evaluate(Objective(SPACE, function, timeout=60, retries=1), 0, 1)
    assert [tuple(measured[:1]) for measured in found] == [(0.0,), (0.05,)]
    assert all(measured.reason == "" for measured in found)


def test_a_worker_that_dies_while_idle_is_replaced(tmp_path: Path) -> None:
    objective = Objective(SPACE, lambda architecture: 1 / os.getpid(), timeout=60)
    (first,) = evaluate(objective, 0)
    os.kill(round(1 / first[0]), signal.SIGKILL)
    time.sleep(0.2)
    (second,) = evaluate(objective, 0)
    assert second.reason == "" and second[0] != first[0]
    objective.close()
    assert gone(round(1 / second[0]))


def test_a_function_that_worker_processes_cannot_have_is_named() -> None:
    lock = threading.Lock()
    with pytest.raises(ConfigError, match="<lambda> cannot be sent to worker processes"):
        evaluate(Objective(SPACE, lambda architecture: float(lock.locked()), workers=2), 0)


SCRIPT = """
import sys
from functools import partial
from nas_bench_suite import Objective, search
from nas_bench_suite.benchmarks.planted import Planted
from optimizers.random_search import RandomSearch
from tests.unit.trainings import hang

objective = Objective(Planted().space, partial(hang, folder=sys.argv[1]), workers=2)
search(RandomSearch(), objective, budget=4, trials=2, seed=0, journal=sys.argv[2])
"""


def test_an_interrupted_or_killed_search_leaves_no_process_behind(tmp_path: Path) -> None:
    searches = {}
    for stop in (signal.SIGINT, signal.SIGKILL):
        folder = tmp_path / stop.name
        folder.mkdir()
        searches[stop] = start(["-c", SCRIPT, str(folder), str(tmp_path / f"{stop.name}.jsonl")])
    try:
        for stop, process in searches.items():
            while len(os.listdir(tmp_path / stop.name)) < 2:
                assert process.poll() is None
                time.sleep(0.05)
            if stop == signal.SIGINT:
                os.killpg(process.pid, stop)  # as the terminal does
            else:
                process.kill()
            began = time.monotonic()
            process.wait(30)
            workers = [int(name) for name in os.listdir(tmp_path / stop.name)]
            while not all(map(gone, workers)):
                assert time.monotonic() - began < 30, stop
                time.sleep(0.05)
            assert not (tmp_path / f"{stop.name}.jsonl").exists() or stop == signal.SIGKILL
            assert process.stderr is not None
            assert process.returncode == (-stop if stop == signal.SIGKILL else process.returncode) != 0
    finally:
        for process in searches.values():
            process.kill()
            process.communicate()
