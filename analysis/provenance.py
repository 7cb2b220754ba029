"""Where a number comes from: the words of captions, and what manifests say about the runs behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.runs import RunInfo
from analysis.selection import FULL_TRIALS, PROTOCOL, Study, defaults
from analysis.style import style

RUN_WORDS = {
    "single_same": "a query reads one of the stored training runs at random, the incumbent is the best "
    "single-run validation, and its "
    "test error is that "
    "same run's",
    "single_independent": "the incumbent is the best single-run validation, and its test error comes from a "
    "run drawn independently",
    "mean": "validation and test are means over the stored runs",
}


def caption(study: Study, used: Sequence[RunInfo]) -> str:
    """Benchmark (a surrogate is called one), protocol, trials and commit of the runs used."""
    return " ".join(
        (
            benchmark_words(study.benchmark, used),
            protocol_words(study, used),
            trials_words(study),
            code_words(used),
        )
    )


def benchmark_words(benchmark: str, used: Sequence[RunInfo]) -> str:
    """The benchmark; every caption of a surrogate says that it is one, and a partial or unofficial table's
    notice stands in it."""
    surrogate = any(info.surrogate for info in used) or benchmark.endswith("_surrogate")
    kind = ", a surrogate: accuracies are modelled, not trained" if surrogate else ""
    found = {
        str((manifest.get("benchmark") or {}).get("checksum") or "")[:8]
        for info in used
        for manifest in info.manifests
    }
    checksums = sorted(found - {""})
    notices = sorted(
        {
            str((manifest.get("benchmark") or {}).get("notice") or "")
            for info in used
            for manifest in info.manifests
        }
        - {""}
    )
    words = f"Benchmark: {benchmark}{kind}" + (f" (data {', '.join(checksums)})" if checksums else "") + "."
    return " ".join((words, *notices))


def protocol_words(study: Study, used: Sequence[RunInfo]) -> str:
    """The paper's protocol, and which methods are charged by another cost."""
    edge = dict(defaults("benchmark", study.benchmark)).get("edge_limit")
    words = (
        f"Protocol: {RUN_WORDS[PROTOCOL['run']]}; repeated cells are charged, invalid strings are not; "
        "any query costs one"
    )
    by_epochs = sorted(
        {style(info.label).name for info in used if info.config["protocol"].get("cost") == "epochs"}
    )
    if by_epochs:
        words += (
            f" ({', '.join(by_epochs)}: a query costs its epochs, the budget is that many full trainings)"
        )
    return words + (f"; edge limit {edge}" if edge else "") + "."


def trials_words(study: Study) -> str:
    """Trials and seed; a draft is called one."""
    draft = f" (draft: the paper has {FULL_TRIALS})" if study.draft else ""
    return f"{study.trials} trials{draft}, seed {study.seed}, shared by all rows."


def commits(used: Sequence[RunInfo]) -> list[str]:
    """Short commits behind these runs, `+` for a working tree that differed from it; ordered by first use."""
    found: dict[str, None] = {}
    for info in used:
        for manifest in info.manifests:
            commit = manifest.get("commit")
            found["unknown" if not commit else commit[:8] + ("+" if manifest.get("dirty") else "")] = None
    return list(found)


def code_words(used: Sequence[RunInfo]) -> str:
    """The commits, and whether the rows were made by one version of the code."""
    names = commits(used)
    if not names:
        return "No results yet."
    words = f"Code: commit{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return words + (" (+: with uncommitted changes)." if any(name.endswith("+") for name in names) else ".")


def _beside(info: RunInfo) -> str:
    """Settings of a run that differ from its label's and its benchmark's configs."""
    parts = []
    for section, name in (("optimizer", info.label), ("benchmark", info.benchmark)):
        own = defaults(section, name)
        parts += [
            f"{key}={value}"
            for key, value in info.config[section].items()
            if key in own and value != own[key]
        ]
    return " ".join(parts)


def facts(used: Sequence[RunInfo]) -> list[dict[str, Any]]:
    """One row a run for the provenance section of the report."""
    out = []
    for info in used:
        first = info.manifests[0]
        out.append(
            {
                "optimizer": info.label,
                "budget": info.budget,
                "protocol": info.protocol,
                "beside": _beside(info),
                "key": info.key,
                "trials": len(info.trial_ids),
                "commits": ", ".join(commits([info])),
                "source": ", ".join(
                    sorted({str(manifest.get("source_hash")) for manifest in info.manifests})
                ),
                "device": ", ".join(sorted({str(manifest.get("device")) for manifest in info.manifests})),
                "platform": first.get("platform"),
                "seconds": info.seconds,
                "versions": first.get("versions") or {},
                "command": " ".join(map(str, first.get("command") or [])),
            }
        )
    return out
