"""One job: a benchmark, a method and a protocol become result files, and a line for the closing table.

A job is cut into blocks of `trials_per_block` trials on an absolute grid. Blocks that are complete are left
alone, the others are computed (one after the other, or `workers` at a time), so a job that was interrupted
goes on where it stopped.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import platform
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmark import Benchmark, load_benchmark
from nas_bench_suite.checks import ConfigError, check_choice, check_int, nearest
from nas_bench_suite.optimizer import Optimizer
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.results import (
    Block,
    Run,
    git_commit,
    remove_leftovers,
    run_key,
    source_hash,
    write_whole,
)
from nas_bench_suite.search import search

KEYS = (
    "optimizer",
    "benchmark",
    "protocol",
    "budget",
    "trials",
    "first_trial",
    "seed",
    "output_dir",
    "trials_per_block",
    "device",
    "workers",
)
_VERSIONS = ("numpy", "numba", "torch", "scipy", "scikit-learn", "hydra-core", "pyarrow", "nas-bench-suite")
_CORE = Path(__file__).parent
BlockProgress = Callable[[float], None]  # trials finished, counting parts of those under way


@dataclass
class JobResult:
    """What a job found. Errors are in percent; `failure` is the sentence of a job that could not run
    (`crashed`: by an error in the code, not in its input); `overrides` are the words of its command line that
    the closing table has no columns for."""

    label: str
    benchmark: str = ""
    budget: int = 0
    folder: str = ""
    ledger: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    computed: int = 0
    surrogate: bool = False
    warnings: list[str] = field(default_factory=list)
    failure: str | None = None
    crashed: bool = False
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """What the blocks of a job share."""

    optimizer: Optimizer
    benchmark: Benchmark
    protocol: Protocol
    budget: int
    seed: int
    device: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Work:
        """Check and make it from a job's configuration; raises `ConfigError`."""
        return cls(
            budget=check_int("budget", config["budget"], 1),
            seed=check_int("seed", config["seed"], 0),
            device=_check_device(str(config["device"])),
            protocol=make_protocol(config["protocol"]),
            optimizer=make_optimizer(config["optimizer"]),
            benchmark=make_benchmark(config["benchmark"]),
        )


