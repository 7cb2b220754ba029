"""The protocol: what a query costs, which run it reads, what becomes of invalid and repeated architectures
(paper, section 8).

The paper leaves these open; each is a key, since they move the reported numbers as much as the algorithm
does. A key is one field of `Protocol`: its default, what it accepts, and the words in which a caption says
so. Configurations, result keys and captions all take the keys from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

import numpy as np

from nas_bench_suite.checks import check_choice


def _rule(default: str, **words: str) -> str:
    """A key of the protocol: its default, and each accepted value with its words in a caption."""
    made: str = field(default=default, metadata={"choices": tuple(words), "words": words})
    return made


@dataclass(frozen=True)
class Protocol:
    """Rules of a search.

    Attributes:
        run: `single_same`: a query reads one stored run at random, and the incumbent's test error is that
            run's (the default);
            `single_independent`: the test error comes from a run drawn independently of the validation's;
                `mean`: both are means over runs.
        repeats: `charge`: a repeated cell costs a query and reads a run of its own; `free`: it costs nothing
            and returns the cell's first evaluation at that fidelity.
        invalid: `free`: methods reject invalid strings themselves, and one that is proposed costs nothing;
            `charge`: nobody rejects, and every invalid string costs a query.
        cost: `query`: a query at a low fidelity costs one; `epochs`: it costs its epochs, and the budget is
            that many full trainings.
    """

    run: str = _rule(
        "single_same",
        single_same="a query reads one of the stored training runs at random, the incumbent is the best "
        "single-run validation, and its test error is that same run's",
        single_independent="the incumbent is the best single-run validation, and its test error comes from "
        "a run drawn independently",
        mean="validation and test are means over the stored runs",
    )
    repeats: str = _rule("charge", charge="repeated cells are charged", free="repeated cells are free")
    invalid: str = _rule("free", free="invalid strings are not charged", charge="invalid strings are charged")
    cost: str = _rule(
        "query",
        query="any query costs one",
        epochs="a query costs its epochs, the budget is that many full trainings",
    )

    def __post_init__(self) -> None:
        for rule in fields(self):
            check_choice(f"protocol.{rule.name}", getattr(self, rule.name), rule.metadata["choices"])

    def words(self) -> dict[str, str]:
        """What each rule means, by key, as captions say it."""
        return {rule.name: words_of(rule.name, getattr(self, rule.name)) for rule in fields(self)}

    def costs(self, fidelities: tuple[int, ...]) -> np.ndarray:
        """int64[len(fidelities)]: what a query at each fidelity costs; the last is what a full one costs."""
        if self.cost == "query":
            return np.ones(len(fidelities), dtype=np.int64)
        return np.array(fidelities, dtype=np.int64)


def words_of(key: str, value: str) -> str:
    """What `key=value` means, as captions say it."""
    rule: Field[Any] = next(rule for rule in fields(Protocol) if rule.name == key)
    words: Mapping[str, str] = rule.metadata["words"]
    return words[value]


def rules_of(section: Mapping[str, Any]) -> dict[str, str]:
    """The rules of a configuration's section, every key of the protocol in its order; a configuration from
    before a key was introduced has that key's default."""
    return {key: str(section.get(key, default)) for key, default in asdict(Protocol()).items()}
