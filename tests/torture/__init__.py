"""Seeded campaigns against the suite. A module makes cases: each has a name and `run(rng, folder)`, which
answers "ok" or "refused" and raises `AssertionError` with what was wrong."""
