"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data: $NBS_SHARED_DATA, else ../shared/data beside the project. Tests that need it
    skip where it is absent."""
    folder = Path(os.environ.get("NBS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"no real data at {folder}: set NBS_SHARED_DATA to a folder that holds nasbench101/ and "
            "nasbench201/"
        )
    return folder
