"""A Gaussian process on counts and path lengths of a cell's graph: `method` is the search, `features` what a
cell is described by, `gaussian_process` the model."""

from optimizers.graph_gp.method import GraphGP

__all__ = ["GraphGP"]
