"""NASBench-101: its space, its official table, and a surrogate of it."""
