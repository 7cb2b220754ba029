"""Compiled passes of MAADE with one block, over tables that are folded once for all strings of a trial.

With M = 1 the score of variable i for an earlier variable depends on i and on that variable's key alone, and
attention is linear in the keys. So

    weight[i, k]  = exp(score(q_i, key_k)),         key_hidden[k] = W1 key_k,   query_hidden[i] = W1 q_i + b1,
    out_weight[k] = W2^T density_weight[k],         out_bias[k]   = density_bias[k] + density_weight[k] . b2

are tables of a trial, and a string costs, for each position t with variable i = z_t,

    hidden = tanh(query_hidden[i] + sum_s weight[i, k_s] key_hidden[k_s] / sum_s weight[i, k_s]),  s before t,
    logits = out_weight[keys of i] hidden + out_bias[keys of i].

Notation (see `base`): T trials, C strings, N variables, K keys, d width. Orders are int64[T or 1, C or 1, N].
Trials are gone through one by one, so a trial's numbers are the same whatever block it lies in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

# Sums may be reordered for vector instructions; infinities and NaN keep their meaning.
_fast = njit(cache=True, fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")


class Tables(NamedTuple):
    """The tables of T trials, or the gradients by them."""

    weight: np.ndarray  # float[T, N, K]; of the gradients: by the score, not by its exponential
    key_hidden: np.ndarray  # float[T, K, d]
    query_hidden: np.ndarray  # float[T, N, d]
    out_weight: np.ndarray  # float[T, K, d]
    out_bias: np.ndarray  # float[T, K]


class Keys(NamedTuple):
    """Where the keys of each variable lie."""

    offsets: np.ndarray  # int64[N], the first one
    sizes: np.ndarray  # int64[N], how many


class Attention(NamedTuple):
    """What additive scores are made of, or the gradients by it."""

    query: np.ndarray  # float[T, N, d], A q
    projected: np.ndarray  # float[T, K, d], B k
    w: np.ndarray  # float[T, d]


@_fast
def _tanh(x: np.ndarray, width: int) -> None:
    """tanh of x[:width] in place, to 3e-13: Lambert's continued fraction at x / 4, then tanh 2y = 2 tanh y /
    (1 + tanh^2 y) twice.

    Unlike the library's tanh this is plain arithmetic, which the compiler turns into vector instructions.
    """
    one = x.dtype.type(1.0)
    quarter, limit = x.dtype.type(0.25), x.dtype.type(20.0)
    a0, a1, a2 = x.dtype.type(135135.0), x.dtype.type(17325.0), x.dtype.type(378.0)
    b1, b2, b3 = x.dtype.type(62370.0), x.dtype.type(3150.0), x.dtype.type(28.0)
    for j in range(width):
        y = min(max(x[j], -limit), limit) * quarter
        z = y * y
        u = y * (a0 + z * (a1 + z * (a2 + z))) / (a0 + z * (b1 + z * (b2 + z * b3)))
        u = (u + u) / (one + u * u)
        x[j] = (u + u) / (one + u * u)


@_fast
def _mix(
    weight: np.ndarray, key_hidden: np.ndarray, seen: np.ndarray, count: int, i: int, out: np.ndarray
) -> float:
    """Add sum_s weight[i, k_s] key_hidden[k_s] over the keys seen[:count] to out[d]; return the sum of the
    weights.

    Four keys per pass: with d as short as this, starting a pass costs as much as the arithmetic in it.
    """
    d = len(out)
    total: float = weight.dtype.type(0.0)
    whole = count - count % 4
    for s in range(0, whole, 4):
        k0, k1, k2, k3 = seen[s], seen[s + 1], seen[s + 2], seen[s + 3]
        e0, e1, e2, e3 = weight[i, k0], weight[i, k1], weight[i, k2], weight[i, k3]
        total += (e0 + e1) + (e2 + e3)
        for j in range(d):
            out[j] += (e0 * key_hidden[k0, j] + e1 * key_hidden[k1, j]) + (
                e2 * key_hidden[k2, j] + e3 * key_hidden[k3, j]
            )
    for s in range(whole, count):
        k = seen[s]
        e = weight[i, k]
        total += e
        for j in range(d):
            out[j] += e * key_hidden[k, j]
    return total


@_fast
def _hidden(
    weight: np.ndarray,
    key_hidden: np.ndarray,
    query_hidden: np.ndarray,
    seen: np.ndarray,
    count: int,
    i: int,
    hidden: np.ndarray,
) -> float:
    """Fill hidden[d] for variable i after the keys seen[:count]; return the sum of the attention weights."""
    d = len(hidden)
    total: float = weight.dtype.type(0.0)
    if count == 0:
        for j in range(d):
            hidden[j] = query_hidden[i, j]
    else:
        for j in range(d):
            hidden[j] = weight.dtype.type(0.0)
        total = _mix(weight, key_hidden, seen, count, i, hidden)
        scale = weight.dtype.type(1.0) / total
        for j in range(d):
            hidden[j] = query_hidden[i, j] + scale * hidden[j]
    _tanh(hidden, d)
    return total


@_fast
def _log_softmax(
    out_weight: np.ndarray, out_bias: np.ndarray, hidden: np.ndarray, first: int, size: int, logs: np.ndarray
) -> None:
    """Fill logs[:size] with the log-probabilities of the choices whose keys begin at `first`."""
    d = len(hidden)
    highest = -np.inf
    for a in range(size):
        dot = hidden.dtype.type(0.0)
        for j in range(d):
            dot += out_weight[first + a, j] * hidden[j]
        logs[a] = dot + out_bias[first + a]
        highest = max(highest, logs[a])
    total = 0.0
    for a in range(size):
        total += math.exp(logs[a] - highest)
    shift = highest + math.log(total)
    for a in range(size):
        logs[a] -= shift


@_fast
def sample_strings(
    tables: Tables, keys: Keys, orders: np.ndarray, uniforms: np.ndarray, out: np.ndarray
) -> None:
    """Fill out int64[T, C, N] with strings drawn by uniforms [T, C, N]."""
    weight, key_hidden, query_hidden, out_weight, out_bias = tables
    offsets, sizes = keys
    trials, strings, variables = out.shape
    seen = np.empty(variables, np.int64)
    hidden = np.empty(key_hidden.shape[2], key_hidden.dtype)
    logs = np.empty(sizes.max(), np.float64)
    for t in range(trials):
        w, kh, qh, ow, ob = weight[t], key_hidden[t], query_hidden[t], out_weight[t], out_bias[t]
        for c in range(strings):
            row, column = min(t, orders.shape[0] - 1), min(c, orders.shape[1] - 1)
            for step in range(variables):
                i = orders[row, column, step]
                _hidden(w, kh, qh, seen, step, i, hidden)
                _log_softmax(ow, ob, hidden, offsets[i], sizes[i], logs)
                choice, below = 0, math.exp(logs[0])
                while choice < sizes[i] - 1 and uniforms[t, c, step] >= below:
                    choice += 1
                    below += math.exp(logs[choice])
                out[t, c, i] = choice
                seen[step] = offsets[i] + choice


@_fast
def log_prob_forward(
    tables: Tables,
    keys: Keys,
    orders: np.ndarray,
    strings: np.ndarray,
    log_prob: np.ndarray,
    entropy: np.ndarray,
) -> None:
    """Fill log_prob and entropy [T, C] for strings int64[T, C, N]."""
    weight, key_hidden, query_hidden, out_weight, out_bias = tables
    offsets, sizes = keys
    trials, count, variables = strings.shape
    seen = np.empty(variables, np.int64)
    hidden = np.empty(key_hidden.shape[2], key_hidden.dtype)
    logs = np.empty(sizes.max(), np.float64)
    for t in range(trials):
        w, kh, qh, ow, ob = weight[t], key_hidden[t], query_hidden[t], out_weight[t], out_bias[t]
        for c in range(count):
            row, column = min(t, orders.shape[0] - 1), min(c, orders.shape[1] - 1)
            total, spread = 0.0, 0.0
            for step in range(variables):
                i = orders[row, column, step]
                _hidden(w, kh, qh, seen, step, i, hidden)
                _log_softmax(ow, ob, hidden, offsets[i], sizes[i], logs)
                total += logs[strings[t, c, i]]
                for a in range(sizes[i]):
                    spread -= math.exp(logs[a]) * logs[a]
                seen[step] = offsets[i] + strings[t, c, i]
            log_prob[t, c] = total
            entropy[t, c] = spread


@_fast
def log_prob_backward(
    tables: Tables,
    keys: Keys,
    orders: np.ndarray,
    strings: np.ndarray,
    d_log_prob: np.ndarray,
    d_entropy: np.ndarray,
    gradients: Tables,
) -> None:
    """Add to `gradients` the gradient of sum(d_log_prob * log_prob + d_entropy * entropy)."""
    weight, key_hidden, query_hidden, out_weight, out_bias = tables
    d_score, d_key_hidden, d_query_hidden, d_out_weight, d_out_bias = gradients
    offsets, sizes = keys
    trials, count, variables = strings.shape
    d = key_hidden.shape[2]
    real = key_hidden.dtype.type
    seen = np.empty(variables, np.int64)
    hidden, d_hidden, mixed = (
        np.empty(d, key_hidden.dtype),
        np.empty(d, key_hidden.dtype),
        np.empty(d, key_hidden.dtype),
    )
    logs, probabilities = np.empty(sizes.max(), np.float64), np.empty(sizes.max(), np.float64)
    for t in range(trials):
        w, kh, qh, ow, ob = weight[t], key_hidden[t], query_hidden[t], out_weight[t], out_bias[t]
        d_s, d_kh, d_qh, d_ow, d_ob = (
            d_score[t],
            d_key_hidden[t],
            d_query_hidden[t],
            d_out_weight[t],
            d_out_bias[t],
        )
        for c in range(count):
            up, up_entropy = d_log_prob[t, c], d_entropy[t, c]
            if up == 0.0 and up_entropy == 0.0:
                continue
            row, column = min(t, orders.shape[0] - 1), min(c, orders.shape[1] - 1)
            for step in range(variables):
                i = orders[row, column, step]
                # The attention's output is needed once more below: sum_j p_j key_hidden_j.
                for j in range(d):
                    mixed[j] = real(0.0)
                total = _mix(w, kh, seen, step, i, mixed)
                scale = real(1.0) / total if step > 0 else real(0.0)
                for j in range(d):
                    mixed[j] *= scale
                    hidden[j] = qh[i, j] + mixed[j]
                    d_hidden[j] = real(0.0)
                _tanh(hidden, d)
                first, size = offsets[i], sizes[i]
                _log_softmax(ow, ob, hidden, first, size, logs)
                spread = 0.0
                for a in range(size):
                    probabilities[a] = math.exp(logs[a])
                    spread -= probabilities[a] * logs[a]
                for a in range(size):
                    hit = 1.0 if a == strings[t, c, i] else 0.0
                    g = real(
                        up * (hit - probabilities[a]) - up_entropy * probabilities[a] * (logs[a] + spread)
                    )
                    d_ob[first + a] += g
                    for j in range(d):
                        d_ow[first + a, j] += g * hidden[j]
                        d_hidden[j] += g * ow[first + a, j]
                back = real(0.0)
                for j in range(d):
                    d_hidden[j] *= real(1.0) - hidden[j] * hidden[j]
                    d_qh[i, j] += d_hidden[j]
                    back += d_hidden[j] * mixed[j]
                for s in range(step):
                    k = seen[s]
                    p_attention = w[i, k] * scale
                    dot = real(0.0)
                    for j in range(d):
                        dot += d_hidden[j] * kh[k, j]
                        d_kh[k, j] += p_attention * d_hidden[j]
                    d_s[i, k] += p_attention * (dot - back)
                seen[step] = first + strings[t, c, i]


@_fast
def scores_forward(attention: Attention, key_variable: np.ndarray, natural: bool, scores: np.ndarray) -> None:
    """Fill scores [T, N, K] with w . tanh(query_i + projected_k).

    Pairs that never meet stay as they are: a variable's own keys and, in the natural order, those of later
    variables.
    """
    query, projected, w = attention
    trials, variables, d = query.shape
    buffer = np.empty(d, query.dtype)
    for t in range(trials):
        for i in range(variables):
            for k in range(len(key_variable)):
                if key_variable[k] == i or (natural and key_variable[k] > i):
                    continue
                for j in range(d):
                    buffer[j] = query[t, i, j] + projected[t, k, j]
                _tanh(buffer, d)
                dot = query.dtype.type(0.0)
                for j in range(d):
                    dot += w[t, j] * buffer[j]
                scores[t, i, k] = dot


@_fast
def scores_backward(
    attention: Attention,
    key_variable: np.ndarray,
    natural: bool,
    d_scores: np.ndarray,
    gradients: Attention,
) -> None:
    """Add to `gradients` the gradient of sum(d_scores * scores)."""
    query, projected, w = attention
    d_query, d_projected, d_w = gradients
    trials, variables, d = query.shape
    buffer = np.empty(d, query.dtype)
    one = query.dtype.type(1.0)
    for t in range(trials):
        for i in range(variables):
            for k in range(len(key_variable)):
                g = d_scores[t, i, k]
                if g == 0.0 or key_variable[k] == i or (natural and key_variable[k] > i):
                    continue
                for j in range(d):
                    buffer[j] = query[t, i, j] + projected[t, k, j]
                _tanh(buffer, d)
                for j in range(d):
                    d_w[t, j] += g * buffer[j]
                    back = g * w[t, j] * (one - buffer[j] * buffer[j])
                    d_query[t, i, j] += back
                    d_projected[t, k, j] += back
