"""Every policy against its plain twin: log-probabilities, entropies, gradients, samples; and each is a
distribution."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from bench.plain.maade import MAADEPlain
from bench.plain.policies import IndependentPlain, LSTMPlain, MADEPlain, NADEPlain, PlainPolicy
from nas_bench_suite.space import SearchSpace, Variable
from optimizers.reinforce.policies import make_policy
from optimizers.reinforce.policies.base import Policy
from optimizers.reinforce.policies.maade import MAADE

TRIALS, STRINGS, WIDTH = 2, 3, 4


class TinySpace(SearchSpace):
    """Five variables of two families, one family with variables of different size: 2 x 3 x 2 x 2 x 4 = 96
    strings, all valid."""

    name = "tiny"

    def __init__(self) -> None:
        sizes = (("edge", 2), ("op", 3), ("edge", 2), ("op", 2), ("op", 4))
        self.variables = tuple(
            Variable(f"x{i}", tuple(map(str, range(size))), family) for i, (family, size) in enumerate(sizes)
        )

    def is_valid(self, architectures: np.ndarray) -> np.ndarray:
        return np.ones(np.shape(architectures)[:-1], dtype=bool)

    def cell_id(self, architectures: np.ndarray) -> np.ndarray:
        values = np.moveaxis(np.asarray(architectures), -1, 0)
        ids: np.ndarray = np.ravel_multi_index(values, tuple(self.sizes)).astype(np.int64)
        return ids


SPACE = TinySpace()
N = SPACE.num_variables
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "maade": ("maade", {}),
    "maade_steps": ("maade", {"compiled": False}),
    "maade_two_blocks": ("maade", {"blocks": 2}),
    "maade_dot_product": ("maade", {"attention": "dot_product"}),
    "maade_dot_product_two_blocks": ("maade", {"attention": "dot_product", "blocks": 2}),
    "made": ("made", {}),
    "nade": ("nade", {}),
    "lstm": ("lstm", {}),
    "independent": ("independent", {}),
}
PLAIN: dict[str, type[PlainPolicy]] = {
    "made": MADEPlain,
    "nade": NADEPlain,
    "lstm": LSTMPlain,
    "independent": IndependentPlain,
}


def setting(
    case: str, trials: int = TRIALS, dtype: torch.dtype = torch.float64
) -> tuple[Policy, torch.Tensor, np.random.Generator]:
    """The policy of a case and parameters of `trials` trials, larger than their initial values so that
    everything matters."""
    name, options = CASES[case]
    policy = make_policy(name, SPACE, width=WIDTH, dtype=dtype, **options)
    rng = np.random.default_rng(5)
    theta = np.stack([policy.initial(rng) for _ in range(trials)]) * 1.5 + 0.1 * rng.standard_normal(
        (trials, policy.num_parameters)
    )
    return policy, torch.tensor(theta, dtype=dtype), rng


def twin(case: str, policy: Policy, parameters: dict[str, torch.Tensor]) -> PlainPolicy:
    """The plain twin with one trial's parameters."""
    name = CASES[case][0]
    sizes, offsets = SPACE.sizes.tolist(), policy.layout.value_offset.tolist()
    if name == "maade":
        assert isinstance(policy, MAADE)
        return MAADEPlain(parameters, sizes, offsets, policy.blocks, policy.attention)
    return PLAIN[name](parameters, sizes, offsets)


