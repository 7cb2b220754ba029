"""The pages: links lead somewhere, commands compose, what they name exists, every config is mentioned."""

from __future__ import annotations

import importlib.util
import re
import shlex
from itertools import product

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from nas_bench_suite.experiments import CONF, names
from nas_bench_suite.sweeper import register

ROOT = CONF.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}
OURS = sorted(set(TEXTS) - {"ARCHITECTURE.md"})
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
every_page = pytest.mark.parametrize("page", TEXTS)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", one)) for one in headings]
    return {one.strip().lower().replace(" ", "-") for one in plain}


@every_page
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", TEXTS[page]))
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(found.read_text()), f"{page}: {target}"


def commands() -> list[tuple[str, str]]:
    """(place, overrides) of every `python run.py` in the pages and in comments of the configs."""
    texts = TEXTS | {str(path.relative_to(ROOT)): path.read_text() for path in CONF.rglob("*.yaml")}
    found = [
        (place, command.partition("#")[0].strip())
        for place, text in texts.items()
        for command in re.findall(r"python run\.py([^`\n]*)", text.replace("\\\n", " "))
    ]
    skipped = ("KEY", "greedy_mutation")  # a pattern; the method that a page adds
    return [
        (place, command) for place, command in found if command and not any(x in command for x in skipped)
    ]


def composes(command: str) -> None:
    """Compose every job of a command; flags (`-m`, `--cfg job`) are left out."""
    words = [word for word in shlex.split(command.replace("--cfg job", "")) if not word.startswith("-")]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        parser = OverridesParser.create()
        swept = [
            list(override.sweep_string_iterator()) if override.is_sweep_override() else [None]
            for override in parser.parse_overrides(words)
        ]
        for values in product(*swept):
            chosen = [
                word if value is None else f"{word.partition('=')[0]}={value}"
                for word, value in zip(words, values)
            ]
            compose("config", chosen, return_hydra_config=True)


@pytest.mark.parametrize("command", sorted({command for _, command in commands()}))
def test_commands_compose(command: str) -> None:
    register([])
    composes(command)


def test_commands_are_found_and_wrong_ones_do_not_compose() -> None:
    assert len({command for _, command in commands()}) >= 20
    with pytest.raises(Exception, match="orderinsg"):
        composes("optimizer=remaade optimizer.orderinsg=4")


@every_page
def test_what_is_named_exists(page: str) -> None:
    """Modules behind `python -m`, targets behind `make`, and paths."""
    text = TEXTS[page]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for module in re.findall(r"python -m ([a-z_][\w.]*)", text):
        assert importlib.util.find_spec(module), f"{page}: {module}"
    for target in re.findall(r"(?:^ {4}|`)make ([a-z]+)", text, re.MULTILINE):
        assert target in targets, f"{page}: make {target}"
    folders = "analysis|bench|conf|docs|examples|nas_bench_suite|optimizers|studies|tests"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)(?:`|:| )", text):
        new = re.search("greedy_mutation|/mine|NAME|tableN", path)  # made by whoever follows the page
        assert new or (ROOT / path).exists(), f"{page}: {path}"


@pytest.mark.parametrize("group", ["optimizer", "benchmark", "protocol", "experiment"])
def test_every_config_is_mentioned(group: str) -> None:
    text = "\n".join(TEXTS.values())
    missing = [name for name in names(group) if not re.search(rf"(?<![\w/]){name}(?![\w/])", text)]
    assert not missing, f"conf/{group}: {missing}"


@pytest.mark.parametrize("page", OURS)
def test_lines_are_no_longer_than_those_of_the_code(page: str) -> None:
    """Tables and formulas may be longer."""
    text = re.sub(r"\$\$.*?\$\$", "", TEXTS[page], flags=re.DOTALL)
    long = [line for line in text.splitlines() if len(line) > 110 and not line.startswith("|")]
    assert not long, f"{page}: {long}"


def test_the_readme_is_read_in_two_minutes() -> None:
    text = re.sub(r"^\|.*$", "", FENCE.sub("", TEXTS["README.md"]), flags=re.MULTILINE)
    assert len(text.split()) <= 500
