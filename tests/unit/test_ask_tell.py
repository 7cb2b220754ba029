"""Methods of libraries with scalar ask and tell, on a library of three lines."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from nas_bench_suite import ConfigError, Evaluation, Lookups, Protocol, SearchSpace, load_benchmark, search
from nas_bench_suite.ask_tell import AskTell, Suggestion
from nas_bench_suite.benchmarks.planted import Planted


class Diary(AskTell):
    """Uniform strings, valid or not, and a list of all that happened."""

    lists: ClassVar[list[list[Any]]] = []

    def begin(self, space: SearchSpace, rng: np.random.Generator) -> list[Any]:
        self.lists.append([])
        self.rngs = [*getattr(self, "rngs", []), rng]
        self.draw = np.random.default_rng(int(rng.integers(2**31)))
        return self.lists[-1]

    def suggest(self, study: list[Any]) -> Any:
        return Suggestion(
            self.task.space.from_uniforms(self.draw.random(self.task.space.num_variables)), token=len(study)
        )

    def observe(self, study: list[Any], suggestion: Suggestion, accuracy: float | None) -> None:
        study.append((suggestion.token, accuracy))

    def forget(self, study: list[Any], suggestion: Suggestion) -> None:
        study.append((suggestion.token, "forgotten"))


@pytest.fixture(autouse=True)
def _empty() -> None:
    Diary.lists.clear()


def a_search(method: AskTell, benchmark: Any = None, **changes: Any) -> Any:
    how: dict[str, Any] = {"budget": 10, "trials": 1, "seed": 3} | changes
    return search(method, benchmark or load_benchmark("planted"), **how)


def test_invalid_strings_are_told_or_drawn_again() -> None:
    record = a_search(Diary())
    (told,) = Diary.lists
    failed = [accuracy for _, accuracy in told if accuracy is None]
    assert len(failed) == record.ledger["invalid"][0] > 0 and len(told) == 10 + len(failed)
    record = a_search(Diary(invalid="redraw"))
    told = Diary.lists[-1]
    assert record.ledger["invalid"][0] == 0 and record.ledger["rejected"][0] > 0
    assert sum(accuracy == "forgotten" for _, accuracy in told) == record.ledger["rejected"][0]
    assert all(
        accuracy != "forgotten" and accuracy is not None for _, accuracy in told if accuracy != "forgotten"
    )


def test_failures_are_none_or_the_worst_so_far() -> None:
    class Failing(Planted):
        def query(self, lookups: Lookups) -> Evaluation:
            found = super().query(lookups)
            return Evaluation(*(np.where(lookups.cells % 2 == 0, np.nan, values) for values in found))

    class Worst(Diary):
        failures = "worst"

    record = a_search(Worst(invalid="redraw"), Failing())
    told = [accuracy for _, accuracy in Diary.lists[-1] if accuracy != "forgotten"]
    worst, failed = np.inf, 0
    for accuracy, validation in zip(told, record.queries["validation"], strict=True):
        if np.isnan(validation):
            assert accuracy == (worst if np.isfinite(worst) else 0)
            failed += 1
        else:
            assert accuracy == validation
            worst = min(worst, accuracy)
    assert 0 < failed < 10


def test_fidelities_and_the_end() -> None:
    class Short(Diary):
        def suggest(self, study: list[Any]) -> Any:
            if len(study) == 4:
                return None
            string = self.task.space.sample_rng(self.draw)
            return Suggestion(string, fidelity=self.task.fidelities[len(study) % 2])

    record = a_search(Short(), protocol=Protocol(cost="epochs"))
    assert list(record.queries["fidelity"]) == [Planted.fidelities[i % 2] for i in range(4)]
    assert list(record.ledger["ended"]) == ["exhausted"]


def test_global_generators_are_each_trials_own() -> None:
    import random

    class Global(Diary):
        global_generators = ("numpy", "random")

        def suggest(self, study: list[Any]) -> Any:
            study.append((random.random(), np.random.random()))  # noqa: NPY002
            return self.task.space.sample_rng(self.draw)

    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index] # noqa: NPY002
    a_search(Global(), trials=3)
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index] # noqa: NPY002
    three = [list(study) for study in Diary.lists]
    Diary.lists.clear()
    a_search(Global(), trials=1, first_trial=2)
    draws = [[entry for entry in study if isinstance(entry[1], np.floating | float)] for study in three]
    assert [entry[0] for entry in Diary.lists[0][:1]] == [draws[2][0][0]] and draws[0][0] != draws[1][0]


def test_what_a_library_returns_is_checked() -> None:
    class Short(Diary):
        def suggest(self, study: list[Any]) -> Any:
            return [0, 1]

    class Words(Diary):
        def suggest(self, study: list[Any]) -> Any:
            return ["conv"] * 10

    for method in (Short(), Words()):
        with pytest.raises(ConfigError, match=r"suggest returned .*accepted: 10 whole numbers"):
            a_search(method)


def test_a_missing_package_is_named_with_how_to_get_it() -> None:
    class Needy(Diary):
        package, extra = "no_such_package", "needy"

    with pytest.raises(ConfigError, match=r"pip install 'nas-bench-suite\[needy\]'"):
        a_search(Needy())
