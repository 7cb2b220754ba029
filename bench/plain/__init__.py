"""Plain twins, written straight from the papers' equations: what a fast version is tested against and timed
against.

A twin goes through trials, strings and variables one by one, computes every equation anew wherever it is
used, and shares no code with the method that it checks.
"""
