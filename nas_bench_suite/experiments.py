"""What the files in `conf/` say, read without Hydra: configurations, and the jobs of experiments.

A *configuration* is what one job runs with: a benchmark, a method and a protocol, each from a file of its
group, and the keys of `conf/config.yaml`. `compose` puts it together as Hydra does; a test compares the two
for every file.

An *experiment* is a file in `conf/experiment/`: a union of products. A *product* maps keys to
comma-separated values and stands for every combination of them; its keys are those of a command line
(`optimizer`, `budget`, `optimizer.learning_rate`). An experiment lists its own products in
`hydra.sweeper.products` and may name others, whose products come first, in `hydra.sweeper.experiments`; a
name may be a pattern (`table*`). This is the one place that reads these two lists: the sweeper runs the
products, the analysis asks for their results.

The files lie in `conf/`. Whoever has methods or benchmarks of their own has a folder like it: an installed
package names it by an entry point of the group `nas_bench_suite.configs`, a command by `--config-dir`
(`use_folder`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import product as combinations
from pathlib import Path
from typing import Any

from nas_bench_suite.checks import ConfigError, nearest, shown

_HERE = Path(__file__).resolve().parent
# A wheel has the folder inside the package; a checkout beside it, where people edit it.
CONF = _HERE / "conf" if (_HERE / "conf").is_dir() else _HERE.parent / "conf"
GROUPS = ("optimizer", "benchmark", "protocol", "experiment")
ENTRY_POINTS = "nas_bench_suite.configs"
_used: list[Path] = []
Product = Mapping[str, Any]  # key -> comma-separated values
Job = Mapping[str, Any]  # key -> value


def names(group: str, conf: Path | None = None) -> list[str]:
    """The files of a group, without their ending: the names that `optimizer=` or `+experiment=` take."""
    return sorted({path.stem for folder in folders(conf) for path in (folder / group).glob("*.yaml")})


def folders(conf: Path | None = None) -> list[Path]:
    """Where configs are looked for, in this order: `conf/`, the folders of installed packages, and those of
    `use_folder`. A folder other than `conf/` stands alone.

    Raises:
        ConfigError: for an entry point that leads to no folder, or a name that two folders have.
    """
    if conf is not None and conf.resolve() != CONF.resolve():
        return [conf]
    return [CONF, *_of_packages(), *(folder for folder in _used if folder not in _of_packages())]


def use_folder(folder: str | Path) -> Path:
    """Look for configs in a folder too: `optimizer/NAME.yaml` in it is `optimizer=NAME`. Modules beside the
    folder, and in it, can be imported.

    Raises:
        ConfigError: if it is no folder with such files, or has a name that is taken.
    """
    path = Path(folder).resolve()
    if not any((path / group).is_dir() for group in GROUPS):
        raise ConfigError(
            f"--config-dir={shown(folder)} holds no configs; accepted: a folder with optimizer/NAME.yaml (or "
            f"{', '.join(f'{group}/' for group in GROUPS[1:])})."
        )
    _check_names(path, folders())
    if path not in _used and path != CONF.resolve():
        _used.append(path)
    for place in (path.parent, path):
        if str(place) not in sys.path:
            sys.path.append(str(place))  # last: a file of the user's hides nothing that is installed
    return path


@cache
def _of_packages() -> list[Path]:
    """The folders that installed packages name."""
    found: list[Path] = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: (point.name, point.value)):
        try:
            spec = find_spec(point.value)
        except (ImportError, AttributeError, ValueError):
            spec = None
        places = list(spec.submodule_search_locations or []) if spec is not None else []
        if not places:
            of = f" of {point.dist.name}" if point.dist is not None else ""
            raise ConfigError(
                f"the entry point '{point.name} = {point.value}'{of} leads to no folder; accepted in group "
                f"{ENTRY_POINTS}: the dotted name of a package's folder, as in my_package.conf."
            )
        folder = Path(places[0]).resolve()
        _check_names(folder, [CONF, *found])
        if folder not in found:
            found.append(folder)
    return found


def _check_names(folder: Path, others: Sequence[Path]) -> None:
    """Refuse a config whose name another folder has: which of the two runs would be a matter of order."""
    for group in GROUPS:
        for name in sorted(path.stem for path in (folder / group).glob("*.yaml")):
            for other in others:
                if other.resolve() != folder and (other / group / f"{name}.yaml").exists():
                    raise ConfigError(
                        f"{folder / group / name}.yaml has the name of a config in {other}; accepted: "
                        "another name."
                    )


def _path(group: str, name: str, conf: Path | None) -> Path:
    """The file of a config; where there is none, the path that it would have in the first folder."""
    paths = [folder / group / f"{name}.yaml" for folder in folders(conf)]
    return next((path for path in paths if path.exists()), paths[0])


def products(experiment: str, conf: Path | None = None) -> list[Product]:
    """The products of an experiment: those of the experiments that it names, then its own.

    Raises:
        ConfigError: if a file is missing or cannot be read, or if experiments name each other in a circle.
    """
    return [product for name in members(experiment, conf) for product in _sweeper(name, conf)[0]]


def union(own: Sequence[Product], named: Sequence[str], conf: Path | None = None) -> list[Product]:
    """The products of the experiments `named` (names or patterns), then `own`."""
    found = [product for name in _members(named, conf, ()) for product in _sweeper(name, conf)[0]]
    return [*found, *own]


def members(experiment: str, conf: Path | None = None) -> list[str]:
    """The experiments whose products an experiment runs, in order: those that it names, then itself."""
    return _members([experiment], conf, ())


def _members(named: Iterable[str], conf: Path | None, above: tuple[str, ...]) -> list[str]:
    known, out = names("experiment", conf), []
    for pattern in named:
        fitting = [name for name in known if fnmatchcase(name, pattern)]
        if not fitting:
            raise ConfigError(
                f"experiment={pattern} is not known{nearest(pattern, known)}; accepted: {', '.join(known)}."
            )
        for name in fitting:
            if name in above:
                raise ConfigError(
                    f"conf/experiment: {' names '.join([*above, name])}; accepted: experiments that do not "
                    "name each other in a circle."
                )
            out += [*_members(_sweeper(name, conf)[1], conf, (*above, name)), name]
    return list(dict.fromkeys(out))


def jobs(experiment: str, conf: Path | None = None) -> list[Job]:
    """The jobs of an experiment, in order and without duplicates, each with the keys that its file sets for
    all of them (`seed`, `trials`, another benchmark).

    Raises:
        ConfigError: as `products`, and for a value in Hydra's grammar that is no plain list.
    """
    shared = _shared(experiment, conf)
    out: list[Job] = []
    for product in products(experiment, conf):
        values = [[(key, value) for value in _values(key, given)] for key, given in product.items()]
        for chosen in combinations(*values):
            job = shared | dict(chosen)
            if job not in out:
                out.append(job)
    return out


def compose(values: Job | None = None, conf: Path | None = None) -> dict[str, Any]:
    """The configuration of a job: what `python run.py KEY=VALUE ...` runs with.

    Args:
        values: as on the command line, dotted where they lie deeper (`{"optimizer": "remaade",
            "optimizer.orderings": 4}`).
        conf: the folder of the files.

    Raises:
        ConfigError: for a name that no file has, or a file that cannot be read.
    """
    values, conf = dict(values or {}), conf or CONF
    main = _content(conf / "config.yaml")
    config: dict[str, Any] = {}
    for entry in main["defaults"]:
        if entry == "_self_":
            own = {key: value for key, value in main.items() if key not in ("defaults", "hydra")}
            _merge(config, own)
        elif isinstance(entry, dict):
            for group, name in entry.items():
                if not group.startswith("override "):
                    _merge(config, packaged(group, str(values.pop(group, name)), conf))
    for key, value in values.items():
        *path, last = key.split(".")
        section = config
        for part in path:
            section = section.setdefault(part, {})
        section[last] = value
    return config


def packaged(group: str, name: str, conf: Path | None = None) -> dict[str, Any]:
    """What one file adds to a configuration, the files that it stands on first (`defaults: [reinforce,
    _self_]`): `{group: its keys}`, or its keys as they are under `# @package _global_`.

    Raises:
        ConfigError: if there is no such file, or one cannot be read.
    """
    conf = conf or CONF
    path = _path(group, name, conf)
    if not path.exists():
        known = names(group, conf)
        raise ConfigError(f"{group}={name} is not known{nearest(name, known)}; accepted: {', '.join(known)}.")
    content = dict(_content(path))
    out: dict[str, Any] = {}
    for parent in [*content.pop("defaults", []), "_self_"]:
        if parent == "_self_":
            _merge(out, content if _is_global(path) else {group: content})
            content = {}
        elif isinstance(parent, str):
            _merge(out, packaged(group, parent, conf))
    return out


def _sweeper(experiment: str, conf: Path | None) -> tuple[list[Product], list[str]]:
    """An experiment's own products, and the names and patterns of others."""
    path = _path("experiment", experiment, conf)
    found = ((_content(path).get("hydra") or {}).get("sweeper") or {}) if path.exists() else {}
    return list(found.get("products") or []), list(found.get("experiments") or [])


