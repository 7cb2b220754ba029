"""Code written against Google's `nasbench` library, unchanged: one line before it,

    import nas_bench_suite.nasbench; nas_bench_suite.nasbench.install()

and `from nasbench import api`, `from nasbench.lib import graph_util, model_spec` find the modules of this
package. TensorFlow is not needed. `api` is built on `benchmarks.nasbench101.compat`, which says what holds.
"""

from __future__ import annotations

import importlib
import sys

from nas_bench_suite.checks import ConfigError

MODULES = ("", ".api", ".lib", ".lib.graph_util", ".lib.model_spec", ".lib.config")


def install() -> None:
    """Let `nasbench` and its modules be those of this package, in this process.

    Raises:
        ConfigError: if the library itself has been imported already.
    """
    there = sys.modules.get("nasbench")
    if there is not None and there is not sys.modules[__name__]:
        raise ConfigError(
            "nasbench is imported already (" + str(getattr(there, "__file__", "")) + "); accepted: install() "
            "before the first import of nasbench."
        )
    for module in MODULES:
        sys.modules[f"nasbench{module}"] = importlib.import_module(f"{__name__}{module}")
