"""TPE: `method` is the search, `parzen` the density estimators. `optimizers.tpe_hyperopt` is hyperopt's own."""

from optimizers.tpe.method import TPE

__all__ = ["TPE"]
