"""Wrong input gets one sentence and exit code 2, whatever it is: explicit cases, and short seeded parts of
the campaigns in tests/torture."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from nas_bench_suite.experiments import CONF
from tests.torture import command_line, methods, optimizer_keys
from tests.torture.forked import Done, check, command

SMALL = ("benchmark=planted", "optimizer=random", "budget=5", "trials=2")
LONG = "x" * 300


def refused(folder: Path, *words: str, conf: Path = CONF, cwd: Path | None = None) -> str:
    here = folder / "here"
    here.mkdir(exist_ok=True)
    own = [] if any("output_dir" in word for word in words) else [f"output_dir={folder / 'out'}"]
    done = command([*SMALL, *own, *words], folder, conf, cwd or here)
    assert check(done, folder, "-m" in words) == "refused"
    return done.errors[0]


@pytest.mark.parametrize("multirun", [False, True], ids=["one job", "-m"])
@pytest.mark.parametrize("kind", ["file", "device", "circle", "long", "null", "1", "[a,b]", "''"])
def test_an_output_dir_that_is_no_folder(kind: str, multirun: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    value = {"device": "/dev/null", "long": LONG}.get(kind, kind)
    if kind in ("file", "circle"):
        value = str(tmp_path / kind)
    words = [f"output_dir={value}", *(["-m"] if multirun else [])]
    assert value.strip("'")[:20] in refused(tmp_path, *words).replace("None", "null").replace(
        "'", ""
    ).replace(", ", ",")
    assert (tmp_path / "file").read_text() == "kept"


def test_one_wrong_folder_leaves_the_other_jobs_alone(tmp_path: Path) -> None:
    done = command(["-m", *SMALL, f"output_dir=/dev/null,{tmp_path / 'out'}"], tmp_path, cwd=tmp_path)
    assert check(done, tmp_path, True) == "refused" and len(done.errors) == 1
    assert len(list(tmp_path.rglob("*.parquet"))) == 1 and "random" in done.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["~budget"], "budget is missing"),
        (["~optimizer"], "optimizer is missing"),
        (["~benchmark.name"], "benchmark.name is missing"),
        (["~benchmark"], "benchmark is missing"),
        (["optimizer=null"], "optimizer"),
        (["optimizer._target_=null"], "optimizer._target_ is missing"),
        (["+optimizer._partial_=true"], "optimizer._partial_ is not a hyperparameter"),
        (["+optimizer._args_=[1]"], "optimizer._args_ is not a hyperparameter"),
        (["optimizer.batch={_target_: os.getcwd}"], "optimizer.batch._target_ is not a hyperparameter"),
        (["optimizer._target_=os.getcwd"], "Optimizer class"),
        (["benchmark.name=[x]"], "benchmark.name is missing"),
        (["benchmark=null"], "benchmark"),
        (["protocol.run=[x]"], "protocol.run=['x'] is not known"),
        (["-m", "budget=glob(*)"], "budget"),
        (["-m", "budget=range(-1,1)"], "budget=-1 is out of range"),
        (["-m", "budget=choice(a)"], "budget=a is out of range"),
        (["-m", "budget=interval(0,1)"], "no list of values"),
        (["-m", "seed=range(0,1000000)"], "1,000,000 jobs or more; accepted: up to 100,000"),
        (["-m", "seed=range(0,2000)", "trials=range(1,2000)"], "3,998,000 jobs"),
        (["budget=${nothing}"], "nothing"),
        (["budget=${trials}", "trials=${budget}"], "circle"),
        (["seed=${oc.env:HOME}"], "seed="),
        (["seed=${oc.env:NO_SUCH_VARIABLE}"], "NO_SUCH_VARIABLE"),
        (["hydra/launcher=nope"], "hydra/launcher=nope is not known"),
        (["hydra.run.dir=/dev/null/x"], "/dev/null"),
        (["optimizer='x"], "cannot be read as an override"),
        ([""], "'' cannot be read as an override"),
        (["budget"], "'budget' cannot be read as an override"),
        (["ünïcödé=1"], "cannot be read as an override"),
        (["budget=" + "9" * 20_000], "digits"),
        (["--cfg", "nonsense"], "--cfg"),
        (["--cfg"], "--cfg"),
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun is not an option"),
        (["--config-name", "nope"], "nope"),
        (["--config-dir", "/nowhere"], "/nowhere"),
        (["first_trial=2147483647"], "reaches trial"),
        (["budget=10000000000"], "budget=10000000000 is out of range"),
        (["trials=1000000000", "budget=2000000000"], "GB"),
        (["trials_per_block=0"], "trials_per_block=0 is out of range"),
        (["trials_per_block=1000000000"], "GB of memory"),
        (["workers=0"], "workers=0 is out of range"),
        (["workers=10000"], "workers=10000 is out of range"),
        (["workers=1.5"], "workers=1.5 is out of range"),
        (["workers=true"], "workers=True is out of range"),
        (["device=banana"], "device=banana is not known"),
        (["seed=-1"], "seed=-1 is out of range"),
        (["seed=1e400"], "seed=inf is out of range"),
        (["seed=nan"], "seed=nan is out of range"),
        (["optimizer.batch=" + "1" + "0" * 400], "optimizer.batch=1"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_wrong_words(words: list[str], expected: str, tmp_path: Path) -> None:
    assert expected in refused(tmp_path, *words)
    assert not list(tmp_path.rglob("*.parquet"))


def test_flags_may_follow_keys_and_whole_floats_are_whole_numbers(tmp_path: Path) -> None:
    words = [*SMALL, "trials=2.0", "seed=0,1", f"output_dir={tmp_path / 'out'}", "-m"]
    done = command(words, tmp_path, cwd=tmp_path)
    assert check(done, tmp_path) == "ok" and len(list(tmp_path.rglob("*.parquet"))) == 2


def broken_main(conf: Path) -> None:
    (conf / "config.yaml").write_text("a: [1\nb: }")


def main_is_a_folder(conf: Path) -> None:
    (conf / "config.yaml").unlink()
    (conf / "config.yaml").mkdir()


def main_is_missing(conf: Path) -> None:
    (conf / "config.yaml").unlink()


def main_is_binary(conf: Path) -> None:
    (conf / "config.yaml").write_bytes(bytes(range(256)))


def main_is_a_list(conf: Path) -> None:
    (conf / "config.yaml").write_text("[1, 2]")


def main_is_empty(conf: Path) -> None:
    (conf / "config.yaml").write_text("")


def broken_method(conf: Path) -> None:
    (conf / "optimizer" / "random.yaml").write_text("_target_: [\n")


def method_is_text(conf: Path) -> None:
    (conf / "optimizer" / "random.yaml").write_text("just words")


@pytest.mark.parametrize(
    "damage",
    [
        broken_main,
        main_is_a_folder,
        main_is_missing,
        main_is_binary,
        main_is_a_list,
        main_is_empty,
        broken_method,
        method_is_text,
    ],
)
def test_damaged_configuration_files(damage: Callable[[Path], None], tmp_path: Path) -> None:
    conf = Path(shutil.copytree(CONF, tmp_path / "conf"))
    damage(conf)
    refused(tmp_path, *(["-m"] if damage is broken_method else []), conf=conf)


def test_a_folder_that_has_been_removed(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def leave() -> Done:
        from tests.torture.forked import call

        def run() -> None:
            gone.rmdir()
            import sys

            from nas_bench_suite.cli import main

            sys.argv = ["run.py", *SMALL]
            main(CONF)

        return call(run, tmp_path, cwd=gone)

    done = leave()
    assert check(done, tmp_path) == "refused" and "the working directory cannot be used" in done.err


def test_seeded_command_lines(tmp_path: Path) -> None:
    run_cases(command_line.cases, 20, tmp_path)


def test_seeded_hyperparameters(tmp_path: Path) -> None:
    """Values that are refused before a search begins: a search of such a method takes long."""
    run_cases(optimizer_keys.refusals, 50, tmp_path)


def run_cases(cases: Callable[..., object], count: int, folder: Path) -> None:
    rng = random.Random(20)
    wrong = []
    for i, case in enumerate(islice(cases(rng), count)):  # type: ignore[call-overload]
        try:
            case.run(rng, folder / str(i))
        except AssertionError as error:
            wrong.append(f"{case.name}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", list(methods.every()), ids=lambda case: case.method)
def test_misbehaving_methods(case: methods.Misbehaving, tmp_path: Path) -> None:
    case.run(random.Random(0), tmp_path)


def test_a_method_that_takes_its_worker_down_is_named(tmp_path: Path) -> None:
    methods.Misbehaving("ExitsHard", False, 2).run(random.Random(0), tmp_path)
