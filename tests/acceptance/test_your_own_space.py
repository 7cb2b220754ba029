"""docs/your-own-space.md, run in an empty folder as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.copies import ROOT

PAGE = (ROOT / "docs" / "your-own-space.md").read_text()


def test_the_page_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names = re.findall(r"^`([\w/.]+)`:$", PAGE, flags=re.MULTILINE)
    assert names == ["my_training.py", "search_it.py"] and len(blocks) == 2
    for name, text in zip(names, blocks):
        (tmp_path / name).write_text(text)
    (commands,) = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)
    printed = []
    for command in commands.splitlines():
        words = [sys.executable, *shlex.split(command)[1:]]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed.append(done.stdout)
    assert "30 of 30 done, 0 running, 0 failed, best 0." in printed[0] and "activation" in printed[0]
    assert "RegularizedEvolution on digits: 30 of 30 evaluations, 0 failed" in printed[1]
    assert (tmp_path / "outputs" / "journals" / "digits.png").stat().st_size > 10_000
    frame = pd.read_csv(tmp_path / "outputs" / "journals" / "digits.csv")
    assert len(frame) == 30 and frame["best"].iloc[-1] == frame["validation"].min() < 0.2
    (best,) = re.findall(r"^best: ([\d.]+)", printed[1], flags=re.MULTILINE)
    assert float(best) == pytest.approx(frame["validation"].min(), rel=1e-5)
    assert f"best {frame['validation'].min():.4f}" in printed[0].splitlines()[29]
