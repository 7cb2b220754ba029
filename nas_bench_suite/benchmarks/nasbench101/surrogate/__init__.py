"""An embedded surrogate of NASBench-101; see ``benchmark`` and ``docs/surrogate.md``."""

from .benchmark import NASBench101Surrogate

__all__ = ["NASBench101Surrogate"]
