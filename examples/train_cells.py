"""Really train NASBench-101 cells, on scikit-learn's digits, with ReMAADE choosing what to train next.

python examples/train_cells.py                     # 60 trainings, about two minutes on two cores
python examples/train_cells.py --budget 200 --journal outputs/digits.jsonl

The journal makes the run safe: after an interruption the same command goes on where it was and ends with the
same result. A training that fails or diverges is a recorded failure, and the search goes on.
"""

from __future__ import annotations

import argparse

from digits_cells import SPACE, train

from nas_bench_suite import ConfigError, Objective, search
from optimizers.reinforce import Reinforce


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--budget", type=int, default=60, help="trainings")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--journal", default="outputs/digits.jsonl", help="where finished trainings are kept")
    options = parser.parse_args()

    def show(done: int, of: int) -> None:
        print(f"{done}/{of} trainings", flush=True)

    try:
        record = search(
            Reinforce(policy="maade", learning_rate=0.01, batch_size=10),
            Objective(SPACE, train, workers=options.workers, name="digits"),
            budget=options.budget,
            trials=1,
            seed=options.seed,
            journal=options.journal,
            progress=show,
        )
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from None
    found = {name: column[0] for name, column in record.ledger.items()}
    matrix, ops = SPACE.graph(SPACE.architecture(found["incumbent_cell_id"]))
    failed = int((record.queries["status"] != 0).sum())
    print(
        f"best of {found['queries']} trainings ({found['unique_cells']} cells, {failed} failed), found at "
        f"training {found['incumbent_query']}:"
    )
    print(
        f"validation accuracy {found['incumbent_validation']:.4f}, test accuracy "
        f"{found['incumbent_test']:.4f}"
    )
    print(f"operations: {', '.join(ops)}\nedges:\n{matrix}")


if __name__ == "__main__":
    main()
