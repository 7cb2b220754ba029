"""Every optimizer and benchmark config, composed as the command line composes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"


def names(group: str) -> list[str]:
    """The configs of a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def composed(*overrides: str) -> dict[str, Any]:
    """A job's configuration as `python run.py OVERRIDES` has it."""
    from nas_bench_suite.sweeper import register

    register([])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}
