"""Tables: what is read from one, and the sentence that each kind of wrong table gets."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas_bench_suite import ConfigError, Lookups, Streams, load_benchmark
from nas_bench_suite.job import JobResult, run_job
from tests.laws.collect import composed
from tests.torture import tables

DEPTHS, WIDTHS, ACTIVATIONS = (1, 2, 10), (16, 32), ("relu", "tanh")


def frame() -> pd.DataFrame:
    table = pd.DataFrame(list(product(DEPTHS, WIDTHS, ACTIVATIONS)), columns=["depth", "width", "activation"])
    table["validation"] = np.linspace(0.5, 0.9, len(table))
    table["test"] = table["validation"] - 0.01
    return table


def save(table: pd.DataFrame, folder: Path, name: str = "table.csv") -> str:
    path = folder / name
    table.to_parquet(path) if name.endswith(".parquet") else table.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table.parquet"])
def test_every_row_is_found_again(tmp_path: Path, name: str) -> None:
    table = frame().sample(frac=1, random_state=3)  # the order of rows means nothing
    benchmark = load_benchmark("tabular", path=save(table, tmp_path, name))
    space = benchmark.space
    # 10 sorts after 2
    assert [variable.choices for variable in space.variables] == [
        ("1", "2", "10"),
        ("16", "32"),
        ("relu", "tanh"),
    ]
    assert space.num_cells == 12 and benchmark.num_runs == 1 and benchmark.fidelities == (1,)
    for _, row in table.iterrows():
        string = np.array([variable.choices.index(str(row[variable.name])) for variable in space.variables])
        found = benchmark.query(Lookups(space.cell_id(string), 0))
        assert [float(value) for value in found] == [row["validation"], row["test"], 0]
    np.testing.assert_array_equal(space.cell_id(space.architecture(np.arange(12))), np.arange(12))
    assert benchmark.facts()["best_mean_test"] == pytest.approx(0.89)


def test_runs_fidelities_seconds_percent_and_ignored_columns(tmp_path: Path) -> None:
    table = frame()[["depth", "width", "activation"]]
    rng = np.random.default_rng(0)
    for fidelity in (50, 5):
        for run in range(3):
            table[f"validation_{run}@{fidelity}"] = rng.uniform(1, 99, len(table)).round(2)
    table["test@50"], table["seconds@50"], table["seconds@5"], table["params"] = (
        70.5,
        10.0,
        1.0,
        rng.random(len(table)),
    )
    benchmark = load_benchmark("tabular", path=save(table, tmp_path), percent=True, ignore=["params"])
    assert benchmark.fidelities == (5, 50) and benchmark.num_runs == 3
    ids = np.arange(12)
    for fidelity in (5, 50):
        runs = [benchmark.query(Lookups(ids, run, fidelity)).validation for run in range(3)]
        np.testing.assert_allclose(
            runs, table[[f"validation_{run}@{fidelity}" for run in range(3)]].to_numpy().T / 100
        )
        np.testing.assert_allclose(
            benchmark.query(Lookups(ids, "mean", fidelity)).validation, np.mean(runs, axis=0)
        )
    assert (benchmark.query(Lookups(ids, 1)).test == 0.705).all() and np.isnan(
        benchmark.query(Lookups(ids, 1, 5)).test
    ).all()
    assert (benchmark.query(Lookups(ids, 1, np.full(12, 5))).seconds == 1).all() and (
        benchmark.query(Lookups(ids, 1)).seconds == 10
    ).all()


def test_combinations_that_are_missing_become_invalid_if_so_told(tmp_path: Path) -> None:
    table = frame()
    path = save(table.drop(index=[0, 5]), tmp_path)
    space = load_benchmark("tabular", path=path, missing="invalid").space
    everything = np.array(list(product(range(3), range(2), range(2))))
    np.testing.assert_array_equal(np.flatnonzero(~space.is_valid(everything)), [0, 5])
    assert space.is_valid(space.sample(Streams(0, 5), 40)).all() and space.num_cells == 10
    assert not space.is_valid(np.array([[0, 2, 0], [0, 0, -1]])).any()


def test_rows_of_one_cell_are_one_architecture(tmp_path: Path) -> None:
    table = frame()
    table["cell"] = [f"c{row % 6}" for row in range(12)]
    table["validation"] = table["test"] = [0.1 * (row % 6) for row in range(12)]
    benchmark = load_benchmark("tabular", path=save(table, tmp_path))
    everything = np.array(list(product(range(3), range(2), range(2))))
    ids = benchmark.space.cell_id(everything)
    assert benchmark.space.num_cells == 6 and (ids[:6] == ids[6:]).all() and len(set(ids[:6])) == 6
    np.testing.assert_allclose(benchmark.query(Lookups(ids, 0)).validation, table["validation"])
    np.testing.assert_array_equal(
        benchmark.space.cell_id(benchmark.space.architecture(np.arange(6))), np.arange(6)
    )


def test_families_go_by_choices_and_names(tmp_path: Path) -> None:
    table = pd.DataFrame(list(product("ab", "ab", "ab", "abc")), columns=["op_1", "op_2", "edge0", "op_3"])
    table["validation"] = table["test"] = 0.5
    space = load_benchmark("tabular", path=save(table, tmp_path)).space
    assert [variable.family for variable in space.variables] == ["op_1", "op_1", "edge", "op_2"]


Change = Callable[[pd.DataFrame], pd.DataFrame]


def drop(column: str) -> Change:
    return lambda table: table.drop(columns=column)


def put(row: int, column: str, value: object) -> Change:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table[column] = table[column].astype(object)
        table.loc[row, column] = value
        return table

    return change


WRONG: dict[str, tuple[Change, str]] = {
    "missing combinations": (
        lambda t: t.drop(index=[4]),
        r"lacks 1 of 12 combinations \(the first: depth=2, width=16, activation=relu\).*missing=invalid",
    ),
    "duplicate rows": (
        lambda t: pd.concat([t, t.iloc[[2]]]),
        r"line 4 and line 14 are the same architecture \(depth=1, width=32, activation=relu\)",
    ),
    "not a number": (
        put(3, "validation", "n/a"),
        r"column 'validation', line 5: 'n/a' is not a finite number",
    ),
    "infinite": (put(3, "test", np.inf), r"column 'test', line 5: 'inf' is not a finite number"),
    "blank accuracy": (put(3, "test", None), r"column 'test', line 5: no value"),
    "blank choice": (put(6, "width", None), r"column 'width', line 8: no value"),
    "percent": (
        lambda t: t.assign(test=t["test"] * 100),
        r"column 'test', line 2: 49 is out of range.*percent=true",
    ),
    "negative": (put(0, "validation", -0.5), r"column 'validation', line 2: -0.5 is out of range"),
    "negative seconds": (lambda t: t.assign(seconds=-1), r"column 'seconds', line 2: -1 is out of range"),
    "a column of one value": (
        lambda t: t.assign(optimizer="sgd"),
        r"column 'optimizer' has one value only \(sgd\).*ignore=\[optimizer\]",
    ),
    "a measurement": (
        lambda t: t.assign(params=np.arange(12)),
        r"lacks 132 of 144 combinations.*params \(12\).*benchmark.ignore",
    ),
    "no validation": (drop("validation"), r"no column 'validation'"),
    "misspelt": (
        lambda t: t.rename(columns={"validation": "validaton"}),
        r"no column 'validation' \(did you mean 'validaton'\?\)",
    ),
    "no test": (drop("test"), r"no column 'test'"),
    "no variable": (lambda t: t[["validation", "test"]], r"hence no variable"),
    "no rows": (lambda t: t.iloc[:0], r"holds no rows"),
    "gap in runs": (
        lambda t: t.rename(columns={"validation": "validation_0"}).assign(validation_2=0.5),
        r"no column 'validation_1'",
    ),
    "other number of test runs": (
        lambda t: t.drop(columns=["validation", "test"]).assign(
            **{f"validation_{run}": 0.5 for run in range(3)}, test_0=0.5, test_1=0.5
        ),
        r"3 validation runs and 2 test runs",
    ),
    "half of the fidelities": (
        lambda t: t.assign(**{"validation@4": 0.5}),
        r"'validation' has no fidelity where others have one",
    ),
    "odd fidelity": (
        lambda t: t.assign(**{"validation@low": 0.5}),
        r"column 'validation@low': 'low' is no fidelity",
    ),
    "no full test": (
        lambda t: t.rename(columns={"validation": "validation@9", "test": "test@3"}).assign(
            **{"validation@3": 0.5}
        ),
        r"no test column for the full fidelity 9",
    ),
    "cells that disagree": (
        lambda t: t.assign(cell="x"),
        r"line 2 and line 3 are the same cell \('x'\) with different validation",
    ),
    "two columns of a name": (
        lambda t: pd.concat([t, t["width"]], axis=1),
        r"two columns of the name 'width'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_tables_get_one_sentence(tmp_path: Path, case: str) -> None:
    change, sentence = WRONG[case]
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_benchmark("tabular", path=save(change(frame()), tmp_path))
    assert "\n" not in str(caught.value) and "table.csv" in str(caught.value)


def test_wrong_files_get_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.csv.gz").write_text("this is not gzip")
    (tmp_path / "c.parquet").write_text("nor is this Parquet")
    (tmp_path / "d.csv").write_text("")
    (tmp_path / "e.csv").write_bytes(b"\xff\xfe\x00broken\n\x80\x81")
    for path, sentence in {
        None: "needs benchmark.path",
        tmp_path / "nowhere.csv": "does not exist",
        tmp_path: "is a folder",
        tmp_path / "a.txt": "unknown ending",
        tmp_path / "b.csv.gz": "cannot be read",
        tmp_path / "c.parquet": "cannot be read",
        tmp_path / "d.csv": "cannot be read",
        tmp_path / "e.csv": "cannot be read",
    }.items():
        with pytest.raises(ConfigError, match=sentence) as caught:
            load_benchmark("tabular", path=None if path is None else str(path))
        assert "\n" not in str(caught.value)
    good = save(frame(), tmp_path)
    for options, sentence in (
        ({"ignore": ["depht"]}, r"'depht', which is no column.*did you mean 'depth'"),
        ({"missing": "skip"}, "accepted: error, invalid"),
        ({"percent": "yes"}, "accepted: true, false"),
        ({"file": "x"}, "accepted: path"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            load_benchmark("tabular", path=good, **options)


def test_too_sparse_a_table_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(0, 4, (50, 30)), columns=[f"v{i}" for i in range(30)]).assign(
        validation=0.5, test=0.5
    )
    with pytest.raises(ConfigError, match="too few to draw uniform strings"):
        load_benchmark("tabular", path=save(table, tmp_path), missing="invalid")


def test_a_million_rows_load_in_seconds_and_are_looked_up_fast(tmp_path: Path) -> None:
    strings = np.array(np.unravel_index(np.arange(10**6), [10] * 6)).T
    table = pd.DataFrame(strings, columns=[f"v{i}" for i in range(6)])
    table["validation"] = np.random.default_rng(0).random(10**6).round(4)
    table["test"] = table["validation"]
    path = save(table, tmp_path)
    began = time.process_time()
    benchmark = load_benchmark("tabular", path=path)
    assert time.process_time() - began < 10
    rows = strings[np.random.default_rng(1).integers(0, 10**6, 100_000)]
    benchmark.space.cell_id(rows[:10])
    began = time.process_time()
    ids = benchmark.space.cell_id(rows)
    found = benchmark.query(Lookups(ids, np.zeros(len(ids), dtype=np.int64)))
    assert (time.process_time() - began) / len(rows) < 1e-6
    np.testing.assert_array_equal(found.validation, table["validation"].to_numpy()[ids])


def test_a_result_belongs_to_what_the_table_holds_not_to_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    table, other = frame(), frame().assign(test=0.6)
    first, moved, changed = (
        save(table, tmp_path),
        save(table, tmp_path / "elsewhere"),
        save(other, tmp_path, "changed.csv"),
    )

    def run(path: str) -> JobResult:
        words = (
            "benchmark=tabular",
            f"benchmark.path={path}",
            "optimizer=random",
            "budget=5",
            "trials=3",
            f"output_dir={tmp_path / 'out'}",
        )
        return run_job(composed(*words), "random", "tabular")

    here, there = run(first), run(moved)
    assert (here.computed, there.computed) == (1, 0)
    assert there.folder == here.folder
    save(other, tmp_path)
    assert run(first).folder == run(changed).folder != here.folder


LONG = "depth,validation,test\n1,0.5,0.5\n2,0.6,0.6\n"
TEXTS = {
    "a longer row": ("depth,validation,test\n1,0.5,0.5,9\n2,0.6,0.6,9\n", r"line 2: 4 fields; accepted: 3"),
    "a shorter row": (f"{LONG}3,0.7\n", r"line 4: 2 fields; accepted: 3"),
    "a trailing comma": (f"{LONG}3,0.7,0.7,\n", r"line 4: 4 fields"),
    "after a blank line": (f"{LONG}\n \n3,0.7\n", r"line 6: 2 fields"),
    "after a quoted line break": ('a,validation,test\n"x\ny",0.5,0.5\nz,0.6\n', r"line 4: 2 fields"),
    "a value after a blank line": (f"{LONG}\n3,0.7,x\n", r"column 'test', line 5: 'x' is not a finite"),
    "an open quote": (f'{LONG}"3,0.7,0.7\n', r"line 4: a quote is opened and never closed"),
    "after a quote": (f'{LONG}"3"4,0.7,0.7\n', r"line 4: something follows a closing quote"),
    "a column twice": ("a,a,validation,test\n1,2,0.5,0.5\n", r"two columns of the name 'a'"),
    "no name": (",validation,test\n1,0.5,0.5\n", r"column 1 has no name.*ignore=\['Unnamed: 0'\]"),
    "a zero byte": (f"{LONG}3,0.\0,0.7\n", r"line 4 holds a zero byte"),
    "semicolons": ("a;validation;test\n1;0.5;0.5\n", r"accepted: fields separated by commas"),
    "header only": ("a,validation,test\n", r"holds no rows"),
    "one row": ("a,validation,test\n1,0.5,0.5\n", r"column 'a' has one value only"),
    "thousands": (f'{LONG}3,"1,000",0.7\n', r"'1,000' is not a finite number"),
    "nothing but blanks": ("\n  \n", r"it is empty"),
    "the same run twice": (
        "a,validation,validation_0,test\n1,0.5,0.5,0.5\n",
        r"columns 'validation' and 'validation_0' are the same run",
    ),
    "too many runs": (
        f"a,{','.join(f'validation_{run}' for run in range(128))},test\n",
        r"accepted: at most 127 runs",
    ),
    "a huge fidelity": ("a,validation@99999999999,test@99999999999\n", r"'99999999999' is no fidelity"),
    "a digit that is none": ("a,validation@\u00b2,test@\u00b2\n", r"is no fidelity"),
    "endless seconds": ("a,validation,test,seconds\n1,0.5,0.5,1e308\n", r"1e\+308 is out of range"),
    "endless": ("a,validation,test,seconds\n1,0.5,0.5,inf\n", r"'inf' is not a finite number"),
    "a line break in a name": ('"a\nb",validation,test\n1,0.5,0.5\n', r"the header, line 1, is no row"),
    "a long name": (f"{'a' * 999},validation,test\n1,0.5,0.5\n", r"column 1: the name .* is too long"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_wrong_texts_get_one_sentence(tmp_path: Path, case: str) -> None:
    text, sentence = TEXTS[case]
    if text.count("\n") == 1 and case not in ("header only",):
        width = text.count(",") + 1
        text += "".join(",".join([str(row), *["0.5"] * (width - 1)]) + "\n" for row in (1, 2))
    elif case in ("endless seconds", "endless"):
        text += "2,0.5,0.5,1\n"
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_benchmark("tabular", path=str(tmp_path / "table.csv"))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_other_encodings_are_named_and_a_mark_at_the_start_is_passed_over(tmp_path: Path) -> None:
    path, text = tmp_path / "table.csv", LONG.replace("1,", "\u00e9,")
    for encoding, sentence in (("utf-16", "it is UTF-16"), ("latin-1", "line 2 is not UTF-8")):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(ConfigError, match=sentence):
            load_benchmark("tabular", path=str(path))
    for data in (
        text.encode("utf-8-sig"),
        text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode(),
    ):
        path.write_bytes(data)
        (variable,) = load_benchmark("tabular", path=str(path)).space.variables
        assert (variable.name, variable.choices) == ("depth", ("2", "\u00e9"))


def test_a_column_is_of_one_type_however_long_it_is(tmp_path: Path) -> None:
    """Read piece by piece, the first pieces of such a column would be numbers and the last one words."""
    table = pd.DataFrame({"v": range(300_000)}).astype(str)
    table.loc[299_999, "v"] = "x"
    table["validation"] = table["test"] = 0.5
    (variable,) = load_benchmark("tabular", path=save(table, tmp_path)).space.variables
    assert variable.choices[:3] == ("0", "1", "10") and variable.choices[-1] == "x"


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.csv.bz2", "t.csv.xz", "t.csv.zip", "t.parquet"])
def test_no_more_is_inflated_than_the_limit(tmp_path: Path, name: str) -> None:
    path = save(frame().loc[np.repeat(0, 200_000)], tmp_path, name)
    with pytest.raises(ConfigError, match=r"more than 100,000 bytes when read; accepted: .*max_bytes"):
        load_benchmark("tabular", path=path, max_bytes=100_000)
    assert load_benchmark("tabular", path=save(frame(), tmp_path, name), max_bytes=100_000).num_runs == 1


def test_the_limit_does_not_enter_the_key(tmp_path: Path) -> None:
    words = (
        "benchmark=tabular",
        f"benchmark.path={save(frame(), tmp_path)}",
        "optimizer=random",
        "budget=5",
        "trials=3",
        f"output_dir={tmp_path / 'out'}",
    )
    first = run_job(composed(*words), "random", "tabular")
    again = run_job(composed(*words, "benchmark.max_bytes=12345"), "random", "tabular")
    assert (first.computed, again.computed) == (1, 0) and first.folder == again.folder


def test_parquet_columns_of_other_types_get_one_sentence(tmp_path: Path) -> None:
    for values in ([["a"]] * 12, [{"a": 1}] * 12):
        path = save(frame().assign(more=values), tmp_path, "odd.parquet")
        with pytest.raises(ConfigError, match=r"column 'more': values of type .*; accepted: numbers, words"):
            load_benchmark("tabular", path=path)
        assert load_benchmark("tabular", path=path, ignore=["more"]).space.num_cells == 12
    # pandas would hide a named index, which is a variable here
    path = save(frame().set_index("depth"), tmp_path, "indexed.parquet")
    assert load_benchmark("tabular", path=path).space.num_cells == 12


def test_options_of_other_types_get_one_sentence(tmp_path: Path) -> None:
    good = save(frame(), tmp_path)
    for options, sentence in (
        ({"path": 3}, "is no path"),
        ({"path": ["x"]}, "is no path"),
        ({"path": "~nobody-of-this-name/x.csv"}, "cannot be read"),
        ({"path": "a\0b.csv"}, "does not exist|cannot be read"),
        ({"path": "x" * 5000}, "cannot be read|does not exist"),
        ({"path": good, "ignore": "depth"}, "no list of columns"),
        ({"path": good, "ignore": [1]}, "no list of columns"),
        ({"path": good, "max_bytes": 0}, "max_bytes=0 is out of range"),
        ({"path": good, "max_bytes": "x"}, "max_bytes=x is out of range"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            load_benchmark("tabular", **options)


FIELDS = st.sampled_from((*tables.WORDS, *tables.NUMBERS)) | st.text(max_size=4)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    header=st.lists(st.sampled_from(("a", "b", *tables.HEADERS)), max_size=4),
    rows=st.lists(st.lists(FIELDS, max_size=5), max_size=5),
    sound=st.booleans(),
)
def test_any_csv_is_read_right_or_refused(
    tmp_path: Path, header: list[str], rows: list[list[str]], sound: bool
) -> None:
    if sound:  # the rest of a row of the right length
        header = ["v", *header, "validation", "test"]
        rows = [[str(i), *row, *["0.5"] * len(header)][: len(header)] for i, row in enumerate(rows)]
    text = "\n".join(",".join(row) for row in [header, *rows]) + "\n"

    def read(_: random.Random, folder: Path) -> None:
        (folder / "table.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
        benchmark = load_benchmark("tabular", path=str(folder / "table.csv"), missing="invalid")
        tables.check_against_plain(benchmark, text)  # type: ignore[arg-type]

    assert tables.Case("any CSV", read).run(random.Random(0), tmp_path) in ("ok", "refused")


def test_a_short_campaign_of_damaged_data(tmp_path: Path) -> None:
    rng = random.Random(20)
    seen = set()
    for _, case in zip(range(150), tables.cases(rng)):
        seen.add((case.name, case.run(rng, tmp_path / "case")))
    assert len({name for name, _ in seen}) == 7 and {answer for _, answer in seen} == {"ok", "refused"}
