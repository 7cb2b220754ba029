"""nas-bench-suite: neural-architecture-search methods under one protocol on the same tabular benchmarks."""

from nas_bench_suite import process  # before all that takes long to import

# isort: split
from nas_bench_suite import numba_cache  # before all that compiles

# isort: split
from nas_bench_suite._version import __version__
from nas_bench_suite.benchmark import Benchmark, Evaluation, Lookups, load_benchmark
from nas_bench_suite.categorical import CategoricalSpace, grid, ordered
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.objective import Objective
from nas_bench_suite.optimizer import FAILED, INVALID, NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.record import SearchRecord
from nas_bench_suite.search import search
from nas_bench_suite.space import GraphSpace, SearchSpace, Variable
from nas_bench_suite.streams import Streams

__all__ = [
    "FAILED",
    "INVALID",
    "NOT_RUN",
    "OK",
    "Benchmark",
    "CategoricalSpace",
    "ConfigError",
    "Evaluation",
    "GraphSpace",
    "Lookups",
    "Objective",
    "Optimizer",
    "Outcome",
    "Proposal",
    "Protocol",
    "SearchRecord",
    "SearchSpace",
    "Streams",
    "Task",
    "Variable",
    "__version__",
    "grid",
    "load_benchmark",
    "numba_cache",
    "ordered",
    "process",
    "search",
]  # fmt: skip
