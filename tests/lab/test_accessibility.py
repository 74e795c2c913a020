"""axe-core finds no violation on the workbook's pages; skipped without Chromium or axe-core.

`npm install axe-core` in the repository, or WORKBOOK_AXE=/path/to/axe.min.js, provides it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest

from helpers.authoring import ROOT
from tests.lab.browser import PROGRAM, started

AXE = Path(os.environ.get("WORKBOOK_AXE", ROOT / "node_modules" / "axe-core" / "axe.min.js"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed"),
]
# Prompts and the colours of code in an exported page.
_THEME = ".jp-InputPrompt, .jp-OutputPrompt, .highlight"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driven = started(tmp_path_factory.mktemp("browser") / "profile")
    yield driven
    driven.close()


def _violations(browser, page: Path, dark: bool = False, theme: str = "") -> list[str]:
    """Return what axe-core finds on a page: the rule, and the first element that violates it.

    nbconvert styles the elements that `theme` selects, and the links; these are left out.
    """
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser("Emulation.setEmulatedMedia", features=[scheme])
    browser.open(page.as_uri())
    browser.wait("document.readyState === 'complete'")
    browser.run(AXE.read_text(encoding="utf-8") + "\n;undefined")
    chosen = f"{{exclude: [{json.dumps(theme)}]}}" if theme else "document"
    options = "{rules: {'link-in-text-block': {enabled: false}}}" if theme else "{}"
    found = browser.run(f"axe.run({chosen}, {options}).then(result => result.violations)")
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_feedback_page(browser, tmp_path, dark):
    from helpers.grading.results.pages import feedback_page
    from tests.grading.results.results import record, report

    page = tmp_path / "feedback.html"
    page.write_text(feedback_page(report(record("kim")), "kim"), encoding="utf-8")
    assert _violations(browser, page, dark) == []


def _exported(text_or_notebook, path: Path, title: str) -> Path:
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_notebook_node(
        text_or_notebook, resources={"metadata": {"name": title}}
    )
    path.write_text(html, encoding="utf-8")
    return path


def test_exported_page(browser, tmp_path):
    notebook = nbformat.read(ROOT / "solutions" / "01_perceptrons.ipynb", as_version=4)
    page = _exported(notebook, tmp_path / "page.html", "Perceptrons")
    assert _violations(browser, page, theme=_THEME) == []


def test_glossary(browser, tmp_path):
    text = (ROOT / "chapters" / "glossary.md").read_text(encoding="utf-8")
    cells = [nbformat.v4.new_markdown_cell(text)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    page = _exported(notebook, tmp_path / "glossary.html", "Glossary")
    assert _violations(browser, page, theme=_THEME) == []
