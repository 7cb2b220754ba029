"""Search by policy gradient, ReMAADE included: `method` is the search, `policy_gradient` its arithmetic,
`policies` the distributions over architectures."""

from optimizers.reinforce.method import Reinforce

__all__ = ["Reinforce"]
