"""TPE: `method` is the search, `parzen` the density estimators. `optimizers.tpe_hyperopt` is hyperopt's."""

from optimizers.tpe.method import TPE

__all__ = ["TPE"]
