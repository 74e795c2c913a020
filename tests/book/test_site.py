"""The site in a browser: axe-core finds nothing, nothing scrolls sideways, formulas are typeset.

Skipped without Chromium; the rules of axe-core also need its file (see tests/lab).
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the book needs the extra `book`")

from helpers.book.paper import print_page
from tests.lab.browser import PROGRAM, Browser, started
from tests.lab.test_accessibility import AXE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}
# axe-core takes the heading of a column that is a formula for empty: it does not read the MathML
# that MathJax adds for screen readers. _EMPTY_HEADINGS looks instead.
_OPTIONS = "{rules: {'empty-table-header': {enabled: false}}}"
_EMPTY_HEADINGS = """[...document.querySelectorAll('th')].filter(
    cell => !cell.textContent.trim() && !cell.querySelector('mjx-assistive-mml math, .math')
).map(cell => 'a column without a heading: ' + cell.closest('table').textContent.slice(0, 80))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driven = started(tmp_path_factory.mktemp("browser") / "profile")
    yield driven
    driven.close()


def opened(browser: Browser, page: Path, size: str, dark: bool) -> None:
    """Show a page as a reader with this screen and this preference sees it."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser("Emulation.setEmulatedMedia", features=[scheme])
    browser.resize(*SIZES[size])
    browser.open(page.as_uri())
    browser.wait(f"document.readyState === 'complete' && location.href.endsWith('{page.name}')")
    browser.run("window.MathJax?.startup?.promise.then(() => true) ?? true")


def findings(browser: Browser) -> list[str]:
    """Return what is wrong with the shown page."""
    found = [
        f"scrolls sideways: {wide}"
        for wide in browser.run(
            "(() => { const width = document.documentElement.clientWidth;"
            "return document.documentElement.scrollWidth > width ? [document.title] : [] })()"
        )
    ]
    found += browser.run("[...document.querySelectorAll('mjx-merror')].map(e => e.textContent)")
    found += browser.run(
        "[...document.images].filter(i => i.loading != 'lazy' && !i.naturalWidth)"
        ".map(i => 'no picture: ' + i.src)"
    )
    found += browser.run(_EMPTY_HEADINGS)
    if AXE.exists():
        browser.run(AXE.read_text(encoding="utf-8") + "\n;undefined")
        rules = browser.run(f"axe.run(document, {_OPTIONS}).then(result => result.violations)")
        found += [
            f"{rule['id']} ({len(rule['nodes'])}): {rule['nodes'][0]['html'][:200]}"
            for rule in rules
        ]
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_has_a_finding(site, browser, size, dark):
    wrong = {}
    for page in sorted(path for path in site.rglob("*.html") if "_static" not in path.parts):
        opened(browser, page, size, dark)
        if found := findings(browser):
            wrong[str(page.relative_to(site))] = found
    assert not wrong


def test_language_switch_leads_to_the_other_page(site, browser):
    opened(browser, site / "chapters" / "glossary.html", "desktop", False)
    browser.click("document.querySelector('.navbar-header-items .language-switch')")
    browser.wait("document.documentElement.lang === 'ko' && document.querySelector('h1')")
    assert browser.run("document.querySelector('h1').textContent").startswith("용어집")


def test_search_finds_a_korean_word(site, browser):
    page = site / "ko" / "search.html"
    browser.open(page.as_uri() + "?q=퍼셉트론을")
    browser.wait("document.querySelectorAll('#search-results li').length > 2")


@pytest.mark.parametrize("answers", [False, True])
def test_chapter_prints_as_a_pdf(site, tmp_path, answers):
    target = tmp_path / "chapter.pdf"
    print_page(site / "chapters" / "01_perceptrons.html", target, answers)
    assert target.read_bytes().startswith(b"%PDF") and target.stat().st_size > 200_000
    assert not list((site / "chapters").glob("*.print.html"))
