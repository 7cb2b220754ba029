"""What a query reads: in the journal where it holds it, else in the benchmark, as the protocol says."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nas_bench_suite.benchmark import Benchmark, Evaluation, Lookups
from nas_bench_suite.checks import ConfigError
from nas_bench_suite.journal import Journal
from nas_bench_suite.ledger import Admitted
from nas_bench_suite.protocol import Protocol


class Lookup(NamedTuple):
    """One opened row, as the journal and an objective ask for it."""

    key: tuple[int, int, np.ndarray, int, int]  # trial, query, string, fidelity, run

    @property
    def place(self) -> tuple[int, int]:
        return self.key[0], self.key[1]


@dataclass
class Reader:
    """Looks opened rows up as the protocol reads them: in the journal where it holds them, else in the
    benchmark. `reason` is that of the last failure, where it is known."""

    benchmark: Benchmark
    protocol: Protocol
    first_trial: int
    journal: Journal | None
    reason: str = ""

    def __call__(self, admitted: Admitted) -> Evaluation:
        """Validation, test and seconds of the opened rows."""
        if not len(admitted.trial):
            return Evaluation(*(np.empty(0),) * 3)
        if self.journal is not None:
            return self._journalled(admitted, self.journal)
        return self._evaluate(admitted.lookups, admitted.test_runs)

    @property
    def _two_runs(self) -> bool:
        return self.protocol.run == "single_independent" and self.benchmark.num_runs > 1

    def _evaluate(self, lookups: Lookups, test_runs: np.ndarray) -> Evaluation:
        found = self.benchmark.query(lookups)
        if self._two_runs:
            found = found._replace(test=self.benchmark.query(lookups._replace(runs=test_runs)).test)
        count = len(lookups.cells)
        for name, values in zip(Evaluation._fields, found):
            if np.shape(values) != (count,):
                raise ConfigError(
                    f"benchmark '{self.benchmark.name}' answers {count} look-ups with {name} of shape "
                    f"{np.shape(values)}; accepted: ({count},)."
                )
        return found

    def _one_by_one(
        self, lookups: Lookups, test_runs: np.ndarray
    ) -> Generator[tuple[int, tuple[float, float, float]], None, None]:
        """The same, each evaluation as it finishes."""
        if not len(lookups.cells):
            return
        if not self._two_runs:
            each = self.benchmark.query_each(lookups)
            try:
                yield from each
            finally:  # an interrupt between two evaluations ends those under way at once
                getattr(each, "close", lambda: None)()
            return
        for i, (validation, test, seconds) in enumerate(zip(*self._evaluate(lookups, test_runs))):
            yield i, (float(validation), float(test), float(seconds))

    def each(self, admitted: Admitted) -> list[Lookup]:
        """The opened rows, one by one."""
        lookups = admitted.lookups
        count = len(admitted.trial)
        runs = np.full(count, -1) if isinstance(lookups.runs, str) else np.asarray(lookups.runs)
        assert lookups.architectures is not None and lookups.fidelities is not None
        return [
            Lookup((self.first_trial + int(t), int(row) + 1, string, int(fidelity), int(run)))
            for t, row, string, fidelity, run in zip(
                admitted.trial,
                admitted.row,
                lookups.architectures,
                np.ravel(lookups.fidelities),
                np.ravel(runs),
            )
        ]

    def _journalled(self, admitted: Admitted, journal: Journal) -> Evaluation:
        lookups, test_runs = admitted.lookups, admitted.test_runs
        count = len(admitted.trial)
        keys = [lookup.key for lookup in self.each(admitted)]
        values = np.full((3, count), np.nan)
        known = [journal.find(*key) for key in keys]
        for i, found in enumerate(known):
            if found is not None:
                values[:, i] = found
                self.reason = getattr(found, "reason", "") or self.reason
        lacking = np.array([i for i, found in enumerate(known) if found is None], dtype=np.int64)
        with closing(self._one_by_one(lookups.take(lacking), test_runs[lacking])) as each:
            for i, new in each:
                journal.add(*keys[int(lacking[i])], new)
                values[:, lacking[i]] = new
                self.reason = getattr(new, "reason", "") or self.reason
        return Evaluation(*values)
