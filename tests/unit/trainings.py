"""Stand-ins for training functions, in a module that worker processes import quickly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HANG = 600.0


def score(architecture: np.ndarray) -> float:
    return float(architecture.sum()) / 20


def misbehave(architecture: np.ndarray) -> float:
    """What becomes of this training says the first variable."""
    deed = int(architecture[0])
    if deed == 1:
        time.sleep(HANG)
    elif deed == 2:
        os._exit(3)
    elif deed == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    elif deed == 4:
        sys.exit("no data")
    elif deed == 5:
        subprocess.run(["sleep", f"{HANG:g}.{os.getppid()}"])  # findable by the search's process
    elif deed == 6:
        raise ValueError("diverged")
    return 0.5


def die_at_first(architecture: np.ndarray, folder: str) -> float:
    """Takes its process down in the first attempt at an architecture, and answers in the second."""
    mark = Path(folder) / "-".join(map(str, architecture))
    if not mark.exists():
        mark.touch()
        os._exit(1)
    return score(architecture)


def hang(architecture: np.ndarray, folder: str) -> float:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(HANG)
    return 0.0
