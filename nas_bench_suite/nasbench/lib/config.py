"""The settings of `nasbench.lib.config`: how the networks of the table were trained."""

from __future__ import annotations

from typing import Any

from nas_bench_suite.benchmarks.nasbench101.cells import MAX_EDGES, VERTICES
from nas_bench_suite.benchmarks.nasbench101.compat import AVAILABLE_OPS
from nas_bench_suite.benchmarks.nasbench101.table import RUNS


def build_config() -> dict[str, Any]:
    """A new dictionary of the settings, with the library's keys and defaults."""
    return {
        "train_data_files": [],
        "valid_data_file": "",
        "test_data_file": "",
        "sample_data_file": "",
        "data_format": "channels_last",
        "num_labels": 10,
        "module_vertices": VERTICES,
        "max_edges": MAX_EDGES,
        "available_ops": list(AVAILABLE_OPS),
        "stem_filter_size": 128,
        "num_stacks": 3,
        "num_modules_per_stack": 3,
        "batch_size": 256,
        "train_epochs": 108,
        "train_seconds": 14400.0,
        "learning_rate": 0.1,
        "lr_decay_method": "COSINE_BY_STEP",
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "max_attempts": 5,
        "intermediate_evaluations": ["0.5"],
        "num_repeats": RUNS,
        "use_tpu": True,
        "tpu_iterations_per_loop": 100,
        "tpu_num_shards": 2,
    }
