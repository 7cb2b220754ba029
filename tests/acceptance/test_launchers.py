"""Hydra's launchers: query files are the basic launcher's, byte for byte, and a multirun that was killed is
finished by the same command."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JOBS = [
    "benchmark=planted",
    "optimizer=random,regularized_evolution",
    "budget=120",
    "trials=30",
    "trials_per_block=1",
]
LAUNCHERS = {
    "basic": [],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local"],
}


def command(folder: Path, launcher: str, *more: str) -> list[str]:
    plugin = {
        "joblib": "hydra_plugins.hydra_joblib_launcher",
        "submitit": "hydra_plugins.hydra_submitit_launcher",
    }.get(launcher)
    if plugin and importlib.util.find_spec(plugin) is None:
        pytest.skip(f"the {launcher} launcher is not installed: pip install hydra-{launcher}-launcher")
    return [
        sys.executable,
        str(ROOT / "run.py"),
        "-m",
        *JOBS,
        f"output_dir={folder}",
        *LAUNCHERS[launcher],
        *more,
    ]


def run(folder: Path, launcher: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, launcher, *more), cwd=ROOT, capture_output=True, text=True, timeout=240
    )


def query_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("trials-*.parquet"))
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("basic")
    done = run(folder, "basic")
    assert done.returncode == 0, done.stderr
    files = query_files(folder)
    assert len(files) == 60
    return files


def test_submitit_writes_the_same_query_files(tmp_path: Path, expected: dict[str, bytes]) -> None:
    done = run(tmp_path, "submitit")
    assert done.returncode == 0, done.stderr
    assert query_files(tmp_path) == expected
    assert "random" in done.stdout and "regularized_evolution" in done.stdout


def test_a_killed_joblib_multirun_is_finished_with_the_same_query_files(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    process = subprocess.Popen(
        command(tmp_path, "joblib"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while len(query_files(tmp_path)) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert 2 <= len(query_files(tmp_path)) < 60, "the kill came before the first or after the last block"
    done = run(tmp_path, "joblib")
    assert done.returncode == 0, done.stderr
    assert query_files(tmp_path) == expected


def test_a_job_that_cannot_run_leaves_the_others_alone_under_joblib(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    done = run(tmp_path, "joblib", "optimizer=random", "optimizer.batch=0,100")
    assert done.returncode == 2
    assert "optimizer.batch=0 is out of range" in done.stderr and "Traceback" not in done.stderr
    files = query_files(tmp_path)
    assert set(files.values()) == {data for name, data in expected.items() if "/random/" in name}
