"""docs/tutorial.md: its blocks, run one after the other as they stand."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"^```(python|bash)\n(.*?)^```$", (ROOT / "docs" / "tutorial.md").read_text(), re.DOTALL | re.MULTILINE
)


def test_the_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run.py", "conf"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "tutorial"}
    said = []
    for language, block in BLOCKS:
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block, "tutorial.md", "exec"), names)
            said.append(out.getvalue())
            continue
        words = [
            sys.executable if word == "python" else word for word in shlex.split(block.replace("\\\n", " "))
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert [language for language, _ in BLOCKS] == ["python", "bash", "python", "python", "python"]
    _, command, frame, method, space = said
    assert "*" in command and "less random" in command and "108" not in command
    assert frame.count("local_search") == 1
    errors = names["errors"]
    assert errors["OneStep"].mean() < errors["RandomSearch"].mean() and "% test error" in method
    assert float(space.split(":")[1]) == pytest.approx(0.9)
    assert len((tmp_path / "layers.jsonl").read_text().splitlines()) > 40
    assert np.isfinite(errors["OneStep"]).all()
