"""The benchmarks of the suite, one module or folder each. Open one with `nas_bench_suite.load_benchmark`."""
