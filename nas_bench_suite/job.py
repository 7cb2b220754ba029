"""One job: a benchmark, a method and a protocol become result files, and a line for the closing table.

A job is cut into blocks of `trials_per_block` trials on an absolute grid. Blocks that are complete are left
alone, the others are computed (one after the other, or `workers` at a time), so a job that was interrupted
goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas_bench_suite.benchmark import Benchmark
from nas_bench_suite.build import check_device, make_benchmark, make_optimizer, make_protocol
from nas_bench_suite.checks import ConfigError, check_int, nearest, shown
from nas_bench_suite.identity import benchmark_identity, optimizer_identity
from nas_bench_suite.optimizer import Optimizer
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.provenance import Provenance, provenance
from nas_bench_suite.results import LARGEST, Block, Run, read_whole, remove_leftovers, run_key, write_whole
from nas_bench_suite.search import search
from nas_bench_suite.workers import Stopped, Workers

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
_ROW_BYTES = 250  # of memory per query while a block is searched: books, hash tables and the record
_DISK_BYTES = 12  # per query in a result file
_PROCESS_BYTES = 150_000_000  # of memory per worker process, before it searches
MOST_WORKERS = 1024
# Called with the trials finished, counting parts of those under way, and the trials of all blocks.
Progress = Callable[[float, int], None]
BlockProgress = Callable[[float], None]  # the same within the blocks to compute


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
            budget=check_int("budget", config["budget"], 1, LARGEST),
            seed=check_int("seed", config["seed"], 0),
            device=check_device(str(config["device"])),
            protocol=make_protocol(config["protocol"]),
            optimizer=make_optimizer(config["optimizer"]),
            benchmark=make_benchmark(config["benchmark"]),
        )


def run_job(
    config: Mapping[str, Any], label: str, benchmark_label: str, progress: Progress | None = None
) -> JobResult:
    """Run one job.

    Args:
        config: the resolved configuration, with the keys `KEYS`.
        label, benchmark_label: names of the method's and the benchmark's config.
        progress: called with the number of trials finished and that of all trials of the blocks.

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
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ConfigError(
            f"{missing[0]} is missing from this configuration; accepted: every key of {', '.join(KEYS)}."
        )
    trials = check_int("trials", config["trials"], 1, LARGEST)
    first_trial = check_int("first_trial", config["first_trial"], 0, LARGEST)
    workers = check_int("workers", config["workers"], 1, MOST_WORKERS)
    output_dir = check_output_dir(config["output_dir"])
    work = Work.of(config)
    size = config["trials_per_block"]
    if size is None:
        size = min(work.optimizer.trials_per_block, trials)
    size = check_int("trials_per_block", size, 1)
    begin, end = first_trial // size * size, -(-(first_trial + trials) // size) * size
    _check_size(work.budget, end, end - begin, size, workers, output_dir)
    facts = work.benchmark.facts()
    identity = {
        "benchmark": benchmark_identity(config["benchmark"]) | {"checksum": facts["checksum"]},
        "benchmark_label": benchmark_label,
        "budget": work.budget,
        "optimizer": optimizer_identity(config["optimizer"]),
        "optimizer_label": label,
        "protocol": asdict(work.protocol),
        "seed": work.seed,
        "trials_per_block": size,
    }
    identity = json.loads(json.dumps(identity))
    key = run_key(identity)
    run = Run(output_dir / benchmark_label / label / f"{work.budget}-{key}")
    options = json.loads(json.dumps(dict(config["benchmark"])))
    origin = provenance(key, work.optimizer, work.benchmark, options, work.device)
    blocks = [run.block(first, size) for first in range(begin, end, size)]
    try:
        remove_leftovers(run.folder)
        todo, warnings = _unfinished(blocks, origin)
    except OSError as error:
        raise cannot_be_used(output_dir, error) from None
    if notice := facts.get("notice"):
        warnings.append(notice)
    result = JobResult(
        label, benchmark_label, work.budget, str(run.folder), surrogate=facts["surrogate"], warnings=warnings
    )
    result.computed = len(todo)
    _write_config(run, identity)
    if todo:
        total = trials_of(blocks)
        done = float(total - trials_of(todo))
        report = (lambda more: progress(done + more, total)) if progress is not None else None
        result.warnings += _compute(todo, config, work, origin, workers, report)
    ledgers = [block.ledger() for block in blocks]
    joined = {name: np.concatenate([ledger[name] for ledger in ledgers]) for name in ledgers[0]}
    asked = (joined["trial"] >= first_trial) & (joined["trial"] < first_trial + trials)
    result.ledger = {name: column[asked] for name, column in joined.items()}
    result.seconds = time.perf_counter() - began
    return result


def check_output_dir(value: Any) -> Path:
    """The folder of results; raises `ConfigError` for what is no path."""
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise ConfigError(
            f"output_dir={shown(repr(value))} is no path; accepted: the path of a folder, as in outputs."
        )
    return Path(value)


