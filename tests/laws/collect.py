"""Every optimizer and benchmark config, composed as the command line composes it."""

from nas_bench_suite.laws.collect import CONF, composed, names

__all__ = ["CONF", "composed", "names"]