def _shared(experiment: str, conf: Path | None) -> dict[str, Any]:
    """What an experiment's file sets for all its jobs."""
    content = _content(_path("experiment", experiment, conf))
    out = {key: value for key, value in content.items() if key not in ("defaults", "hydra")}
    for entry in content.get("defaults") or []:
        for group, name in entry.items() if isinstance(entry, dict) else ():
            out[group.removeprefix("override ").lstrip("/")] = name
    return out


def _values(key: str, given: Any) -> list[Any]:
    """The values of `4,all` or of one number, as YAML reads them."""
    import yaml

    if not isinstance(given, str):
        return [given]
    if set(given) & set("()[]{}"):
        raise ConfigError(f"conf/experiment: {key}: {given} is no plain list; accepted: value,value, ...")
    return [yaml.safe_load(value) for value in given.split(",")]


def _content(path: Path) -> dict[str, Any]:
    """A file as it stands, references (`${...}`) and all."""
    try:
        written = path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror or error}).") from None
    return _read(path, written)


@cache
def _read(path: Path, written: int) -> dict[str, Any]:
    """The content of a file as it was at the time `written`: many jobs share a few files."""
    from omegaconf import OmegaConf

    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except Exception as error:  # yaml and omegaconf raise many kinds
        raise ConfigError(f"{path} cannot be read ({str(error).splitlines()[0]}).") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} cannot be read; accepted: keys with values.")
    return {str(key): value for key, value in content.items()}


def _is_global(path: Path) -> bool:
    return "# @package _global_" in path.read_text().partition("\n")[0]


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Lay `more` over `into`, mapping by mapping."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            below = into.setdefault(key, {})
            if not isinstance(below, dict):
                below = into[key] = {}
            _merge(below, value)
        else:
            into[key] = value
