"""`python -m nas_bench_suite.laws LABEL ...`: the laws, run on your own methods."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from nas_bench_suite import experiments
from nas_bench_suite.checks import ConfigError, check_int, nearest
from nas_bench_suite.messages import Parser, exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 0 if all laws hold, 1 if not, 2 for wrong input."""
    parser = Parser(prog="python -m nas_bench_suite.laws", description=__doc__)
    parser.add_argument("labels", nargs="+", metavar="LABEL", help="as in optimizer=LABEL")
    parser.add_argument(
        "--config-dir", action="append", default=[], metavar="DIR", help="a folder with optimizer/LABEL.yaml"
    )
    parser.add_argument(
        "--trials", type=int, default=30, help="trials of law 7, that it beats random search (30)"
    )
    parser.add_argument(
        "--pytest", default="", metavar="WORDS", help="further words for pytest ('-x --durations 5')"
    )
    return exit_code(lambda: _run(parser.parse_args(arguments)))


def _run(options: object) -> int:
    labels, trials = options.labels, check_int("--trials", options.trials, 2)  # type: ignore[attr-defined]
    for folder in options.config_dir:  # type: ignore[attr-defined]
        experiments.use_folder(folder)
    known = experiments.names("optimizer")
    for label in labels:
        if label not in known:
            raise ConfigError(
                f"optimizer={label} is not known{nearest(label, known)}; accepted: {', '.join(known)}."
            )
    try:
        import pytest
    except ImportError:
        raise ConfigError("the laws need pytest; install it with `pip install pytest`.") from None

    class Chosen:
        """Which methods, and what they need."""

        def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
            if "method" in metafunc.fixturenames:
                metafunc.parametrize("method", labels, indirect=True, scope="module")

        @pytest.fixture(scope="module")
        def allowance(self) -> object:
            from nas_bench_suite.laws.methods import Allowance

            return Allowance(trials_to_beat_random=dict.fromkeys(labels, trials))

    tests = str(Path(__file__).with_name("methods.py"))
    words = options.pytest.split()  # type: ignore[attr-defined]
    # the caller's own pytest settings (a strict filter, say) are about the caller's tests
    settings = ["-c", "/dev/null", "--rootdir", str(Path.cwd()), "-p", "no:cacheprovider", "-q"]
    return int(pytest.main([*settings, *words, tests], plugins=[Chosen()]))


if __name__ == "__main__":
    sys.exit(main())
