"""The laws that every search method keeps, as tests that run on anybody's method:

    python -m nas_bench_suite.laws mine --config-dir conf

`methods` holds the tests, `collect` composes configs as the command line does. They need pytest.
"""
