"""The command line: Hydra composes, `job` computes, and whatever goes wrong becomes one clear sentence and
exit code 2.

Heavy imports happen inside functions, so that `python run.py --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_bench_suite.messages import sentence_for, unknown_flag

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from nas_bench_suite.job import JobResult

# Keys that the closing table has columns for, or that change no result.
_SHOWN = ("optimizer", "benchmark", "budget", "trials", "output_dir", "workers", "device", "first_trial")

# Jobs that failed: Hydra passes nothing back from them.
_failures: list[JobResult] = []


def main(config_dir: Path) -> None:
    """Run the command line over the configs in `config_dir`; ends the process with 0, 1 (an error in the
    code), 2 (wrong input) or 130 (interrupted)."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # one thread a process: blocks and jobs are what is spread
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises, and the sentence is ours
    import hydra

    from nas_bench_suite.checks import ConfigError
    from nas_bench_suite.sweeper import register

    register(_failures)
    complaint = unknown_flag(sys.argv[1:])
    if complaint:
        _fail(complaint)
    try:
        hydra.main(version_base="1.3", config_path=str(config_dir.resolve()), config_name="config")(task)()
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from the last finished block.", file=sys.stderr)
        sys.exit(130)
    except ConfigError as error:
        _fail(str(error))
    except Exception as error:
        sentence = sentence_for(error, sys.argv[1:], config_dir)
        if sentence is None:
            raise
        _fail(sentence)
    if _failures:
        sys.exit(1 if any(result.crashed for result in _failures) else 2)


def _fail(sentence: str) -> None:
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(2)


def task(config: DictConfig) -> JobResult:
    """Hydra's task function: one job. A failure comes back as a result, so that the other jobs of a multirun
    go on."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from nas_bench_suite.checks import ConfigError
    from nas_bench_suite.console import JobProgress, print_results
    from nas_bench_suite.job import JobResult, run_job

    hydra_config = HydraConfig.get()
    choices = hydra_config.runtime.choices
    label, benchmark = str(choices["optimizer"]), str(choices["benchmark"])
    many = hydra_config.mode is not None and hydra_config.mode.name == "MULTIRUN"
    try:
        resolved: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        with JobProgress(label, resolved) as progress:
            result = run_job(resolved, label, benchmark, progress)
    except (ConfigError, OmegaConfBaseException) as error:
        sentence = str(error).splitlines()[0]
        if many:
            return JobResult(
                label, benchmark, failure=f"{sentence} (job: {' '.join(hydra_config.overrides.task)})"
            )
        print(f"error: {sentence}", file=sys.stderr)
        _failures.append(JobResult(label, benchmark, failure=sentence))
        return _failures[-1]
    except Exception as error:
        if not many:
            raise
        # Somebody's new method has a fault: whoever left the multirun running over night wants the other
        # results, and the traceback.
        traceback.print_exc()
        words = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        return JobResult(
            label,
            benchmark,
            failure=f"{words} (traceback above; job: {' '.join(hydra_config.overrides.task)})",
            crashed=True,
        )
    result.overrides = tuple(
        word for word in hydra_config.overrides.task if word.lstrip("+~").partition("=")[0] not in _SHOWN
    )
    if not many:
        print_results([result])
    return result
