"""What commands say when they cannot go on: one sentence for each way in which Hydra can refuse a command
line (what is wrong, where, and what would be accepted), and the exit codes."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NoReturn

from nas_bench_suite import experiments, process
from nas_bench_suite.checks import ConfigError, nearest, shown

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
    "--info",
    "-i",
)
LONGEST = 1000  # characters of a message


GOES_ON = "the same command goes on from the last finished block"
KEPT = "what was written to files is complete"


def exit_code(command: Callable[[], int], interrupted: str = "", kept: str = KEPT) -> int:
    """Run a command and say what went wrong in one sentence on stderr.

    Args:
        command: returns the exit code.
        interrupted: what to know after an interrupt, for the message.
        kept: what is none the worse for a standard output that cannot be written.

    Returns:
        What the command returned, or 2 for wrong input, 130 for Ctrl-C, 143 for SIGTERM. Another exception is
        a fault of the code: it is raised.
    """
    with process.guarded():
        return _guarded(command, interrupted, kept)


def _guarded(command: Callable[[], int], interrupted: str, kept: str) -> int:
    try:
        check_working_directory()
        code = command()
        process.end()
    except BaseException as error:
        if process.interrupted() or isinstance(error, KeyboardInterrupt):
            stopped = process.interrupt() if process.interrupted() else error
            code = process.end(stopped)
            words = "terminated" if code == process.TERMINATED else "interrupted"
            start = "\n" if sys.stderr.isatty() else ""  # a terminal has printed ^C there
            if process.QUIET not in os.environ:
                print(f"{start}{words}{'; ' if interrupted else ''}{interrupted}.", file=sys.stderr)
        else:
            process.end()
            code = _refused(error)
    return process.close_streams(code, kept)


def _refused(error: BaseException) -> int:
    """Print the sentence for what ended a command; returns its exit code. A fault of the code is raised."""
    if isinstance(error, SystemExit):  # of an argument parser
        if isinstance(error.code, str):
            return complain(error.code)
        return error.code or 0
    if isinstance(error, ConfigError):
        return complain(str(error))
    if isinstance(error, (OSError, MemoryError, BrokenProcessPool)):
        return complain(sentence_of_machine(error))
    raise error


def complain(sentence: str) -> int:
    """Print the sentence for wrong input; returns its exit code."""
    print(f"error: {one_line(sentence)}", file=sys.stderr)
    return 2


def one_line(sentence: str) -> str:
    """A message on one line, without control characters, and of readable length."""
    words = " ".join(sentence.split())
    words = "".join(c if c.isprintable() else repr(c)[1:-1] for c in words)
    return words if len(words) <= LONGEST else f"{words[: LONGEST // 2]} ... {words[-LONGEST // 2 :]}"


def check_working_directory() -> None:
    """Raises `ConfigError` where the working directory has been removed: relative paths lead nowhere."""
    try:
        os.getcwd()
    except OSError as error:
        raise ConfigError(
            f"the working directory cannot be used ({error.strerror}); accepted: a folder that exists."
        ) from None


def sentence_of_machine(error: BaseException) -> str:
    """The sentence for what the machine refuses: a file, memory, a process."""
    if isinstance(error, MemoryError):
        what = f" ({one_line(str(error))})" if str(error) else ""
        return f"there is not enough memory{what}; accepted: smaller numbers, or a machine with more memory."
    if isinstance(error, BrokenProcessPool):
        return f"a worker process was killed (memory?); {GOES_ON}."
    assert isinstance(error, OSError)
    where = f"{error.filename} " if error.filename else ""
    return (
        f"{where}cannot be used ({error.strerror or error}); accepted: files and folders that can be read "
        "and written."
    )


class Parser(argparse.ArgumentParser):
    """An argument parser that refuses wrong options in one sentence."""

    def error(self, message: str) -> NoReturn:
        options = [word for action in self._actions for word in action.option_strings[-1:]]
        known = f"; options: {', '.join(options)}" if "unrecognized" in message else ""
        raise SystemExit(complain(f"{self.prog}: {message}{known} (--help says more)."))


def arranged(arguments: list[str]) -> list[str]:
    """A command line in the order that Hydra takes: options first, then the keys.

    Raises:
        ConfigError: for an option that is not known or lacks its value.
    """
    from hydra._internal.utils import get_args_parser

    for argument in arguments:
        name = argument.split("=")[0]
        if name.startswith("-") and name not in _FLAGS:
            raise ConfigError(
                f"{shown(name)} is not an option{nearest(name, _FLAGS)}; accepted: -m, --help, --cfg job, "
                "--hydra-help, and keys such as budget=150."
            )
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    keys = list(parser.parse_intermixed_args(arguments).overrides)
    for key in keys:
        if not key.strip() or ("=" not in key and not key.startswith("~")):
            raise ConfigError(
                f"'{shown(key)}' cannot be read as an override; accepted: key=value, or key=value1,value2 "
                "with -m."
            )
    options = list(arguments)
    for key in reversed(keys):
        del options[len(options) - 1 - options[::-1].index(key)]
    return options + keys


def _refuse(message: str) -> NoReturn:
    raise ConfigError(f"{message}; accepted: as --hydra-help says.")


def sentence_for(error: Exception, overrides: list[str], config_dir: Path) -> str:
    """The sentence for an error that came up while Hydra composed or ran `overrides`.

    Raises:
        Exception: the error itself, where the project's own code is at fault.
    """
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException
    from yaml import YAMLError

    for cause in _causes(error):
        if isinstance(cause, ConfigError):
            return str(cause)
        if isinstance(cause, MissingConfigException):
            return _missing_config(cause, config_dir)
        if isinstance(cause, OverrideParseException):
            return (
                f"{shown(cause.override)} cannot be read as an override; accepted: key=value, or "
                "key=value1,value2 with -m."
            )
        if isinstance(cause, InterpolationKeyError):
            return f"{_first_line(cause)}; accepted: a reference to a key that exists, as in ${{budget}}."
        if isinstance(cause, YAMLError):
            mark = getattr(cause, "problem_mark", None)
            place = f"{mark.name}, line {mark.line + 1}" if mark is not None else getattr(cause, "name", "")
            problem = getattr(cause, "problem", None) or _first_line(cause)
            return f"{place or 'a configuration file'} cannot be read ({problem}); accepted: YAML."
        if "Config group override must be" in str(cause):
            return (
                "a group of configurations (optimizer, benchmark, protocol) takes the name of a file; "
                "accepted: optimizer=random and the like."
            )
        if isinstance(cause, RecursionError) or "Recursive interpolation" in str(cause):
            return "the configuration refers to itself in a circle, or is too deep; accepted: plain values."
        if isinstance(cause, UnicodeError):
            return f"a configuration file cannot be read ({_first_line(cause)}); accepted: YAML in UTF-8."
        if isinstance(cause, (OSError, MemoryError, BrokenProcessPool)):
            return sentence_of_machine(cause)
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return _composition(error, overrides, config_dir)
    if _is_ours(error):
        raise error
    return (
        f"the configuration cannot be composed ({type(error).__name__}: {_first_line(error)}); accepted: "
        "keys and values as python run.py --help shows them."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, outermost first."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _is_ours(error: BaseException) -> bool:
    """Whether an error was raised in this package's own lines."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and Path(trace.tb_frame.f_code.co_filename).is_relative_to(Path(__file__).parent)


