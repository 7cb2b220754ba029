"""What has been published, as printed: tables 2 to 6 of the ReMAADE paper, the claims made about them, and
figures of other papers.

Units: test error of the incumbent in percent; `mean +- sd`, where `sd` is what the paper prints after `+-`
(over 500 trials). Nothing here is measured by this project. A value that cannot be taken at its word carries
a `doubt`: it is printed as published and flagged, and no verdict on its level is passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PAPER = "ReMAADE paper (Krishna et al.)"
PUBLISHED_TRIALS = 500

# Floors of the real NASBench-101, in percent: no mean over trials can lie at or below the first, no single
# trial below it either.
BEST_SINGLE_RUN_TEST_ERROR = 100 * (1 - 0.94661456)
BEST_MEAN_TEST_ERROR = 100 * (1 - 0.943175752957662)


@dataclass(frozen=True)
class Value:
    """A published figure: `mean` and `sd` in percent, and why it is doubtful, if it is."""

    mean: float
    sd: float
    doubt: str | None = None

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.sd:.2f}"


@dataclass(frozen=True)
class Row:
    """A row of a table: the paper's name for it, the config label that reproduces it, the value printed
    there.

    `settings` are hyperparameters beside the label's own (`orderings` for table 6); `panel` is "" for rows of
    the paper.
    """

    name: str
    label: str
    value: Value | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    panel: str = ""

    def job(self, budget: int) -> dict[str, Any]:
        """What the row needs the result of, as on the command line."""
        settings = {f"optimizer.{key}": value for key, value in self.settings.items()}
        return {"optimizer": self.label, "budget": budget, **settings}


@dataclass(frozen=True)
class Claim:
    """A statement of the paper about two rows: `better` (the mean test error of `row` is lower than that of
    `other`) or `no better`.

    `text` quotes or paraphrases the paper; `row` and `other` are row names.
    """

    row: str
    kind: str  # "better" | "no better"
    other: str
    text: str


_SD_3 = (
    "tables 3 and 4 report the same method at the same budget over 500 trials each, yet table 3 prints an SD "
    "about half of table 4's; "
    "one of the two is not an SD over trials"
)
_RANDOM = "random search at 150 queries is 6.36 in table 3 and 6.30 in table 4: five standard errors apart"

TABLE3 = (
    Row("TPE", "tpe", Value(6.43, 0.16)),
    Row("BOHB", "bohb", Value(6.40, 0.12)),
    Row("Random Search", "random", Value(6.36, 0.12, f"{_RANDOM}; {_SD_3}")),
    Row("Alpha X", "alphax", Value(6.31, 0.13)),
    Row("NASBOT", "nasbot", Value(6.35, 0.10)),
    Row("Reg Evolution", "regularized_evolution", Value(6.20, 0.13)),
    Row("ReMAADE", "remaade", Value(6.15, 0.13)),
    Row(
        "BANANAS",
        "bananas",
        Value(
            5.77,
            0.31,
            "below every other report of BANANAS at 150 queries (its own paper: 5.92) and near the best mean "
            "test error in the table, "
            f"{BEST_MEAN_TEST_ERROR:.3f}",
        ),
    ),
)

TABLE4 = (
    Row("Random Search", "random", Value(6.30, 0.25, f"{_RANDOM}; {_SD_3}")),
    Row("Plain vanilla REINFORCE", "reinforce", Value(6.26, 0.22)),
    Row("REINFORCE with MADE", "reinforce_made", Value(6.25, 0.22)),
    Row("ReMAADE with PPO", "remaade_ppo", Value(6.17, 0.25)),
    Row("ReMAADE w/o PPO", "remaade", Value(6.16, 0.25)),
)

TABLE5 = (
    Row(
        "TPE",
        "tpe",
        Value(
            6.19,
            0.83,
            "its SD is 1.8 to 4.4 times that of every other row, and five times the one printed for the same "
            "method at 150 queries",
        ),
    ),
    Row("BOHB", "bohb", Value(6.08, 0.34)),
    Row("Random Search", "random", Value(6.03, 0.23)),
    Row("Alpha X", "alphax", Value(5.94, 0.32)),
    Row("NASBOT", "nasbot_medium", Value(6.06, 0.34)),
    Row("Reg Evolution", "regularized_evolution", Value(6.04, 0.23)),
    Row("ReMAADE", "remaade_medium", Value(5.91, 0.19)),
    Row(
        "BANANAS",
        "bananas_medium",
        Value(
            5.34,
            0.45,
            "equal to the lowest test error of any single training run in NASBench-101, "
            f"{BEST_SINGLE_RUN_TEST_ERROR:.3f}: a mean over "
            "500 trials with an SD of 0.45 cannot lie there",
        ),
    ),
)

ORDERINGS = (1, 2, 4, 6, 8, 16, "N!")
# Random orders for every S, so that S is all that changes; `order` has no meaning for S > 1.
TABLE6 = tuple(
    Row(
        f"S = {s}",
        "remaade_medium",
        Value(mean, sd),
        settings={"orderings": "all" if s == "N!" else s, **({"order": "random"} if s == 1 else {})},
    )
    for s, mean, sd in zip(
        ORDERINGS, (5.95, 5.94, 5.91, 5.92, 5.93, 5.92, 5.92), (0.18, 0.19, 0.19, 0.19, 0.19, 0.19, 0.19)
    )
)
NATURAL_ORDER = (
    Row("S = 1, natural order", "remaade_medium", settings={"orderings": 1, "order": "natural"}),
)

# Ours: rows below the rule. They have no published counterpart in these tables.
OURS = (
    Row("Local search", "local_search"),
    Row("Reg Evolution (population 30)", "regularized_evolution_small"),
    Row("ReMAADE, rank advantage", "remaade_ranked"),
    Row("NASBOT, distance as commonly run", "nasbot_as_run"),
)
# Library wrappers: slow, a row of their own where somebody has run them, left out of the default.
WRAPPERS = (Row("TPE (hyperopt)", "tpe_hyperopt"), Row("BOHB (hpbandster)", "bohb_hpbandster"))
# Table 4's second panel: every policy at the step size that its own sweep chose.
TUNED = (
    Row("Plain vanilla REINFORCE", "reinforce_tuned"),
    Row("REINFORCE with MADE", "reinforce_made_tuned"),
    Row("REINFORCE with NADE", "reinforce_nade_tuned"),
    Row("REINFORCE with LSTM", "reinforce_lstm_tuned"),
    Row("ReMAADE with PPO, four steps per batch", "remaade_ppo_tuned"),
    Row("ReMAADE w/o PPO", "remaade_tuned"),
)
PPO_STEPS = (Row("ReMAADE with PPO, four steps per batch", "remaade_ppo_steps"),)
OTHER_POLICIES = (Row("REINFORCE with NADE", "reinforce_nade"), Row("REINFORCE with LSTM", "reinforce_lstm"))

_OUTPERFORMS_3 = "'ReMAADE outperforms all algorithms with the exception of BANANAS' (section 8, 150 queries)"
_OUTPERFORMS_5 = (
    "'ReMAADE outperforms all algorithms with a bigger margin with the exception of BANANAS' "
    "(section 8, 3,200 queries)"
)
CLAIMS3 = tuple(
    Claim("ReMAADE", "better", row.name, _OUTPERFORMS_3)
    for row in TABLE3
    if row.name not in ("ReMAADE", "BANANAS")
) + (Claim("BANANAS", "better", "ReMAADE", _OUTPERFORMS_3),)
CLAIMS4 = (
    Claim(
        "ReMAADE w/o PPO", "better", "Random Search", "ReMAADE outperforms random search (abstract, table 4)"
    ),
    Claim(
        "Plain vanilla REINFORCE",
        "better",
        "Random Search",
        "plain REINFORCE is listed as better than random search (table 4)",
    ),
    Claim(
        "ReMAADE w/o PPO",
        "better",
        "Plain vanilla REINFORCE",
        "the masked-attention policy improves on independent actions (section 8.1)",
    ),
    Claim(
        "ReMAADE w/o PPO",
        "better",
        "REINFORCE with MADE",
        "'underscoring the importance of MAADE' (section 8.1)",
    ),
    Claim(
        "REINFORCE with MADE",
        "no better",
        "Plain vanilla REINFORCE",
        "'using MADE [...] failed to improve upon plain vanilla REINFORCE' (section 8.1)",
    ),
    Claim(
        "ReMAADE w/o PPO",
        "better",
        "ReMAADE with PPO",
        "'performance was marginally better without PPO' (section 8.1)",
    ),
)
CLAIMS5 = tuple(
    Claim("ReMAADE", "better", row.name, _OUTPERFORMS_5)
    for row in TABLE5
    if row.name not in ("ReMAADE", "BANANAS")
) + (Claim("BANANAS", "better", "ReMAADE", _OUTPERFORMS_5),)
_MORE = (
    "expected: 'higher values of S will lead to improved performance as we increase the exploration "
    "budget' (section 6)"
)
_DIP = (
    "'performance to improve, then dip, before asymptotically improving again as S increases' (section 8.2)"
)
CLAIMS6 = tuple(Claim(f"S = {s}", "better", "S = 1", _MORE) for s in ORDERINGS[1:]) + (
    Claim("S = 4", "better", "S = 8", f"the dip: {_DIP}"),
    Claim("S = N!", "better", "S = 8", f"the rise after it: {_DIP}"),
)

# 'with a bigger margin' (section 8) against the paper's own numbers: error of a rival less ReMAADE's, at 150
# and at 3,200.
_MEANS3, _MEANS5 = ({row.name: row.value.mean for row in table if row.value} for table in (TABLE3, TABLE5))
MARGINS = {
    name: (round(_MEANS3[name] - _MEANS3["ReMAADE"], 2), round(_MEANS5[name] - _MEANS5["ReMAADE"], 2))
    for name in _MEANS3
    if name not in ("ReMAADE", "BANANAS")
}


@dataclass(frozen=True)
class Complexity:
    """A row of table 2: the paper's O() of the context layer and its exponents in N (variables) and d
    (width)."""

    name: str
    policy: str
    order: str
    exponent_n: int
    exponent_d: int


TABLE2 = (
    Complexity("Masked Attention Autoregressive Density Estimator (MAADE)", "maade", "O(d²)", 0, 2),
    Complexity("Neural Autoregressive Density (NADE)", "nade", "O(N d²)", 1, 2),
    Complexity("Masked Autoregressive Density Estimator (MADE)", "made", "O(N² d²)", 2, 2),
    Complexity("LSTM based controller", "lstm", "O(d²)", 0, 2),
)
COMPLEXITY_N = (26, 52, 104)
COMPLEXITY_D = (36, 72)

# Test error (%) after 150 queries in BANANAS's table (White et al.), means of 200 trials; label -> value.
# Methods without a config keep their name.
BANANAS_TABLE_150 = {
    "reinforce_lstm": 6.436,
    "tpe": 6.415,
    "bohb": 6.356,
    "random": 6.341,
    "GP-BO": 6.267,
    "nasbot": 6.250,
    "alphax": 6.233,
    "regularized_evolution_small": 6.109,
    "DNGO": 6.085,
    "BOHAMIANN": 6.010,
    "BONAS": 5.954,
    "local_search": 5.932,
    "bananas": 5.923,
}
# Other replications of the same two methods at 150 queries: (lowest, highest) mean test error reported.
REPLICATIONS_150 = {"random": (6.38, 6.56), "regularized_evolution": (6.14, 6.55)}


def _errors(**accuracies: tuple[float, float]) -> dict[str, Value]:
    """Test errors from published test accuracies (mean, SD), both in percent."""
    return {label: Value(round(100 - mean, 2), sd) for label, (mean, sd) in accuracies.items()}


_NATS = (
    "NATS-Bench (Dong, Liu, Musial & Gabrys 2021), topology space, means and SDs of 500 searches, as later "
    "papers quote them. Another "
    "protocol: a search sees validation accuracies after 12 epochs and stops at a budget of simulated "
    "training seconds ({seconds:,} here) "
    "instead of a number of queries, so it sees other cells and more noise; evolution there has a population "
    "of 10 and samples of 3, REINFORCE "
    "a step size of 0.01, BOHB four samples."
)
# What has been published on other benchmarks: (benchmark, values of its options) -> (values by configuration,
# source and protocol).
ELSEWHERE: dict[tuple[str, ...], tuple[dict[str, Value], str]] = {
    ("nasbench201", "cifar10"): (
        _errors(
            random=(93.86, 0.23),
            regularized_evolution=(94.02, 0.31),
            reinforce=(93.90, 0.26),
            bohb=(93.94, 0.28),
        ),
        _NATS.format(seconds=20_000),
    ),
    ("nasbench201", "cifar100"): (
        _errors(
            random=(71.55, 0.97),
            regularized_evolution=(72.23, 0.84),
            reinforce=(71.86, 0.89),
            bohb=(72.00, 0.86),
        ),
        _NATS.format(seconds=40_000),
    ),
    ("nasbench201", "imagenet16"): (
        _errors(
            random=(45.28, 0.97),
            regularized_evolution=(45.77, 0.80),
            reinforce=(45.64, 0.78),
            bohb=(45.70, 0.86),
        ),
        _NATS.format(seconds=120_000),
    ),
}
