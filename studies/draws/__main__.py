"""`python -m studies.draws OUTPUTS`: the tables and the figure of docs/draws.md."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate import NASBench101Surrogate
from nas_bench_suite.benchmarks.nasbench101.surrogate.draws import SMALL_CELLS
from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import from_strings
from nas_bench_suite.benchmarks.nasbench101.surrogate.observed import shared_data
from studies import command, markdown
from studies.drawing import save
from studies.draws import calibration, folds
from studies.draws.calibration import SHARES, Coverage
from studies.draws.figure import draw
from studies.draws.levels import Level, between_draws, differences, levels, published
from studies.surrogate_fit.features import flat_features

# Of the real table (Ying et al. 2019).
PUBLISHED_BEST = {
    "best_mean_validation": 0.9505542,
    "best_single_validation": 0.9518229,
    "best_mean_test": 0.9431758,
    "best_single_test": 0.9466146,
}


def build(outputs: Path, images: Path) -> None:
    """Print the tables and draw the figure."""
    found = levels(outputs)
    print(levels_markdown(found), differences_markdown(differences(found)), sep="\n\n")
    print(f"\n{extremes_markdown([int(number) for number in found[0].draws if number])}")
    benchmark, held = NASBench101Surrogate(), folds.read()
    noise = benchmark._artefact.noise
    predicted, observed, drawn = calibration.held_out(held, noise)
    bands = calibration.by_band(predicted, observed, drawn)
    pairs = [
        calibration.differences("difference of two cells", 1.0, predicted, observed, drawn),
        calibration.differences("difference of two of the best tenth", 0.1, predicted, observed, drawn),
    ]
    print(f"\nfolds {', '.join(map(str, held))}\n")
    print(coverage_markdown("best of three, by prediction", [*bands, *pairs]))
    print(f"\n{coverage_markdown('cells with three known runs', known(benchmark))}\n")
    print(quantiles_markdown(calibration.quantiles(observed, drawn)))
    print(f"\n{pairs_markdown(calibration.order_of_pairs(predicted, observed, drawn))}")
    cells = np.concatenate([fold.cells for fold in held.values()])
    big = cells[cells >= SMALL_CELLS]
    features = flat_features(*from_strings(benchmark.space.architecture(big)))
    alike, random = calibration.neighbours(calibration.places(drawn, observed), features)
    print(f"\nrank correlation of errors: nearest cells {alike:.3f}, random cells {random:.3f}")
    save(draw(found, [*bands, pairs[0]]), images / "draws.png", dpi=150)


def known(benchmark: NASBench101Surrogate) -> list[Coverage]:
    """Coverage for the cells with three known runs."""
    path = shared_data() / "nasbench101" / "three_runs_of_30_cells.csv"
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    cells = np.asarray(benchmark.space.from_official_hash(table["hash"][::3]))
    names = ("final_validation_accuracy", "final_test_accuracy")
    runs = np.stack([table[name].reshape(-1, 3) for name in names], axis=2)
    return calibration.known_runs(benchmark.prediction(cells), cells, runs, benchmark._artefact.noise)


def levels_markdown(found: Sequence[Level]) -> str:
    """Levels on the frozen table and over draws, beside published ones."""
    rows = []
    for level in found:
        reported = published(level.label)
        drawn = level.drawn
        inside = ""
        if reported:
            inside = f"{(drawn >= reported[0]).sum() - (drawn > reported[1]).sum()} of {len(drawn)}"
        span = f"{reported[0]:.2f} to {reported[1]:.2f}" if reported else "none"
        if reported and reported[0] == reported[1]:
            span, inside = f"{reported[0]:.3f}", f"{(drawn < reported[0]).sum()} of {len(drawn)} below"
        rows.append(
            (
                f"`{level.label}`, {level.reading}",
                f"{level.frozen:.3f}",
                f"{drawn.mean():.3f} +- {between_draws(level):.3f}",
                f"{drawn.min():.3f} to {drawn.max():.3f}",
                span,
                inside,
            )
        )
    headers = (
        "method, reading",
        "frozen table",
        f"{len(found[0].drawn)} draws, mean +- SD between draws",
        "range",
        "published",
        "draws within",
    )
    return markdown.table(headers, rows)


def differences_markdown(found: Sequence[Level]) -> str:
    """Methods less random search, over draws."""
    rows = [
        (
            f"`{level.label}` - `random`, {level.reading}",
            f"{level.frozen:+.3f}",
            f"{level.drawn.mean():+.3f} +- {between_draws(level):.3f}",
            f"{level.drawn.min():+.3f} to {level.drawn.max():+.3f}",
            f"{(level.drawn < 0).sum()} of {len(level.drawn)}",
        )
        for level in found
    ]
    headers = ("difference", "frozen table", "draws, mean +- SD between draws", "range", "draws below 0")
    return markdown.table(headers, rows)


def extremes_markdown(draws: Sequence[int]) -> str:
    """The best values of each draw's table, beside the real table's."""
    frozen = NASBench101Surrogate().facts()
    found = [NASBench101Surrogate(draw=number).facts() for number in draws]
    rows = []
    for name, published_value in PUBLISHED_BEST.items():
        values = np.array([facts[name] for facts in found])  # type: ignore[literal-required]
        rows.append(
            (
                name.replace("_", " "),
                f"{published_value:.4f}",
                f"{frozen[name]:.4f}",  # type: ignore[literal-required]
                f"{values.mean():.4f} +- {values.std(ddof=1):.4f}",
                f"{values.min():.4f} to {values.max():.4f}",
            )
        )
    headers = ("best of the table", "real", "frozen", f"{len(draws)} draws, mean +- SD", "range")
    return markdown.table(headers, rows)


def coverage_markdown(title: str, found: Sequence[Coverage]) -> str:
    """Observed coverage of each interval."""
    headers = (title, "values", *(f"{100 * share:g} %" for share in SHARES), "mean place")
    rows = [
        (one.what, f"{one.cells:,}", *(f"{100 * share:.1f}" for share in one.shares), f"{one.below:.3f}")
        for one in found
    ]
    return markdown.table(headers, rows)


def quantiles_markdown(found: Sequence[calibration.Quantile]) -> str:
    """Quantiles over the held-out cells."""
    rows = [(f"{q.level:g} %", f"{q.observed:.4f}", f"{q.low:.4f} to {q.high:.4f}") for q in found]
    return markdown.table(("best of three over cells", "observed", "95 % of draws"), rows)


def pairs_markdown(found: Sequence[calibration.Pairs]) -> str:
    """Order of pairs, by how sure the model is."""
    rows = [(one.sure, f"{one.pairs:,}", f"{one.expected:.3f}", f"{one.right:.3f}") for one in found]
    return markdown.table(("probability of the likelier order", "pairs", "mean", "observed"), rows)


if __name__ == "__main__":
    sys.exit(command.run("draws", build, "outputs/draws"))
