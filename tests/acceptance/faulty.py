"""A method with a fault, as somebody's first draft may have one."""

from optimizers.random_search import RandomSearch


class Faulty(RandomSearch):
    def tell(self, proposal, outcome):
        raise ZeroDivisionError("no good reason")
