"""NASBOT: `method` is the search, `gaussian_process` its model, `descriptions` what distances are measured
on, `otmann` the paper's distance. `optimizers.nasbot_as_run` is what runs under the name elsewhere; both share
`search`."""

from optimizers.nasbot.method import NASBOT

__all__ = ["NASBOT"]
