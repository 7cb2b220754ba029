"""What commands say when they cannot go on: one sentence for each way in which Hydra can refuse a command
line (what is wrong, where, and what would be accepted), and the exit codes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError, nearest

_FLAGS = (
    "--help",
    "-h",
    "--hydra-help",
    "--version",
    "--cfg",
    "-c",
    "--resolve",
    "--package",
    "-p",
    "--run",
    "-r",
    "--multirun",
    "-m",
    "--shell-completion",
    "-sc",
    "--config-path",
    "-cp",
    "--config-name",
    "-cn",
    "--config-dir",
    "-cd",
    "--experimental-rerun",
    "--info",
    "-i",
)


def exit_code(command: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Run a command: what it returns, or its one sentence on stderr and 2 for wrong input, 130 when
    interrupted."""
    try:
        return command()
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130


GOES_ON = "interrupted; the same command goes on from the last finished block."


def unknown_flag(arguments: list[str]) -> str | None:
    """The sentence for the first flag that is not known, or None."""
    for argument in arguments:
        name = argument.split("=")[0]
        if name.startswith("-") and name not in _FLAGS:
            return (
                f"{name} is not an option{nearest(name, _FLAGS)}; accepted: -m, --help, --cfg job, "
                "--hydra-help, and keys such as budget=150."
            )
    return None


def sentence_for(error: Exception, overrides: list[str], config_dir: Path) -> str | None:
    """The sentence for an error that Hydra or OmegaConf raised over `overrides`; None if it is of another
    kind."""
    from hydra.errors import (
        ConfigCompositionException,
        HydraException,
        MissingConfigException,
        OverrideParseException,
    )
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, MissingConfigException):
        return _missing_config(error, config_dir)
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} cannot be read as an override; accepted: key=value, or key=value1,value2 "
            "with -m."
        )
    if isinstance(error, (ConfigCompositionException, HydraException, OmegaConfBaseException)):
        return _composition(error, overrides, config_dir)
    return None


def _missing_config(error: Any, config_dir: Path) -> str:
    match = re.search(r"Could not find '([^']+)'", str(error))
    wanted = match[1] if match else str(error.missing_cfg_file)
    group, _, name = wanted.rpartition("/")
    known = options(config_dir, group) or list(error.options or [])
    if not known:
        return (
            f"there is no config group '{group}'; accepted: "
            f"{', '.join(sorted(path.name for path in config_dir.iterdir() if path.is_dir()))}."
        )
    return f"{group}={name} is not known{nearest(name, known)}; accepted: {', '.join(known)}."


def _composition(error: Exception, overrides: list[str], config_dir: Path) -> str:
    text = str(error) + (f"\n{error.__cause__}" if error.__cause__ else "")
    match = re.search(r"Could not override '([^']+)'", text)
    if match:
        key = match[1].lstrip("+~")
        known = keys(overrides, config_dir)
        siblings = [name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0]] or known
        return (
            f"{key} is not a key of this configuration{nearest(key, known)}; accepted: {', '.join(siblings)}."
        )
    match = re.search(r"Could not find a match for override|Key '([^']+)' is not in struct", text)
    if match and match[1]:
        known = keys(overrides, config_dir)
        return (
            f"{match[1]} is not a key of this configuration{nearest(match[1], known)}; accepted: "
            f"{', '.join(known)}."
        )
    match = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if match:
        return (
            f"{match[1]} holds several values; accepted: one value, or several with -m (python run.py -m "
            f"{match[1]})."
        )
    return " ".join(
        line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("See ")
    )


def options(config_dir: Path, group: str) -> list[str]:
    """The names of a config group."""
    return experiments.names(group, config_dir)


def keys(overrides: list[str], config_dir: Path) -> list[str]:
    """The keys that a command line with these overrides may set: dotted, with those of the chosen configs."""
    from omegaconf import DictConfig, OmegaConf

    main = OmegaConf.load(config_dir / "config.yaml")
    chosen: dict[str, str] = {
        str(group): str(name)
        for entry in main.defaults
        if isinstance(entry, DictConfig)
        for group, name in entry.items()
        if not str(group).startswith("override ")
    }
    for override in overrides:
        group, _, value = override.lstrip("+").partition("=")
        if group in chosen:
            chosen[group] = value.split(",")[0]
    found: list[str] = [str(key) for key in main if key not in ("defaults", "hydra")]
    for group, name in chosen.items():
        if name in options(config_dir, group):
            found += [key for key in _flat(experiments.packaged(group, name, config_dir)) if "." in key]
    return list(dict.fromkeys(found + list(map(str, chosen))))


def _flat(config: Any, prefix: str = "") -> list[str]:
    """Dotted keys of nested dictionaries, without those that start with an underscore."""
    names = []
    for key, value in config.items():
        if not str(key).startswith("_"):
            names.append(prefix + str(key))
            if isinstance(value, dict):
                names += _flat(value, f"{prefix}{key}.")
    return names
