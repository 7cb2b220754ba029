"""Table 2: parameters of the context layer, counted on the policies that the searches use.

    python -m optimizers.reinforce.policies.complexity --output-dir outputs

writes `<output_dir>/complexity/table2.csv` with columns policy, N, d, context_parameters, commit. A policy is
built for N binary variables and its parameters are counted, without the embeddings (named query and value)
and the density layer; MADE's masked weights count, as they are stored.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nas_bench_suite.provenance import git_state
from nas_bench_suite.results import write_whole

POLICIES = ("maade", "nade", "made", "lstm")
VARIABLES = (26, 52, 104)
WIDTHS = (36, 72)
EMBEDDINGS = ("query", "value")


def count(policy: str, num_variables: int, width: int) -> int:
    """Parameters of the context layer of a policy over `num_variables` binary variables at width d."""
    from optimizers.reinforce.policies import policy_class
    from optimizers.reinforce.policies.base import Layout

    ids = np.arange(2 * num_variables)
    layout = Layout(
        np.full(num_variables, 2),
        np.zeros(num_variables, dtype=np.int64),
        ids[::2].copy(),
        ids // 2,
        ids % 2,
        2,
    )
    built = policy_class(policy)(layout, width=width)
    left_out = {*EMBEDDINGS, *built.density_parameters()}
    return sum(int(np.prod(init.shape)) for name, init in built.inits.items() if name not in left_out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output-dir", type=Path, default=Path("outputs"))
    path = parser.parse_args().output_dir / "complexity" / "table2.csv"
    commit = (git_state().commit or "unknown")[:8]
    lines = ["policy,N,d,context_parameters,commit"]
    lines += [
        f"{policy},{n},{d},{count(policy, n, d)},{commit}"
        for policy in POLICIES
        for d in WIDTHS
        for n in VARIABLES
    ]
    write_whole(path, ("\n".join(lines) + "\n").encode())
    print(path)


if __name__ == "__main__":
    main()
