"""nas-bench-suite: neural-architecture-search methods under one protocol on the same tabular benchmarks."""

from nas_bench_suite.benchmark import Benchmark, Evaluation, load_benchmark
from nas_bench_suite.config import ConfigError
from nas_bench_suite.optimizer import FAILED, INVALID, NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.protocol import Protocol
from nas_bench_suite.space import GraphSpace, SearchSpace, Variable
from nas_bench_suite.streams import Streams

from nas_bench_suite._version import __version__
__all__ = [
    "Benchmark", "ConfigError", "Evaluation", "FAILED", "GraphSpace", "INVALID", "NOT_RUN", "OK", "Optimizer", "Outcome",
    "Proposal", "Protocol", "SearchSpace", "Streams", "Task", "Variable", "load_benchmark",
]  # fmt: skip
