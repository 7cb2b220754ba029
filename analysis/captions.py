"""Where a number comes from: the words of captions, and what manifests say about the runs behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.result import Joined, Result
from analysis.selection import FULL_TRIALS, Study, differing, standard
from nas_bench_suite.protocol import Protocol, words_of

# What a test error is where the table does not hold one for each run.
TEST = {
    "nasbench201": "Test errors are means over a cell's runs, whichever run the protocol names: the "
    "table holds no other.",
}


def caption(study: Study, used: Sequence[Result]) -> str:
    """Benchmark (a surrogate is called one), protocol, trials and commit of the results used."""
    return " ".join(
        (
            benchmark_words(study.benchmark, used),
            protocol_words(study, used),
            trials_words(study, used),
            code_words(used),
        )
    )


def on_surrogate(benchmark: str, used: Sequence[Result]) -> bool:
    """Whether these results, or the benchmark by its name, are of a surrogate."""
    return any(result.surrogate for result in used) or benchmark.endswith("_surrogate")


def benchmark_words(benchmark: str, used: Sequence[Result]) -> str:
    """The benchmark; every caption of a surrogate says that it is one, and a partial or unofficial table's
    notice stands in it."""
    kind = ", a surrogate: accuracies are modelled, not trained" if on_surrogate(benchmark, used) else ""
    checksums = sorted({origin.checksum[:8] for result in used for origin in result.origins} - {""})
    notices = sorted({origin.notice for result in used for origin in result.origins} - {""})
    words = f"Benchmark: {benchmark}{kind}" + (f" (data {', '.join(checksums)})" if checksums else "") + "."
    test = TEST.get(benchmark)
    return " ".join((words, *notices, *([test] if test else [])))


def protocol_words(study: Study, used: Sequence[Result]) -> str:
    """The paper's protocol, rule by rule, and which methods have a rule of their own (BOHB: epochs)."""
    rules = []
    for key, words in Protocol().words().items():
        own: dict[str, set[str]] = {}  # value -> methods whose config sets it
        for result in used:
            value = standard(result.label, study.benchmark)["protocol"][key]
            if value != getattr(Protocol(), key) and value == result.rules[key]:
                own.setdefault(value, set()).add(result.name)
        beside = "; ".join(
            f"{', '.join(sorted(methods))}: {words_of(key, value)}" for value, methods in own.items()
        )
        rules.append(words + (f" ({beside})" if beside else ""))
    edge = standard("random", study.benchmark)["benchmark"].get("edge_limit")
    return f"Protocol: {'; '.join(rules)}" + (f"; edge limit {edge}" if edge else "") + "."


def trials_words(study: Study, used: Sequence[Result] = ()) -> str:
    """Trials, seeds and draws of the table; a draft is called one."""
    draft = f" (draft: the paper has {FULL_TRIALS})" if study.draft else ""
    parts = [part for result in used for part in (result.parts if isinstance(result, Joined) else (result,))]
    seeds = [part.seed for part in parts] or [study.seed]
    draws = [part.draw for part in parts]
    of_table = f", {numbered('draw', draws)} of the table" if any(draws) else ""
    return f"{study.trials} trials{draft}, {numbered('seed', seeds)}{of_table}."


def numbered(word: str, values: Sequence[int]) -> str:
    """`seed 0`, `draws 0, 3`, `draws 0 to 19`: each value once, ascending."""
    values = sorted(set(values))
    if len(values) == 1:
        return f"{word} {values[0]}"
    row = len(values) > 2 and values == list(range(values[0], values[-1] + 1))
    return f"{word}s " + (f"{values[0]} to {values[-1]}" if row else ", ".join(map(str, values)))


def commits(used: Sequence[Result]) -> list[str]:
    """Short commits behind these results, `+` for a working tree that differed from it; ordered by first
    use."""
    return list(
        dict.fromkeys(
            origin.commit[:8] + ("+" if origin.dirty else "") if origin.commit else "unknown"
            for result in used
            for origin in result.origins
        )
    )


def code_words(used: Sequence[Result]) -> str:
    """The commits, and whether the rows were made by one version of the code."""
    names = commits(used)
    if not names:
        return "No results yet."
    words = f"Code: commit{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return words + (" (+: with uncommitted changes)." if any(name.endswith("+") for name in names) else ".")


@dataclass(frozen=True)
class Record:
    """A run in the report's table of provenance."""

    optimizer: str
    budget: int
    trials: int  # that the run holds
    protocol: str
    beside: str  # settings that differ from its label's and its benchmark's configs
    key: str
    commits: str
    source: str
    device: str
    platform: str
    seconds: float
    versions: Mapping[str, str | None]


def records(used: Sequence[Result]) -> list[Record]:
    """One record for each run."""
    return [
        Record(
            optimizer=result.label,
            budget=result.budget,
            trials=len(result.held),
            protocol=result.protocol,
            beside=" ".join([*differing(result, "optimizer"), *differing(result, "benchmark")]),
            key=result.key,
            commits=", ".join(commits([result])),
            source=", ".join(sorted({origin.source_hash for origin in result.origins})),
            device=", ".join(sorted({origin.device for origin in result.origins})),
            platform=result.origins[0].platform,
            seconds=result.seconds,
            versions=result.origins[0].versions,
        )
        for result in used
    ]
