"""Autoregressive distributions over architectures: MAADE and what it is compared with.

`make_policy` builds one by name; modules are imported when asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optimizers.reinforce.policies.base import Policy

POLICIES: dict[str, str] = {
    "maade": "optimizers.reinforce.policies.maade:MAADE",
    "made": "optimizers.reinforce.policies.made:MADE",
    "nade": "optimizers.reinforce.policies.nade:NADE",
    "lstm": "optimizers.reinforce.policies.lstm:LSTM",
    "independent": "optimizers.reinforce.policies.independent:Independent",
}


def policy_class(name: str) -> type[Policy]:
    """The class of the policy called `name` (one of `POLICIES`)."""
    module, attribute = POLICIES[name].split(":")
    found: type[Policy] = getattr(importlib.import_module(module), attribute)
    return found


def make_policy(name: str, space: Any, **options: Any) -> Policy:
    """Build the policy called `name` for a search space; `options` as the class takes them (unknown to it:
    left out)."""
    from optimizers.reinforce.policies.base import Layout

    cls = policy_class(name)
    return cls(Layout.of(space), **{key: value for key, value in options.items() if key in cls.options})