def cannot_be_used(output_dir: Path, error: Exception) -> ConfigError:
    """The complaint about a folder that cannot be read or made."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else error
    return ConfigError(
        f"output_dir={shown(output_dir)} cannot be used: {why}; accepted: a folder that can be written to, "
        "or a path where one can be made."
    )


def _check_size(budget: int, end: int, trials: int, size: int, workers: int, folder: Path) -> None:
    """Refuse what cannot end well before anything is computed: trials past what a file holds, a block past
    the memory, results past the disk.

    Args:
        budget: queries per trial.
        end: the trial after the last one of the last block.
        trials: of all blocks.
        size: of a block.
        workers: blocks at a time.
        folder: where results go.
    """
    if end - 1 > LARGEST:
        raise ConfigError(
            f"first_trial + trials reaches trial {end - 1:,} (whole blocks of {size:,}); accepted: up to "
            f"{LARGEST:,}."
        )
    at_once = min(workers, -(-trials // size))
    need, memory = _ROW_BYTES * budget * size * at_once, _physical_memory()
    need += _PROCESS_BYTES * at_once if workers > 1 else 0
    if memory and need > memory:
        raise ConfigError(
            f"{at_once} block(s) of {size:,} trials with budget={budget:,} need about "
            f"{need / 1e9:,.0f} GB of memory, and this machine has {memory / 1e9:,.0f} GB; accepted: a "
            "smaller trials_per_block, budget or workers."
        )
    need, free = _DISK_BYTES * budget * trials, _free_disk(folder)
    if need > free:
        raise ConfigError(
            f"{trials:,} trials with budget={budget:,} are {budget * trials:,} queries and need about "
            f"{need / 1e9:,.0f} GB in {folder}, where {free / 1e9:,.0f} GB are free; accepted: fewer trials, "
            "or an "
            "output_dir with more room."
        )


def _free_disk(folder: Path) -> int:
    """Bytes that are free where `folder` lies or would be made; as good as any number where that is not
    known."""
    for place in (folder.absolute(), *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return sys.maxsize


def _physical_memory() -> int:
    """Bytes of memory that this machine has; 0 where that is not known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0


def trials_of(blocks: list[Block]) -> int:
    """How many trials these blocks hold."""
    return sum(block.last - block.first + 1 for block in blocks)


def _unfinished(blocks: list[Block], origin: Provenance) -> tuple[list[Block], list[str]]:
    """The blocks to compute, and warnings. Results of other code are reused when they are complete and never
    mixed with new ones; those of another configuration, moved here by hand, are not used."""
    current = origin["source_hash"]
    made_by: dict[Block, str | None] = {}
    warnings = []
    for block in blocks:
        if not block.exists():
            made_by[block] = None
            continue
        try:
            made_by[block] = block.check(origin["key"]).get("source_hash")
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
    """Write config.yaml where it is missing or holds anything else, beside complete blocks too."""
    from omegaconf import OmegaConf

    path = run.folder / "config.yaml"
    content = OmegaConf.to_yaml(OmegaConf.create(identity)).encode()
    try:
        found = read_whole(path)
    except OSError:  # missing, or no file: writing says what is wrong
        found = None
    if found != content:
        write_whole(path, content)


def _compute(
    blocks: list[Block],
    config: Mapping[str, Any],
    work: Work,
    origin: Provenance,
    workers: int,
    report: BlockProgress | None,
) -> list[str]:
    """Compute the blocks, one after another or `workers` at a time. Returns warnings."""
    if workers > 1:
        return _compute_in_workers(blocks, config, origin, workers, report)
    done = 0.0
    for block in blocks:
        size = block.last - block.first + 1

        def within(spent: int, total: int, done: float = done, size: int = size) -> None:
            if report is not None:
                report(done + size * spent / total)

        _compute_block(block, work, origin, within)
        done += size
        if report is not None:
            report(done)
    return []


def _compute_in_workers(
    blocks: list[Block],
    config: Mapping[str, Any],
    origin: Provenance,
    workers: int,
    report: BlockProgress | None,
) -> list[str]:
    """The same in processes. A block whose process was killed is tried once more.

    Raises:
        ConfigError: if its process is killed again.
    """
    pool = Workers(_compute_in_worker, min(workers, len(blocks)), None, "a block of trials")
    waiting = deque((i, (block, dict(config), origin)) for i, block in enumerate(blocks))
    warnings: dict[int, str] = {}
    done = 0.0
    try:
        for i, answer in pool.call_each(waiting):
            block = blocks[i]
            if not isinstance(answer, Stopped):
                done += trials_of([block])
                if report is not None:
                    report(done)
                continue
            where = f"trials {block.first} to {block.last} in {block.folder}"
            if i in warnings:
                raise ConfigError(
                    f"the worker process of {where} was killed twice ({answer}; memory?); accepted: fewer "
                    "workers, or a smaller trials_per_block. What was finished is kept."
                )
            warnings[i] = f"the worker process of {where} was killed ({answer}; memory?) and tried once more."
            waiting.append((i, (block, dict(config), origin)))
    finally:
        pool.close()
        remove_leftovers(blocks[0].folder)  # of processes that were ended
    return list(warnings.values())


def _compute_block(
    block: Block,
    work: Work,
    origin: Provenance,
    progress: Callable[[int, int], None] | None = None,
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
        trials=trials_of([block]),
        first_trial=block.first,
        seed=work.seed,
        device=work.device,
        progress=progress,
    )
    block.write(record, origin)


def _compute_in_worker(block: Block, config: dict[str, Any], origin: Provenance) -> None:
    try:
        _compute_block(block, Work.of(config), origin)
    except (SystemExit, KeyboardInterrupt) as error:  # raised by a method: not this process's to obey
        raise RuntimeError(f"{type(error).__name__} came out of a search: {error}") from error
