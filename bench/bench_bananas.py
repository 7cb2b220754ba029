"""BANANAS and AlphaX, seconds a trial of 150 queries, beside plainer ways to do the same within one run.

A trial of BANANAS trains 5 networks at 10, 20, ..., 140 examples, 150 epochs each. The plain way is a loop in
torch, one network at a time, as public code has it; another is torch with the networks of 20 trials as one
batched product. Both are timed on a part of the epochs, at every second size, and scaled up; the compiled
trainer is timed whole. AlphaX is held against its plain twin, which makes the same proposals.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np

from bench.plain.alphax import PlainTree, State, matrix_of
from nas_bench_suite import Lookups, Streams, load_benchmark
from nas_bench_suite.benchmarks.nasbench101.space import OPERATIONS
from nas_bench_suite.search import search
from optimizers.alphax import AlphaX
from optimizers.bananas import Bananas

BUDGET, SEED, FEATURES, NETWORKS, EPOCHS, BATCH = 150, 0, 40, 5, 150, 32
SIZES = range(10, BUDGET, 10)


def run() -> list[tuple[str, str]]:
    """Rows (what, measured) of `make bench`."""
    benchmark = load_benchmark("nasbench101_surrogate")
    search(Bananas(), benchmark, budget=20, trials=1, seed=SEED)  # compiles
    ours = min(
        _seconds(lambda: search(Bananas(), benchmark, budget=BUDGET, trials=2, seed=SEED)) / 2
        for _ in range(3)
    )
    loop, batched = _torch(networks=1, epochs=3), _torch(networks=NETWORKS * 20, epochs=3)
    search(AlphaX(), benchmark, budget=120, trials=2, seed=SEED)
    trials = 100
    tree = _seconds(lambda: search(AlphaX(), benchmark, budget=BUDGET, trials=trials, seed=SEED)) / trials
    bare = AlphaX(simulations=0)
    began = time.process_time()
    record = search(bare, benchmark, budget=BUDGET, trials=trials, seed=SEED)
    without = (time.process_time() - began) / trials
    twin = _alphax_twin(benchmark, record)
    return [
        (
            "bananas, a trial of 150 queries",
            f"{ours:.2f} s (asked: below 1 s), so 500 in {500 * ours / 60:.1f} min on one thread",
        ),
        (
            "bananas' networks in a torch loop, one at a time",
            f"{loop:.1f} s a trial, {loop / ours:.0f} times as long",
        ),
        (
            "bananas' networks in torch, 20 trials as one product",
            f"{batched:.1f} s a trial, {batched / ours:.1f} times as long",
        ),
        (
            "alphax, a trial of 150 queries",
            f"{tree * 1000:.0f} ms, so 500 in {500 * tree:.0f} s on one thread",
        ),
        (
            "alphax without its network: the plain twin",
            f"{twin:.2f} s a trial, {twin / without:.0f} times as long",
        ),
    ]


def _seconds(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _torch(networks: int, epochs: int) -> float:
    """Seconds a trial that torch takes to train `networks` networks at a time."""
    import torch

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    widths = [FEATURES, *[20] * 10, 1]
    total = 0.0
    for n in SIZES[::2]:
        parts = [
            torch.rand((networks, i, o), generator=generator) - 0.5 for i, o in itertools.pairwise(widths)
        ]
        parts += [torch.zeros((networks, 1, o)) for o in widths[1:]]
        parts = [part.requires_grad_() for part in parts]
        optimizer = torch.optim.Adam(parts, lr=0.01, betas=(0.9, 0.99), eps=1e-7)
        x = (torch.rand((networks, n, FEATURES), generator=generator) < 0.15).float()
        y = torch.rand((networks, n, 1), generator=generator) + 6
        began = time.process_time()
        for _ in range(epochs):
            order = torch.randperm(n, generator=generator)
            for begin in range(0, n, BATCH):
                rows = order[begin : begin + BATCH]
                h = x[:, rows]
                for layer in range(11):
                    h = torch.baddbmm(parts[11 + layer], h, parts[layer])
                    if layer < 10:
                        h = torch.relu(h)
                loss = (h - y[:, rows]).abs().mean(dim=(1, 2)).sum()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
        total += time.process_time() - began
    return total * len(SIZES) / len(SIZES[::2]) * EPOCHS / epochs * NETWORKS / networks


def _alphax_twin(benchmark: Any, record: Any) -> float:
    """Seconds of one trial of the plain twin, whose cells are checked."""
    space, streams = benchmark.space, Streams(SEED, 1)
    runs = streams.generators("run")[0]

    def string(state: State) -> np.ndarray:
        labels = ["input", *(OPERATIONS[op] for op in state[0]), "output"]
        return np.asarray(space.from_graph(matrix_of(state), labels))

    twin = PlainTree(
        streams.generators("alphax_tree")[0],
        streams.generators("alphax_play_outs")[0],
        string,
        lambda state: int(space.cell_id(string(state))),
        lambda cell: float(
            benchmark.query(Lookups(np.asarray(cell), int(runs.random() * benchmark.num_runs))).validation
        ),
        choices=3,
        max_vertices=7,
        max_edges=9,
        c=2.0,
        reuse=True,
    )
    began = time.process_time()
    cells = twin.run(BUDGET)
    seconds = time.process_time() - began
    if cells != list(record.queries["cell_id"][record.queries["trial"] == 0]):
        raise AssertionError("the twin evaluated other cells")
    return seconds