def random_orders(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.tensor(rng.permuted(np.broadcast_to(np.arange(N), (*shape, N)), axis=-1))


@pytest.mark.parametrize("natural", [True, False], ids=["natural", "random_orders"])
@pytest.mark.parametrize("case", CASES)
def test_equals_its_plain_twin(case: str, natural: bool) -> None:
    policy, theta, rng = setting(case)
    theta.requires_grad_()
    strings = torch.tensor(SPACE.from_uniforms(rng.random((TRIALS, STRINGS, N))))
    orders = None if natural else random_orders(rng, TRIALS, STRINGS)
    uniforms = torch.tensor(rng.random((TRIALS, STRINGS, N)))
    weight, entropy_weight = torch.tensor(rng.standard_normal((2, TRIALS, STRINGS)))

    log_prob, entropy = policy.log_prob(theta, strings, orders)
    (gradient,) = torch.autograd.grad((weight * log_prob + entropy_weight * entropy).sum(), theta)
    samples = policy.sample(theta.detach(), uniforms, orders)

    objective = torch.zeros((), dtype=torch.float64)
    for t in range(TRIALS):
        plain = twin(case, policy, {name: values[t] for name, values in policy.unpack(theta).items()})
        for c in range(STRINGS):
            order = list(range(N)) if orders is None else orders[t, c].tolist()
            plain_log_prob, plain_entropy = (
                plain.log_prob(strings[t, c].tolist(), order),
                plain.entropy(strings[t, c].tolist(), order),
            )
            objective = objective + weight[t, c] * plain_log_prob + entropy_weight[t, c] * plain_entropy
            assert log_prob[t, c].item() == pytest.approx(plain_log_prob.item(), abs=1e-11)
            assert entropy[t, c].item() == pytest.approx(plain_entropy.item(), abs=1e-11)
            assert samples[t, c].tolist() == plain.sample(uniforms[t, c].tolist(), order)
    (plain_gradient,) = torch.autograd.grad(objective, theta)
    assert plain_gradient.abs().max() > 0.1
    torch.testing.assert_close(gradient, plain_gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("case", CASES)
def test_probabilities_sum_to_one_for_every_order(case: str) -> None:
    policy, theta, rng = setting(case)
    strings = (
        torch.tensor(list(itertools.product(*map(range, SPACE.sizes)))).expand(TRIALS, -1, -1).contiguous()
    )
    orders = random_orders(rng, TRIALS, 1).expand(-1, strings.shape[1], -1).contiguous()
    for given in (None, orders):
        log_prob, _ = policy.log_prob(theta, strings, given)
        np.testing.assert_allclose(log_prob.exp().sum(dim=1).numpy(), 1.0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_samples_follow_the_probabilities(case: str) -> None:
    policy, theta, rng = setting(case, trials=1, dtype=torch.float32)
    count = 20_000
    order = random_orders(rng, 1, 1).expand(1, count, -1).contiguous()
    samples = policy.sample(theta, torch.tensor(rng.random((1, count, N))), order)
    everything = torch.tensor(list(itertools.product(*map(range, SPACE.sizes))))[None]
    probability = (
        policy.log_prob(theta, everything, order[:, : everything.shape[1]].contiguous())[0][0]
        .exp()
        .double()
        .numpy()
    )
    observed = np.bincount(SPACE.cell_id(samples[0].numpy()), minlength=len(probability))
    rare = probability * count < 5  # pooled with the most frequent string
    observed[probability.argmax()] += observed[rare].sum()
    probability[probability.argmax()] += probability[rare].sum()
    expected = probability[~rare] / probability[~rare].sum() * count
    assert stats.chisquare(observed[~rare], expected).pvalue > 1e-4


@pytest.mark.parametrize("case", CASES)
def test_a_variable_depends_on_earlier_ones_only(case: str) -> None:
    """The gradient test would miss a leak that the twin shares: changing a later variable must not change
    what comes before."""
    policy, theta, rng = setting(case)
    order = random_orders(rng, 1, 1).expand(TRIALS, STRINGS, -1).contiguous()
    uniforms = torch.tensor(rng.random((TRIALS, STRINGS, N)))
    samples = policy.sample(theta, uniforms, order)
    for position in range(1, N):
        changed = uniforms.clone()
        changed[..., position:] = torch.tensor(rng.random((TRIALS, STRINGS, N - position)))
        before = order[0, 0, :position]
        assert torch.equal(policy.sample(theta, changed, order)[..., before], samples[..., before])


@pytest.mark.parametrize("name", ["maade", "made", "nade", "lstm", "independent"])
@pytest.mark.parametrize("width", [5, 36])
def test_context_parameters_are_those_that_lie_between_embeddings_and_density(name: str, width: int) -> None:
    for blocks in (1, 2) if name == "maade" else (1,):
        policy = make_policy(name, SPACE, width=width, blocks=blocks)
        outside = {"query", "value", "density_weight", "density_bias"}
        counted = sum(int(np.prod(init.shape)) for key, init in policy.inits.items() if key not in outside)
        assert policy.context_parameters(N, width, blocks) == counted


def test_a_trial_has_the_same_numbers_in_any_company() -> None:
    """Bit for bit in the compiled form: nothing is summed over trials."""
    policy, theta, rng = setting("maade", trials=7, dtype=torch.float32)
    strings = torch.tensor(SPACE.from_uniforms(rng.random((7, STRINGS, N))))
    whole = policy.log_prob(theta, strings)[0]
    for t in range(7):
        assert torch.equal(policy.log_prob(theta[t : t + 1], strings[t : t + 1])[0][0], whole[t])
