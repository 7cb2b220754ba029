"""The report in a browser: what a reader meets, on a wide screen, on a phone, in the dark and on paper."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.report import write_report
from analysis.result import scan
from analysis.selection import Study
from tests import optional
from tests.unit.analysis_samples import own_settings, write_run

METHODS = {"random": 0.0, "remaade": 0.004, "regularized_evolution": 0.002, "tpe": 0.006}
PAPER_WIDTH = 1047  # CSS pixels of A4 across between margins of 10 mm


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of made-up searches: four methods at 150 queries, three of them on two draws."""
    folder = tmp_path_factory.mktemp("report")
    for label, shift in METHODS.items():
        write_run(folder, label, shift=shift, settings=own_settings(label))
        for draw in (1, 2) if label != "tpe" else ():
            options = {"edge_limit": "pruned", "draw": draw}
            write_run(folder, label, shift=shift, settings=own_settings(label), options=options)
    write_report(Study(scan(folder), trials=20), folder)
    return folder / "report" / "index.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = optional.package("playwright.sync_api")
    path = optional.browser()
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def open_page(chromium: Any, page_file: Path) -> Iterator[Any]:
    """Opens the page: `open_page(width=390, scheme="dark", at="#study=150")`; nothing may go to the
    console."""
    contexts, complaints = [], []

    def opened(width: int = 1400, scheme: str = "light", at: str = "") -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(page_file.as_uri() + at)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def test_nothing_is_fetched(page_file: Path) -> None:
    page = page_file.read_text()
    assert not re.findall(r'(?:src|href)="(?!#|data:,)', page)
    assert "@import" not in page and "url(http" not in page


def test_the_answer_comes_first(open_page: Any) -> None:
    page = open_page()
    first = page.locator(".lede").first
    assert re.match(r"After 150 queries TPE leads, 0\.\d{3} points better \[", first.inner_text())
    assert "draft, 20 trials" in page.locator(".banner", has_text="Doubts").inner_text()
    forest = page.locator("svg.picture.wide").first
    assert forest.bounding_box()["y"] < 700  # on the first screen
    names = forest.locator("text").all_text_contents()
    assert "TPE" in names and "Random Search" in names
    assert forest.locator(".band").count() == 2 and forest.locator(".diamond").count() == 3
    assert page.locator(".board .spark").count() == 4
    assert not re.search(r"\b(nan|undefined|None|null|Infinity)\b", page.locator("main").inner_text())
    broken = "all => all.filter(a => !document.querySelector(a.getAttribute('href'))).length"
    assert page.eval_on_selector_all("nav a", broken) == 0


def test_the_leaderboard_sorts(open_page: Any) -> None:
    page = open_page()
    names = page.locator(".board tbody td:nth-child(2)")
    assert names.first.inner_text() == "TPE"
    heads = page.locator(".board th button")
    heads.filter(has_text="Method").click()
    assert names.all_inner_texts() == sorted(names.all_inner_texts(), key=str.casefold)
    heads.filter(has_text="Mean").click()
    heads.filter(has_text="Mean").click()
    assert names.last.inner_text() == "TPE"
    assert page.locator(".board th[aria-sort=descending]").inner_text().startswith("Mean")


def test_curves_can_be_switched_and_the_address_keeps_it(open_page: Any) -> None:
    page = open_page()
    lines = page.locator("#chart polyline[data-label]")
    assert page.locator("#study option").all_inner_texts() == ["150 queries", "ablation, 150 queries"]
    assert lines.count() == page.locator("#chart polygon").count() == 4
    assert page.locator("#rank-chart polyline[data-label]").count() == 4
    ends = page.locator("#chart text").all_text_contents()
    assert all(name in ends for name in ("Random Search", "ReMAADE", "Reg Evolution", "TPE"))
    page.locator("#bands").uncheck()
    assert page.locator("#chart polygon").count() == 0
    page.locator("#legend button", has_text="TPE").click()
    assert lines.count() == 3
    page.locator("#axis").select_option("log")
    assert "axis=log" in page.url and "hide=tpe" in page.url and "bands=off" in page.url
    again = open_page(at="#" + page.url.partition("#")[2])
    assert again.locator("#chart polyline[data-label]").count() == 3
    assert again.locator("#axis").input_value() == "log" and not again.locator("#bands").is_checked()
    page.locator("#none").click()
    assert lines.count() == 0
    page.locator("#legend button", has_text="TPE").dblclick()
    assert lines.count() == 1
    page.locator("#all").click()
    page.locator("#axis").select_option("time")
    assert "simulated training time" in page.locator("#chart").text_content() and lines.count() == 4
    page.locator("#axis").select_option("linear")
    page.locator("#measure").select_option("validation")
    assert "validation error of the incumbent, %" in page.locator("#chart").text_content()
    page.locator("#chart").hover()
    assert re.match(r"query \d+\d\.\d{3} \[", page.locator("#tip").text_content())


def test_pictures_and_numbers_can_be_kept(open_page: Any) -> None:
    page = open_page()

    def kept(what: str) -> tuple[str, bytes]:
        with page.expect_download() as waiting:
            page.get_by_role("button", name=what, exact=True).first.click()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    name, content = kept("CSV of standing150")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert name == "standing150.csv" and rows[0]["name"] == "TPE"
    assert float(rows[0]["difference"]) < 0 and rows[1]["draws"] == "3"
    name, content = kept("CSV of curves")
    assert name == "curves-150.csv" and content.startswith(b"study,method,label,measure,x,mean,low,high\n")
    name, content = kept("SVG of standing150")
    assert name == "standing150.svg" and b"var(" not in content and b"class=" in content
    name, content = kept("PNG of curves")
    assert name == "curves.png" and content.startswith(b"\x89PNG")
    assert kept("CSV of table3")[1].startswith(b"table,")


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_axe_finds_nothing(open_page: Any, width: int, scheme: str) -> None:
    axe = optional.package("axe_playwright_python.sync_playwright").Axe()
    page = open_page(width, scheme)
    response = axe.run(page).response
    assert len(response["passes"]) > 10  # it looked
    found = response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]][:3]) for rule in found] == []


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_no_screen_is_too_narrow(open_page: Any, width: int) -> None:
    page = open_page(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 1400:
        hidden = "all => all.filter(box => box.scrollWidth > box.clientWidth).length"
        assert page.eval_on_selector_all(".scroll:has(.board)", hidden) == 0
    shown = page.locator("svg.picture.narrow" if width == 390 else "svg.picture.wide").first
    assert shown.is_visible() and shown.bounding_box()["width"] <= width


def test_dark_and_light_can_be_chosen(open_page: Any) -> None:
    page = open_page(scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 24, 28)"
    page.locator("#theme").click()
    assert page.evaluate(ground) == "rgb(255, 255, 255)" and "theme=light" in page.url


def test_paper_loses_no_column(open_page: Any) -> None:
    page = open_page(PAPER_WIDTH, scheme="dark")
    page.emulate_media(media="print")
    too_wide = """all => all.filter(t => t.getBoundingClientRect().right > innerWidth + 1)
                  .map(t => t.closest('section, .scroll')?.id + ' ' + t.className)"""
    assert page.eval_on_selector_all("table, svg.picture.wide", too_wide) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