def run_job(
    config: Mapping[str, Any], label: str, benchmark_label: str, progress: BlockProgress | None = None
) -> JobResult:
    """Run one job.

    Args:
        config: the resolved configuration, with the keys `KEYS`.
        label, benchmark_label: names of the method's and the benchmark's config.
        progress: called with the number of trials finished.

    Raises:
        ConfigError: for anything wrong in `config`, and for files that cannot be written.
    """
    began = time.perf_counter()
    unknown = [key for key in config if key not in KEYS]
    if unknown:
        raise ConfigError(
            f"{unknown[0]} is not a key of this configuration{nearest(unknown[0], KEYS)}; accepted: "
            f"{', '.join(KEYS)}."
        )
    trials = check_int("trials", config["trials"], 1)
    first_trial = check_int("first_trial", config["first_trial"], 0)
    workers = check_int("workers", config["workers"], 1)
    work = Work.of(config)
    size = config["trials_per_block"]
    size = (
        min(work.optimizer.trials_per_block, trials)
        if size is None
        else check_int("trials_per_block", size, 1)
    )
    facts = work.benchmark.facts()
    identity = {
        # What a file holds determines the result, where it lies does not.
        "benchmark": {key: value for key, value in config["benchmark"].items() if key != "path"}
        | {"checksum": facts["checksum"]},
        "benchmark_label": benchmark_label,
        "budget": work.budget,
        "optimizer": dict(config["optimizer"]),
        "optimizer_label": label,
        "protocol": {key: getattr(work.protocol, key) for key in ("run", "repeats", "invalid", "cost")},
        "seed": work.seed,
        "trials_per_block": size,
    }
    identity = json.loads(json.dumps(identity))
    run = Run(Path(config["output_dir"]) / benchmark_label / label / f"{work.budget}-{run_key(identity)}")
    provenance = {"key": run_key(identity), **_provenance(work, facts)}
    provenance["benchmark"]["options"] = json.loads(json.dumps(dict(config["benchmark"])))
    blocks = [
        run.block(first, size) for first in range(first_trial // size * size, first_trial + trials, size)
    ]
    todo, warnings = _unfinished(blocks, provenance)
    if facts.get("notice"):
        warnings.append(facts["notice"])
    result = JobResult(
        label,
        benchmark_label,
        work.budget,
        str(run.folder),
        surrogate=bool(facts.get("surrogate")),
        warnings=warnings,
    )
    result.computed = len(todo)
    if todo:
        _write_config(run, identity)
        remove_leftovers(run.folder)
        done = float(trials_of(blocks) - trials_of(todo))
        report = (lambda more: progress(done + more)) if progress is not None else None
        _compute(todo, config, work, provenance, workers, report)
    ledgers = [block.ledger() for block in blocks]
    joined = {name: np.concatenate([ledger[name] for ledger in ledgers]) for name in ledgers[0]}
    asked = (joined["trial"] >= first_trial) & (joined["trial"] < first_trial + trials)
    result.ledger = {name: column[asked] for name, column in joined.items()}
    result.seconds = time.perf_counter() - began
    return result


def trials_of(blocks: list[Block]) -> int:
    """How many trials these blocks hold."""
    return sum(block.last - block.first + 1 for block in blocks)


def make_protocol(options: Mapping[str, Any]) -> Protocol:
    """The protocol of a config section; raises `ConfigError` for an unknown key or value."""
    accepted = list(inspect.signature(Protocol).parameters)
    for key in options:
        if key not in accepted:
            raise ConfigError(
                f"protocol.{key} is not known{nearest(key, accepted)}; accepted: {', '.join(accepted)}."
            )
    return Protocol(**{str(key): value for key, value in options.items()})


def make_benchmark(options: Mapping[str, Any]) -> Benchmark:
    """The benchmark of a config section (`name` and its options)."""
    if "name" not in options:
        raise ConfigError(
            "benchmark.name is missing; accepted: the name of a benchmark, as in conf/benchmark/*.yaml."
        )
    return load_benchmark(
        options["name"], **{str(key): value for key, value in options.items() if key != "name"}
    )


def make_optimizer(options: Mapping[str, Any]) -> Optimizer:
    """The method of a config section (`_target_` and hyperparameters); raises `ConfigError` for a wrong
    one."""
    from hydra.errors import InstantiationException
    from hydra.utils import get_class, instantiate

    try:
        target = get_class(options["_target_"])
    except KeyError:
        raise ConfigError(
            "optimizer._target_ is missing; accepted: the dotted path of an Optimizer class."
        ) from None
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"optimizer._target_={options['_target_']} cannot be imported ({str(error).splitlines()[0]}); "
            "accepted: the dotted path of an "
            "Optimizer class."
        ) from None
    if not (inspect.isclass(target) and issubclass(target, Optimizer)):
        raise ConfigError(
            f"optimizer._target_={options['_target_']} is no Optimizer; accepted: a subclass of "
            "nas_bench_suite.Optimizer."
        )
    accepted = [name for name in inspect.signature(target).parameters if name != "self"]
    for key in options:
        if key not in accepted and not str(key).startswith("_"):
            raise ConfigError(
                f"optimizer.{key} is not a hyperparameter of {target.__name__}{nearest(key, accepted)}; "
                f"accepted: {', '.join(accepted)}."
            )
    try:
        return instantiate(dict(options))
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ConfigError):
                raise cause from None
            cause = cause.__cause__
        raise


def _check_device(device: str) -> str:
    if device == "cpu":
        return device
    check_choice("device", device.split(":")[0], ("cpu", "cuda", "mps"))
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise ConfigError(f"device={device} is not to be had on this machine; accepted here: cpu.") from None
    return device


