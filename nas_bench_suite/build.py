"""From a configuration to objects: the benchmark, the method, the protocol and the device of a job."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from nas_bench_suite.benchmark import Benchmark, load_benchmark
from nas_bench_suite.checks import ConfigError, check_choice, nearest
from nas_bench_suite.optimizer import Optimizer
from nas_bench_suite.protocol import Protocol


def make_protocol(options: Mapping[str, Any]) -> Protocol:
    """The protocol of a config section; raises `ConfigError` for an unknown key or value."""
    accepted = list(inspect.signature(Protocol).parameters)
    for key in options:
        if key not in accepted:
            raise ConfigError(
                f"protocol.{key} is not known{nearest(key, accepted)}; accepted: {', '.join(accepted)}."
            )
    return Protocol(**{str(key): value for key, value in options.items()})


def make_benchmark(options: Mapping[str, Any]) -> Benchmark:
    """The benchmark of a config section (`name` and its options); raises `ConfigError` for a wrong one."""
    if not isinstance(options, Mapping) or not isinstance(options.get("name"), str):
        raise ConfigError("benchmark.name is missing; accepted: a name, as in conf/benchmark/*.yaml.")
    for key in _private_keys(options, "benchmark"):
        raise ConfigError(f"{key} is not an option; accepted: keys without a leading underscore.")
    return load_benchmark(
        options["name"], **{str(key): value for key, value in options.items() if key != "name"}
    )


def make_optimizer(options: Mapping[str, Any]) -> Optimizer:
    """The method of a config section (`_target_` and hyperparameters).

    Nothing but the class named at the top is imported and called: a `_target_` or another key with a leading
    underscore anywhere else is refused.

    Raises:
        ConfigError: for a wrong class, hyperparameter or value.
    """
    if not isinstance(options, Mapping) or not isinstance(options.get("_target_"), str):
        raise ConfigError(
            "optimizer._target_ is missing; accepted: the dotted path of an Optimizer class, or a method by "
            "name "
            "(optimizer=remaade)."
        )
    hidden = [key for key in _private_keys(options, "optimizer") if key != "optimizer._target_"]
    if hidden:
        raise ConfigError(
            f"{hidden[0]} is not a hyperparameter; accepted: keys without a leading underscore, and _target_ "
            "at the top."
        )
    name = options["_target_"]
    target = _optimizer_class(name)
    given = {str(key): value for key, value in options.items() if key != "_target_"}
    accepted = [key for key in inspect.signature(target).parameters if key != "self"]
    for key in given:
        if key not in accepted:
            raise ConfigError(
                f"optimizer.{key} is not a hyperparameter of {target.__name__}{nearest(key, accepted)}; "
                "accepted: "
                f"{', '.join(accepted)}."
            )
    try:
        return target(**given)
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        words = str(error).splitlines()[0] if str(error) else "no message"
        raise ConfigError(
            f"optimizer: {target.__name__} refuses its hyperparameters ({type(error).__name__}: {words}); "
            "accepted: "
            f"values for {', '.join(accepted) or 'none'} of the kind that the method's config shows."
        ) from error


def _optimizer_class(name: str) -> type[Optimizer]:
    """The class at a dotted path; raises `ConfigError` if there is none or it is no Optimizer."""
    from hydra.utils import get_class

    accepted = "accepted: the dotted path of an Optimizer class."
    try:
        target = get_class(name)
    except Exception as error:  # importing somebody's module may fail in any way
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"optimizer._target_={name} cannot be imported ({words}); {accepted}") from error
    if not (inspect.isclass(target) and issubclass(target, Optimizer)) or inspect.isabstract(target):
        raise ConfigError(f"optimizer._target_={name} is no Optimizer; {accepted}")
    return target


def _private_keys(section: Any, where: str) -> Iterator[str]:
    """Dotted keys with a leading underscore, at any depth."""
    if isinstance(section, Mapping):
        for key, value in section.items():
            if str(key).startswith("_"):
                yield f"{where}.{key}"
            yield from _private_keys(value, f"{where}.{key}")
    elif isinstance(section, (list, tuple)):
        for i, value in enumerate(section):
            yield from _private_keys(value, f"{where}.{i}")


def check_device(device: str) -> str:
    if device == "cpu":
        return device
    check_choice("device", device.split(":")[0], ("cpu", "cuda", "mps"))
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise ConfigError(f"device={device} is not available on this machine; accepted here: cpu.") from None
    return device