def _missing_config(error: Any, config_dir: Path) -> str:
    match = re.search(r"Could not find '([^']+)'", str(error))
    wanted = match[1] if match else str(error.missing_cfg_file)
    group, _, name = wanted.rpartition("/")
    known = options(config_dir, group) or list(error.options or [])
    if not group:
        return f"there is no configuration {shown(wanted)} in {config_dir}; accepted: config."
    if not known:
        return (
            f"there is no config group '{shown(group)}'; accepted: "
            f"{', '.join(sorted(path.name for path in config_dir.iterdir() if path.is_dir()))}."
        )
    return f"{group}={shown(name)} is not known{nearest(name, known)}; accepted: {', '.join(known)}."


def _composition(error: Exception, overrides: list[str], config_dir: Path) -> str:
    text = str(error) + (f"\n{error.__cause__}" if error.__cause__ else "")
    match = re.search(r"Could not override '([^']+)'", text)
    if match:
        key = shown(match[1].lstrip("+~"))
        known = keys(overrides, config_dir)
        siblings = [name for name in known if name.rpartition(".")[0] == key.rpartition(".")[0]] or known
        return (
            f"{key} is not a key of this configuration{nearest(key, known)}; accepted: {', '.join(siblings)}."
        )
    match = re.search(r"Could not find a match for override|Key '([^']+)' is not in struct", text)
    if match and match[1]:
        known = keys(overrides, config_dir)
        return (
            f"{shown(match[1])} is not a key of this configuration{nearest(match[1], known)}; accepted: "
            f"{', '.join(known)}."
        )
    match = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if match:
        return (
            f"{match[1]} holds several values; accepted: one value, or several with -m (python run.py -m "
            f"{match[1]})."
        )
    words = " ".join(
        line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("See ")
    )
    return f"{words.rstrip('.')}; accepted: keys and values as python run.py --help shows them."


def options(config_dir: Path, group: str) -> list[str]:
    """The names of a config group."""
    return experiments.names(group, config_dir)


def keys(overrides: list[str], config_dir: Path) -> list[str]:
    """The keys that a command line with these overrides may set: dotted, with those of the chosen configs;
    none where the files cannot be read."""
    try:
        return _keys(overrides, config_dir)
    except Exception:  # yaml and omegaconf raise many kinds
        return []


def _keys(overrides: list[str], config_dir: Path) -> list[str]:
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
