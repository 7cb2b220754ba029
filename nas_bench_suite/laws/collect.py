"""Configs, composed as the command line composes them."""

from __future__ import annotations

from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from nas_bench_suite.experiments import CONF, names

__all__ = ["CONF", "composed", "names"]


def composed(*overrides: str) -> dict[str, Any]:
    """A job's configuration as `python run.py OVERRIDES` has it."""
    from nas_bench_suite.sweeper import register

    register([])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}