def _provenance(work: Work, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of how a result came about."""
    module = Path(inspect.getfile(type(work.optimizer)))
    sources = [
        *_CORE.glob("*.py"),
        module,
        *([module.parent / "parts"] if (module.parent / "parts").is_dir() else []),
    ]
    sources += [Path(inspect.getfile(type(work.benchmark)))]
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _VERSIONS},
        **git_commit(_CORE.parent),
        "source_hash": f"{source_hash(sources)}-{str(facts.get('checksum', ''))[:16]}",
        "benchmark": {
            key: facts.get(key)
            for key in ("name", "description", "source", "checksum", "surrogate", "notice")
        },
        "host": socket.gethostname(),
        "platform": f"{platform.machine()} {platform.system()}",
        "device": work.device,
        "command": sys.argv,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _unfinished(blocks: list[Block], provenance: dict[str, Any]) -> tuple[list[Block], list[str]]:
    """The blocks to compute, and warnings. Results of other code are reused when they are complete and never
    mixed with new ones; those of another configuration, moved here by hand, are not used."""
    current: str = provenance["source_hash"]
    made_by: dict[Block, str | None] = {}
    warnings = []
    for block in blocks:
        if not block.exists():
            made_by[block] = None
            continue
        try:
            block.queries()
            block.check_key(provenance["key"])
            made_by[block] = block.manifest().get("source_hash")
        except ConfigError as error:
            made_by[block] = None
            warnings.append(f"{error} It is computed anew.")
    hashes = set(made_by.values())
    if hashes == {current}:
        return [], warnings
    if None not in hashes and len(hashes) == 1:
        warnings.append(
            f"{blocks[0].folder} was made by another version of the code and is reused as it is; remove it "
            "to have it made anew."
        )
        return [], warnings
    todo = [block for block, made in made_by.items() if made != current]
    others = [block for block in todo if made_by[block] is not None]
    if others:
        warnings.append(
            f"{len(others)} block(s) in {others[0].folder} were made by another version of the code and are "
            "made anew."
        )
    return todo, warnings


def _write_config(run: Run, identity: dict[str, Any]) -> None:
    from omegaconf import OmegaConf

    path = run.folder / "config.yaml"
    content = OmegaConf.to_yaml(OmegaConf.create(identity)).encode()
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)


def _compute(
    blocks: list[Block],
    config: Mapping[str, Any],
    work: Work,
    provenance: dict[str, Any],
    workers: int,
    report: BlockProgress | None,
) -> None:
    done = 0.0
    if workers == 1:
        for block in blocks:
            size = block.last - block.first + 1

            def within(spent: int, total: int, done: float = done, size: int = size) -> None:
                if report is not None:
                    report(done + size * spent / total)

            _compute_block(block, work, provenance, within)
            done += size
            if report is not None:
                report(done)
        return
    from joblib import Parallel, delayed

    jobs = (delayed(_compute_in_worker)(block, dict(config), provenance) for block in blocks)
    for size in Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
        done += size
        if report is not None:
            report(done)


def _compute_block(
    block: Block, work: Work, provenance: dict[str, Any], progress: Callable[[int, int], None] | None = None
) -> None:
    """Search one block's trials and write it."""
    if "torch" in sys.modules:
        # one thread a process is the better default on a shared machine
        sys.modules["torch"].set_num_threads(1)
    record = search(
        work.optimizer,
        work.benchmark,
        work.protocol,
        budget=work.budget,
        trials=block.last - block.first + 1,
        first_trial=block.first,
        seed=work.seed,
        device=work.device,
        progress=progress,
    )
    block.write(record, provenance)


def _compute_in_worker(block: Block, config: dict[str, Any], provenance: dict[str, Any]) -> int:
    _compute_block(block, Work.of(config), provenance)
    return block.last - block.first + 1
