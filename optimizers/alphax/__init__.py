"""AlphaX: `method` is the search, `build_game` the actions that build an architecture, `tree` the search
trees."""

from optimizers.alphax.method import AlphaX

__all__ = ["AlphaX"]
