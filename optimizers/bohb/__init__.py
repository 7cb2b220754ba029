"""BOHB: `method` is the search, `kde` its model, `hyperband` the schedule. hpbandster's own generator is
`optimizers.bohb_hpbandster`, which shares `base` and the schedule."""

from optimizers.bohb.method import BOHB

__all__ = ["BOHB"]
