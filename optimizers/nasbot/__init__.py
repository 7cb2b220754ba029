"""NASBOT: `method` is the search, `gaussian_process` its model, `descriptions` what distances are measured
on, `otmann` the paper's distance. `optimizers.nasbot_as_run`, what runs under the name elsewhere, shares
`search` and the model."""

from optimizers.nasbot.method import NASBOT

__all__ = ["NASBOT"]
