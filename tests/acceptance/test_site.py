"""`make docs`: the pages as a site."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

from tests import optional

ROOT = Path(__file__).parents[2]


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    for name in ("mkdocs", "mkdocstrings", "latex2mathml"):
        optional.package(name)
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    pages = {
        str(path.relative_to(tmp_path / "site")): path.read_text()
        for path in (tmp_path / "site").rglob("*.html")
    }
    sources = {
        str(path.relative_to(ROOT / "docs").with_suffix(".html")) for path in ROOT.glob("docs/**/*.md")
    }
    made = {"index.html", "architecture.html", "changelog.html", "methods/index.html"}
    assert sources | made <= set(pages)
    for name, page in pages.items():
        fetched = re.findall(r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="(https?:[^"]*)', page)
        assert not fetched, f"{name}: {fetched}"
    assert pages["methods/remaade.html"].count("<math") > 20
    assert not any('class="arithmatex"' in page for page in pages.values())
    api = unescape(pages["api.html"])
    assert "Run trials independent searches" in re.sub("<[^>]*>", "", api) and "SearchRecord" in api
    gallery = pages["gallery.html"]
    pictures = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    assert pictures == set(re.findall(r'src="images/([\w.]+)"', gallery))  # every picture is in the gallery
