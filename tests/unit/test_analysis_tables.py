"""Tables, selection, damaged files and the report, on result files of searches that never took place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis import curves, load_results, protocol_table, statistics, summarize, tables, what_differs
from analysis.complexity_table import ComplexityRow, ComplexityTable
from analysis.paper_table import PaperTable
from analysis.result import Missing, Result, scan
from analysis.selection import Study
from analysis.style import PRINCIPAL, contrast, style
from analysis.table import Table
from nas_bench_suite import ConfigError, experiments
from tests.unit.analysis_samples import edit_manifest, own_settings, write_run

RANDOM, TPE = {"optimizer": "random", "budget": 150}, {"optimizer": "tpe", "budget": 150}


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for label, shift in (("random", 0.0), ("remaade", 0.004), ("regularized_evolution", 0.002)):
        write_run(tmp_path, label, shift=shift, settings=own_settings(label))
    return tmp_path


def test_frames_hold_what_the_files_hold(outputs: Path) -> None:
    frame = load_results(outputs)
    assert len(frame) == 60
    assert list(frame.columns[:8]) == [
        "benchmark",
        "protocol",
        "optimizer",
        "config_hash",
        "budget",
        "seed",
        "trial",
        "trials_in_job",
    ]
    curve = load_results(outputs, curves=True, optimizer="random")
    last = curve[curve["query"] == 150].set_index("trial")["test_error"]
    final = frame[frame["optimizer"] == "random"].set_index("trial")["test_error"]
    np.testing.assert_allclose(last, final)
    summary = summarize(frame).reset_index().set_index("optimizer")
    assert summary.loc["random", "mean"] == pytest.approx(final.mean())


def test_no_mean_is_taken_over_two_configurations_unasked(outputs: Path) -> None:
    assert what_differs(load_results(outputs)) == ["optimizer"]
    assert what_differs(load_results(outputs, optimizer="random")) == ["optimizer"]
    write_run(outputs, "random", seed=1, settings=own_settings("random"))
    write_run(outputs, "random", protocol={"run": "mean"}, shift=0.01, settings=own_settings("random"))
    frame = load_results(outputs)
    differ = what_differs(frame)
    assert set(differ) == {"optimizer", "protocol", "protocol.run", "seed"}
    assert len(frame.groupby(differ, observed=True)) == frame["config_hash"].nunique() == 5
    with pytest.raises(ConfigError, match=r"averages over protocol, seed, protocol\.run; accepted: "):
        summarize(frame, by=["optimizer"])
    joined = summarize(frame, by=["optimizer", "protocol"], join=["seed", "protocol.run"])
    assert joined["trials"].tolist().count(40) == 1 and len(joined) == 4
    write_run(outputs, "random", block=20, settings=own_settings("random"))
    assert what_differs(load_results(outputs, optimizer="random"))[-1] == "config_hash"


def test_trials_that_ended_early_are_counted_by_reason(outputs: Path) -> None:
    result = next(result for result in scan(outputs) if result.label == "random")
    assert result.ended_early() == {}
    study = Study([*scan(outputs)], trials=20)
    found = study.find(RANDOM)
    assert isinstance(found, Result)
    ended = found.ledger["ended"].astype(object)
    ended[:3], ended[3] = "stalled", "no_room"
    found.ledger["ended"] = ended
    table = tables.TABLE3.build(study, outputs)
    row = next(row for row in table.records() if row["name"] == "Random Search")
    assert row["ended_early"] == "no_room 1 stalled 3"
    (note,) = [note for note in table.notes if note.startswith("Trials that ended")]
    assert "Random Search 4 of 20 (1 no room, 3 stalled)." in note


def test_incumbents_by_hand() -> None:
    columns = {
        "trial": np.array([0, 0, 0, 0, 1, 1]),
        "fidelity": np.array([4, 108, 4, 108, 4, 4]),
        "validation": np.array([0.9, 0.5, 0.99, 0.5, np.nan, 0.3]),
    }
    # A full-fidelity evaluation displaces a better low one, a tie does not displace, a failed one is none.
    assert curves.incumbents(columns).tolist() == [0, 1, 1, 1, -1, 5]


def test_a_row_is_whole_or_missing_by_name(outputs: Path) -> None:
    table = tables.TABLE3.build(Study(scan(outputs), trials=20), outputs)
    rows = {row["name"]: row for row in table.records()}
    assert rows["ReMAADE"]["status"] == "ok" and rows["ReMAADE"]["trials"] == 20
    assert rows["TPE"]["status"] == "missing" and any(
        "TPE" in note for note in table.notes if note.startswith("Missing")
    )
    assert rows["Random Search"]["verdict"].startswith("holds")
    assert (
        "surrogate" in table.full_caption
        and "20 trials" in table.full_caption
        and table.full_caption.startswith("DRAFT")
    )
    more = Study(scan(outputs), trials=30).find(RANDOM)
    assert more == Missing("incomplete, 20 of 30 trials (without trials 20 to 29)")


def test_other_settings_are_not_the_methods_own(outputs: Path) -> None:
    write_run(outputs, "random", shift=0.02, settings=own_settings("random") | {"repeats": False})
    found = Study(scan(outputs), trials=20).find(RANDOM)
    assert isinstance(found, Result) and found.config["optimizer"]["repeats"] is True


def test_three_forms_of_one_table(outputs: Path) -> None:
    table = tables.TABLE3.build(Study(scan(outputs), trials=20), outputs)
    mean = next(row for row in table.records() if row["name"] == "ReMAADE")["mean"]
    for text in (table.to_markdown(), table.to_tex()):
        assert f"{mean:.3f}" in text
    assert f"{mean:.6g}" in table.to_csv()
    unescaped = re.sub(r"\\[_%&#$]", "", table.to_tex())
    assert "_" not in unescaped.replace("booktabs", "").replace("tab:table3", "")


def test_documents_compile(outputs: Path) -> None:
    from analysis.latex import pdflatex

    if pdflatex() is None:
        pytest.skip("pdflatex is not installed; to run this: apt-get install texlive-latex-recommended")
    built = tables.build_all(Study(scan(outputs), trials=20), outputs)
    assert tables.write_all(built, outputs / "tables") == []
    assert (outputs / "tables" / "tables.pdf").stat().st_size > 10_000


def test_damaged_and_misplaced_files_are_named(outputs: Path) -> None:
    block = next(outputs.glob("nasbench101_surrogate/random/*/trials-000010-000019.parquet"))
    whole = block.read_bytes()
    block.write_bytes(whole[:-100])
    with pytest.raises(ConfigError, match=r"trials-000010-000019\.parquet is damaged"):
        load_results(outputs)
    problems: list[str] = []
    assert Study(scan(outputs, problems.append), trials=20).find(RANDOM) == Missing(
        "incomplete, 10 of 20 trials (without trials 10 to 19)"
    )
    assert len(problems) == 1
    block.write_bytes(whole)
    manifest = block.with_suffix(".json")
    intact = manifest.read_text()
    manifest.write_text(intact.replace('"incumbent_test": [\n   0.9', '"incumbent_test": [\n   0.8'))
    assert manifest.read_text() != intact
    with pytest.raises(ConfigError, match=r"trials-000010-000019\.json is damaged"):
        load_results(outputs)
    manifest.write_text(intact)
    edit_manifest(manifest, {"name": "planted", "options": {"name": "planted"}})
    with pytest.raises(ConfigError, match="was made on benchmark=planted"):
        load_results(outputs)
    block.unlink()
    with pytest.raises(
        ConfigError, match=r"trials-000010-000019\.parquet is missing \(its manifest is there"
    ):
        load_results(outputs)


def test_runs_from_other_data_are_left_out_by_name(outputs: Path) -> None:
    settings = own_settings("tpe")
    write_run(outputs, "tpe", settings=settings, checksum="beef4567")
    study = Study(scan(outputs), trials=20)
    assert study.find(TPE) == Missing("no result")
    assert (
        len(study.left_out) == 1
        and "(checksum beef4567) than most runs on nasbench101_surrogate (cafe0123)" in study.left_out[0]
    )
    write_run(outputs, "tpe", settings=settings)
    assert isinstance(Study(scan(outputs), trials=20).find(TPE), Result)


def test_a_config_that_builds_on_another_asks_for_both(outputs: Path) -> None:
    own, base = own_settings("remaade_tuned"), own_settings("remaade")
    assert (
        set(own) == set(base)
        and own["width"] == base["width"]
        and own["learning_rate"] != base["learning_rate"]
    )
    write_run(outputs, "remaade_tuned", settings=own | {"width": 72})
    found = Study(scan(outputs), trials=20).find({"optimizer": "remaade_tuned", "budget": 150})
    assert found == Missing("no result with its present configuration (1 with another)")


def test_table2_counts(tmp_path: Path) -> None:
    from optimizers.reinforce.policies import policy_class
    from optimizers.reinforce.policies.complexity import POLICIES, count

    assert all(
        count(policy, n, 36) == policy_class(policy).context_parameters(n, 36)
        for policy in POLICIES
        for n in (26, 52)
    )


def table2(folder: Path) -> Table[ComplexityRow]:
    return ComplexityTable().build(Study([]), folder)


def test_table2_fits_exponents_and_names_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "complexity" / "table2.csv"
    assert f"{path} does not exist" in table2(tmp_path).notes[-1]
    path.parent.mkdir()
    pairs = [(n, d) for d in (36, 72) for n in (26, 52, 104)]
    counts: dict[str, Callable[[int, int], int]] = {
        "maade": lambda n, d: 4 * d * d,
        "nade": lambda n, d: n * d * d,
        "made": lambda n, d: n * d * d,
        "lstm": lambda n, d: 8 * d * d,
    }
    lines = [f"{policy},{n},{d},{count(n, d)},abcd1234" for policy, count in counts.items() for n, d in pairs]
    path.write_text("\n".join(["policy,N,d,context_parameters,commit", *lines]))
    table = table2(tmp_path)
    rows = {row["policy"]: row for row in table.records()}
    assert (rows["nade"]["exponent_n"], rows["nade"]["exponent_d"]) == pytest.approx((1, 2))
    assert [rows[policy]["verdict"] for policy in counts] == ["agrees", "agrees", "differs", "agrees"]
    assert "Code: commit abcd1234." in table.caption and "1.00 (2)" in table.to_markdown()
    path.write_text("policy,N\nmaade,26\n")
    damaged = table2(tmp_path)
    assert f"Missing: {path} cannot be read" in damaged.notes[-1] and {
        row.status for row in damaged.data
    } == {"missing"}


def test_report_is_self_contained(outputs: Path) -> None:
    from analysis.report import write_report

    write_report(Study(scan(outputs), trials=20), outputs)
    page = (outputs / "report" / "index.html").read_text()
    assert "Draft." in page and "the benchmark is a surrogate" in page
    assert not re.findall(r'(?:src|href)="(?!#|data:,)', page)
    assert page.count('class="chip') > 30
    data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert len(data["charts"]["150"]["methods"]) == 3


def test_methods_keep_their_looks() -> None:
    looks = [(style(label).color, style(label).dash, style(label).marker) for label in PRINCIPAL]
    assert len(set(looks)) == len({style(label).color for label in PRINCIPAL}) == len(PRINCIPAL)
    assert style("never_heard_of") == style("never_heard_of")


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_principal_colours_stay_apart(deficiency: str) -> None:
    """CIE 1976 colour difference of at least 15 between any two; 2.3 is just noticeable."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

    def lab(label: str) -> np.ndarray:
        rgb = np.array([int(style(label).color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1)
        x, y, z = (
            np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in to_xyz @ seen / [0.9505, 1, 1.089]
        )
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    gaps = {(a, b): float(np.linalg.norm(lab(a) - lab(b))) for a in PRINCIPAL for b in PRINCIPAL if a < b}
    assert min(gaps.values()) > 15, min(gaps, key=lambda pair: gaps[pair])


def test_principal_lines_stay_apart_in_grey() -> None:
    """Two that differ by less than 8 in lightness (CIE 1976; 0 to 100) have another dash."""
    lightness = {}
    for label in PRINCIPAL:
        # On white the contrast is 1.05 / (Y + 0.05), with Y the luminance.
        luminance = 1.05 / contrast(style(label).color, "#FFFFFF") - 0.05
        lightness[label] = 116 * float(np.cbrt(luminance)) - 16 if luminance > 0.008856 else 903.3 * luminance
    alike = [
        (a, b)
        for a in PRINCIPAL
        for b in PRINCIPAL
        if a < b and abs(lightness[a] - lightness[b]) < 8 and style(a).dash == style(b).dash
    ]
    assert alike == []


@pytest.mark.parametrize("table", [table for table in tables.TABLES if table.jobs()], ids=lambda t: t.name)
def test_experiments_run_what_tables_ask_for(table: PaperTable) -> None:
    """The jobs of a table, the optional ones apart, are those of the experiment that has its name."""
    asked = [experiments.compose(job) for job in table.jobs()]
    run = [experiments.compose(job) for job in experiments.jobs(table.name)]
    assert [job for job in asked if job not in run] == [] == [job for job in run if job not in asked]
    assert len(table.jobs(optional=True)) - len(table.jobs()) == (
        2 if table.name in ("table3", "table5") else 0
    )


def test_protocol_table_by_hand(outputs: Path) -> None:
    levels = {"random": 0.001, "remaade": 0.008}
    for label, shift in levels.items():
        write_run(outputs, label, shift=shift, settings=own_settings(label), protocol={"run": "mean"})
    study = Study(scan(outputs), trials=20)
    table = tables.PROTOCOL.build(study, outputs)
    rows = {row["label"]: row for row in table.records()}
    status = {row.label: row.status for row in table.data}
    for label in ("random", "remaade"):
        for name, rules in (("default", {}), ("run: mean", {"protocol.run": "mean"})):
            found = study.find({"optimizer": label, "budget": 150, **rules})
            assert isinstance(found, Result)
            assert rows[label][f"mean, {name}"] == pytest.approx(found.errors.mean())
    order = sorted(
        ("random", "remaade", "regularized_evolution"), key=lambda label: rows[label]["mean, default"]
    )
    assert [rows[label]["rank, default"] for label in order] == [1, 2, 3]
    assert {rows["random"]["rank, run: mean"], rows["remaade"]["rank, run: mean"]} == {1, 2}
    assert status["random"] == "partly" and status["tpe"] == "missing"
    # The change of a method is that of its own trials, in pairs; the two changes are Holm's family.
    raw = {}
    for label in ("random", "remaade"):
        ours, default = (
            study.find({"optimizer": label, "budget": 150, **rules})
            for rules in ({"protocol.run": "mean"}, {})
        )
        assert isinstance(ours, Result) and isinstance(default, Result)
        raw[label] = statistics.compare_paired(
            ours.errors.to_numpy(), default.errors.to_numpy(), 1 - 0.05 / 2
        )
        assert rows[label]["change, run: mean"] == pytest.approx(raw[label].difference)
        assert rows[label]["change_low, run: mean"] == pytest.approx(raw[label].interval.low)
    corrected = statistics.holm([change.p for change in raw.values()])
    assert [rows[label]["p_holm, run: mean"] for label in raw] == pytest.approx(corrected)
    starred = next(row for row in table.data if row.label == "random").cell("run: mean")
    assert ("*" in starred) == (corrected[0] < 0.05)
    (missing,) = [note for note in table.notes if note.startswith("Missing")]
    assert "TPE; BOHB; Alpha X; NASBOT; BANANAS; Local search (default)" in missing
    assert "NASBOT; Reg Evolution; BANANAS; Local search (run: mean)" in missing
    assert "all methods (run: independent test; edge_limit: raw; repeats: free)" in missing


def test_numbers_have_a_true_sign() -> None:
    from analysis.table import number

    assert [number(value, "+.2f") for value in (-0.001, 0.0, 0.014, -1.0)] == [
        "0.00",
        "0.00",
        "+0.01",
        "\u22121.00",
    ]
    assert number(float("nan")) == "—"


def test_comparisons_turn_with_the_reference(outputs: Path) -> None:
    table = tables.TABLE3.build(Study(scan(outputs), trials=20), outputs)
    rows = {row["name"]: row for row in table.records()}
    frame = load_results(outputs).set_index(["optimizer", "trial"])["test_error"]
    difference = (frame["random"] - frame["remaade"]).mean()
    row = rows["Random Search"]
    assert (
        row["difference"] == pytest.approx(difference)
        and row["difference_low"] < difference < row["difference_high"]
    )
    assert row["difference"] > 0 > row["effect"] and row["probability_better"] < 0.5


def test_collapsed_test_runs_are_named_with_the_mean_without_them(outputs: Path) -> None:
    import pandas as pd

    def ended(*errors: float) -> Result:
        result = scan(outputs)[0]
        result.__dict__["errors"] = pd.Series(errors)  # in place of what is read when first asked for
        return result

    found: dict[str, Result | Missing] = {
        "random": ended(6.0, 7.0, 90.0),
        "remaade": ended(6.0, 49.9),
        "tpe": Missing("no result"),
    }
    (sentence,) = protocol_table.collapsed(found, "run: independent test")
    assert sentence.startswith("run: independent test: ") and sentence.endswith(
        "move means and ranks: Random Search 1 (without: 6.500)."
    )
    assert protocol_table.collapsed({"remaade": found["remaade"]}, "x") == []
