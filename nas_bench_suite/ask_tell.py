"""Libraries that suggest one string at a time, as methods of the suite: write four short functions.

Optimization libraries run one study and take one observation at a time. The suite runs T searches in
lockstep, under rules on invalid strings, failures and training budgets. `AskTell` is what lies between: a
study and a random stream for each trial, one suggestion of each per round, and what became of it told back.

Notation: T trials, N variables; a *study* is whatever object the library keeps the state of one search in.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nas_bench_suite.checks import ConfigError, check_choice
from nas_bench_suite.drawing import INVALID_IN_A_ROW
from nas_bench_suite.isolation import GlobalStream
from nas_bench_suite.optimizer import NOT_RUN, OK, Optimizer, Outcome, Proposal, Task
from nas_bench_suite.space import SearchSpace

INVALID_DRAWS = ("tell", "redraw")
FAILURES = ("none", "worst")


class Suggestion(NamedTuple):
    """What a library suggests: N choices, what it wants back with the outcome, and the training budget (None:
    the full one)."""

    string: Sequence[int] | np.ndarray
    token: Any = None
    fidelity: int | None = None


class AskTell(Optimizer):
    """A method whose work a library does, one suggestion per trial and round.

    A subclass has `begin`, `suggest` and `observe`, and `forget` where the library keeps a list of what it
    is waiting for. `self.task` is there from `begin` on.

    Args:
        invalid: what becomes of a suggestion that is no valid string. `tell`: it is proposed, costs nothing
            (or a query, where the protocol charges it), and the library is told that it failed. `redraw`:
            the library is asked again until the string is valid and never told of the others, which suits
            libraries that draw at random and ends in a circle with those that don't.

    Attributes:
        package: the module that has to be importable, and `extra`: the extra of this project (or a pip
            requirement) that installs it, for the message where it is not.
        asynchronous: the library may be asked again before it is told, and told in any order; set it to
            False for one that would suggest the same string again.
        failures: what a failed or invalid evaluation is told as: `none` (`observe` gets None) or `worst` (it
            gets the worst accuracy that the trial has seen, 0 before there is one), for libraries that know
            no failures.
        stream: the name of the trials' random streams; "": the name of the class.
        global_generators: those of `isolation.GENERATORS` that the library draws from: each trial has its
            own.
    """

    trials_per_block: ClassVar[int] = 10
    asynchronous: ClassVar[bool] = True
    package: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    failures: ClassVar[str] = "none"
    stream: ClassVar[str] = ""
    global_generators: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, invalid: str = "tell") -> None:
        self.invalid = check_choice("optimizer.invalid", invalid, INVALID_DRAWS)

    @abstractmethod
    def begin(self, space: SearchSpace, rng: np.random.Generator) -> Any:
        """A study of one trial. `rng` is the trial's own: draw a seed from it, or keep it."""

    @abstractmethod
    def suggest(self, study: Any) -> Suggestion | Sequence[int] | np.ndarray | None:
        """The study's next string (or a `Suggestion`); None ends the trial."""

    @abstractmethod
    def observe(self, study: Any, suggestion: Suggestion, accuracy: float | None) -> None:
        """Tell the study what its suggestion is worth, in [0, 1], more being better; None if it failed."""

    def forget(self, study: Any, suggestion: Suggestion) -> None:
        """A suggestion that was never evaluated: past the budget, or an invalid one that is drawn again."""

    def start(self, task: Task) -> None:
        self._check_package()
        check_choice(f"{type(self).__name__}.failures", self.failures, FAILURES)
        self.task = task
        self._redraw = task.reject_invalid and self.invalid == "redraw"
        generators = task.streams.generators(self.stream or type(self).__name__)
        self._global: list[AbstractContextManager[Any]] = [
            GlobalStream(int(rng.integers(2**32)), self.global_generators)
            if self.global_generators
            else nullcontext()
            for rng in generators
        ]
        self._worst = np.full(task.trials, np.inf)
        self._pending: list[list[Suggestion]] = [[] for _ in range(task.trials)]
        self._studies: list[Any] = []
        for rng, drawing in zip(generators, self._global):
            with drawing:
                self._studies.append(self.begin(task.space, rng))

    def _check_package(self) -> None:
        if self.package:
            self._check(self.package)

    def _check(self, package: str) -> None:
        try:
            importlib.import_module(package)
        except ImportError as error:
            what = self.extra if not self.extra.isidentifier() else f"nas-bench-suite[{self.extra}]"
            raise ConfigError(
                f"{type(self).__name__} needs {package}, which cannot be imported ({error}); install it "
                f"with `pip install '{what or package}'`."
            ) from None

    def ask(self, room: np.ndarray) -> Proposal:
        space, full = self.task.space, self.task.fidelities[-1]
        trials = len(room)
        architectures = np.zeros((trials, 1, space.num_variables), dtype=np.int64)
        wanted = np.zeros((trials, 1), dtype=np.bool_)
        fidelity = np.full((trials, 1), full, dtype=np.int64)
        rejected = np.zeros(trials, dtype=np.int64)
        for t in np.flatnonzero(room > 0).tolist():
            suggestion = self._next(t, rejected)
            if suggestion is None:
                continue
            self._pending[t].append(suggestion)
            architectures[t, 0], wanted[t, 0] = suggestion.string, True
            fidelity[t, 0] = full if suggestion.fidelity is None else suggestion.fidelity
        return Proposal(architectures, wanted, fidelity, rejected)

    def _next(self, t: int, rejected: np.ndarray) -> Suggestion | None:
        """Trial t's next suggestion, valid ones alone under `redraw`; rejected int64[T] counts the others."""
        while rejected[t] < INVALID_IN_A_ROW:
            with self._global[t]:
                given = self.suggest(self._studies[t])
            if given is None:
                return None
            suggestion = given if isinstance(given, Suggestion) else Suggestion(given)
            string = self._checked(suggestion)
            if not self._redraw or self.task.space.is_valid(string):
                return suggestion._replace(string=string)
            rejected[t] += 1
            with self._global[t]:
                self.forget(self._studies[t], suggestion)
        return None

    def _checked(self, suggestion: Suggestion) -> np.ndarray:
        """The string as int64[N]; a library's own types may be anything."""
        space = self.task.space
        try:
            string = np.array([int(value) for value in suggestion.string], dtype=np.int64)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{type(self).__name__}.suggest returned {suggestion.string!r} ({error}); accepted: "
                f"{space.num_variables} whole numbers."
            ) from None
        if string.shape != (space.num_variables,) or ((string < 0) | (string >= space.sizes)).any():
            raise ConfigError(
                f"{type(self).__name__}.suggest returned {string.tolist()}; accepted: "
                f"{space.num_variables} whole numbers, each below the number of its variable's choices."
            )
        return string

    def _taken(self, t: int, proposal: Proposal) -> Suggestion | None:
        """The suggestion of trial t that a proposal is about, taken off the list of those under way."""
        string, fidelity = proposal.architectures[t, 0], proposal.fidelity
        for place, suggestion in enumerate(self._pending[t]):
            level = self.task.fidelities[-1] if suggestion.fidelity is None else suggestion.fidelity
            if np.array_equal(suggestion.string, string) and (fidelity is None or fidelity[t, 0] == level):
                return self._pending[t].pop(place)
        return None

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        for t in np.flatnonzero(proposal.wanted[:, 0]).tolist():
            suggestion = self._taken(t, proposal)
            if suggestion is None:
                continue
            status, study = outcome.status[t, 0], self._studies[t]
            with self._global[t]:
                if status == NOT_RUN:
                    self.forget(study, suggestion)
                    continue
                accuracy = float(outcome.accuracy[t, 0]) if status == OK else None
                if accuracy is not None:
                    self._worst[t] = min(self._worst[t], accuracy)
                elif self.failures == "worst":
                    accuracy = float(self._worst[t]) if np.isfinite(self._worst[t]) else 0.0
                self.observe(study, suggestion, accuracy)
