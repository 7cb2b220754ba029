"""The command line: Hydra composes, `job` computes, and whatever goes wrong becomes one clear sentence and
exit code 2.

Heavy imports happen inside functions, so that `python run.py --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from nas_bench_suite import experiments, process
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.messages import (
    GOES_ON,
    arranged,
    complain,
    exit_code,
    one_line,
    sentence_for,
    sentence_of_machine,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from nas_bench_suite.job import JobResult

# Keys that the closing table has columns for, or that change no result.
_SHOWN = ("optimizer", "benchmark", "budget", "trials", "output_dir", "workers", "device", "first_trial")

# Jobs that failed: Hydra passes nothing back from them.
_failures: list[JobResult] = []


def installed() -> NoReturn:
    """The command `nas-bench-suite`: as `python run.py`, with modules of the working directory at hand."""
    sys.path.append(os.getcwd())
    main(experiments.CONF)


def main(config_dir: Path) -> NoReturn:
    """Run the command line over the configs in `config_dir`; ends the process with 0, 1 (an error in the
    code), 2 (wrong input), 130 (Ctrl-C) or 143 (SIGTERM)."""
    sys.exit(exit_code(lambda: _command(config_dir), GOES_ON, "the results are complete"))


def _command(config_dir: Path) -> int:
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # one thread per process: blocks and jobs are what is spread
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises, and the sentence is ours
    import hydra

    from nas_bench_suite.sweeper import register

    _failures.clear()
    register(_failures)
    sys.argv[1:] = arranged(_without_folders(sys.argv[1:]))
    try:
        hydra.main(version_base="1.3", config_path=str(config_dir.resolve()), config_name="config")(task)()
    except ConfigError:
        raise
    except Exception as error:  # whatever comes from here, comes before a job or between two
        raise ConfigError(sentence_for(error, sys.argv[1:], config_dir)) from error
    if _failures:
        return 1 if any(result.crashed for result in _failures) else 2
    return 0


def _is_shown(word: str) -> bool:
    return word.lstrip("+~").partition("=")[0] in _SHOWN


def _without_folders(arguments: list[str]) -> list[str]:
    """Use the folders of `--config-dir` and take the option out: the search path is ours to fill, so that
    messages, experiments and Hydra know the same files."""
    rest, words = [], iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in ("--config-dir", "-cd"):
            rest.append(word)
            continue
        folder = value if equals else next(words, "")
        if not folder:
            raise ConfigError(f"{name} lacks its value; accepted: a folder with optimizer/NAME.yaml.")
        experiments.use_folder(folder)
    return rest


def task(config: DictConfig) -> JobResult:
    """Hydra's task function: one job. A failure comes back as a result, so that the other jobs of a multirun
    go on."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from nas_bench_suite.console import print_results
    from nas_bench_suite.job import JobResult, run_job
    from nas_bench_suite.progress import JobProgress

    hydra_config = HydraConfig.get()
    choices = hydra_config.runtime.choices
    label, benchmark = str(choices.get("optimizer")), str(choices.get("benchmark"))
    many = hydra_config.mode is not None and hydra_config.mode.name == "MULTIRUN"
    words: Any = OmegaConf.to_container(hydra_config.overrides.task, resolve=False)
    job = f"job: {one_line(' '.join(words))}"
    crashed = False
    try:
        try:
            resolved: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except (OmegaConfBaseException, RecursionError) as error:
            raise ConfigError(sentence_for(error, [], Path())) from None
        own = [word.removeprefix("optimizer.") for word in words if not _is_shown(word)]
        own = [word for word in own if not word.startswith("trials_per_block")]
        number = hydra_config.job.num if many else None
        with JobProgress(" ".join([label, *own]), resolved.get("trials"), number) as progress:
            result = run_job(resolved, label, benchmark, progress)
        if process.interrupted():  # and somebody's code went on
            raise process.interrupt()
    except BaseException as error:
        if process.interrupted():
            raise process.interrupt() from None
        if isinstance(error, ConfigError):
            failure = str(error)
        elif isinstance(error, (MemoryError, OSError)):
            failure = sentence_of_machine(error)
        else:
            # Somebody's new method has a fault, or ends the process: whoever left the multirun running over
            # night wants the other results, and the traceback.
            traceback.print_exception(error)
            crashed = True
            what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
            failure = f"{what} (traceback above{f'; {job}' if many else ''})"
        if many and not crashed:
            failure = f"{failure} ({job})"
    else:
        result.overrides = tuple(word for word in words if not _is_shown(word))
        if not many:
            print_results([result])
        return result
    result = JobResult(label, benchmark, failure=failure, crashed=crashed)
    if not many:
        complain(failure)
        _failures.append(result)
    return result
