"""What a student sees and clicks in the real JupyterLab; skipped without Chromium."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from helpers.authoring import ROOT
from tests.lab.browser import PROGRAM, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]
SHOWN = "[...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden)')].at(-1)"
DIRTY = "document.querySelectorAll('.lm-TabBar-tab.jp-mod-dirty').length"


@pytest.fixture
def lab(tmp_path):
    """Start the workbook as `make lab` does, in a separate home; return its address and log."""
    top = tmp_path / "lab"
    top.mkdir()
    log = top / "log"
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    homes = {f"JUPYTER_{name}": str(top / name.lower()) for name in names}
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "helpers", "lab", "--no-browser", "--port=0"]
            + ["--ServerApp.port_retries=0"],
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env={
                **os.environ,
                **homes,
                "JUPYTERLAB_WORKSPACES_DIR": str(top / "workspaces"),
                "JUPYTERLAB_SETTINGS_DIR": str(top / "settings"),
                "IPYTHONDIR": str(top / "ipython"),
                "WORKBOOK_PAGES": str(top / "work"),
                "WORKBOOK_STATE": str(top / "state"),
                "PYTHONPATH": str(ROOT),
            },
        )
    try:
        for _ in range(720):
            if found := re.search(r"http://localhost:\S+", log.read_text()):
                break
            time.sleep(0.25)
        else:
            pytest.fail(log.read_text())
        yield found[0], log
    finally:
        server.terminate()
        server.wait(timeout=60)


@pytest.fixture
def browser(lab, tmp_path):
    """Open the address that the terminal shows, as a student does."""
    driven = started(tmp_path / "profile")
    try:
        driven.open(lab[0])
        driven.wait(f"{SHOWN}?.querySelector('h1')?.textContent.includes('the map')")
        yield driven
    finally:
        driven.close()


def _link(text: str) -> str:
    return f"[...{SHOWN}.querySelectorAll('a')].find(a => a.textContent === {text!r})"


def _open_first_page(page) -> None:
    """Click through from the index to page 1, which opens without being marked as unsaved."""
    page.click(_link("1. Perceptrons"))
    page.wait(f"{SHOWN}.querySelector('h1')?.textContent.startsWith('1. Perceptrons')")
    page.wait(f"{SHOWN}.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')")
    time.sleep(3)
    assert page.run(DIRTY) == 0


def _follow_a_term_to_the_glossary_and_back(page) -> None:
    assert "weighted sum" in page.run(f"{_link('threshold')}.title"), "shown on hovering"
    page.click(_link("threshold"))
    page.wait("document.querySelector('.jp-MarkdownViewer h2')")
    page.wait(
        "(() => { const viewer = document.querySelector('.jp-MarkdownViewer');"
        "const heading = [...viewer.querySelectorAll('h2')].find("
        "h => h.textContent.startsWith('threshold'));"
        "const at = heading.getBoundingClientRect().top - viewer.getBoundingClientRect().top;"
        "return at > -20 && at < 300 })()"
    )
    page.run(
        "[...document.querySelectorAll('.jp-MarkdownViewer a')]"
        ".find(a => a.textContent === 'chapter 1').click()"
    )
    page.wait(f"{SHOWN}.querySelector('h1')?.textContent.startsWith('1. Perceptrons')")


def _see_that_links_to_the_book_open_in_a_tab_of_their_own(page) -> None:
    found = page.run(
        f"[...{SHOWN}.querySelectorAll('.jp-RenderedMarkdown a[href^=http]')]"
        ".filter(a => !a.href.startsWith(location.origin)).map(a => a.target)"
    )
    assert found and set(found) == {"_blank"}


def _code_cell(begins: str) -> str:
    return (
        f"[...{SHOWN}.querySelectorAll('.jp-CodeCell')].find("
        f"c => c.querySelector('.cm-content')?.textContent.startsWith({begins!r}))"
    )


def _run_cell(page, begins: str) -> None:
    """Put the cursor into the code cell that begins like this, and press Shift+Enter."""
    page.wait(_code_cell(begins))
    page.click(f"{_code_cell(begins)}.querySelector('.cm-content')")
    page.press("Enter", shift=True)


def _boxes(page) -> list[str]:
    return page.run(f"[...{SHOWN}.querySelectorAll('[role=status]')].map(b => b.innerText)")


ANSWER = """\
def and_gate(x1, x2):
    return int(x1 + x2 - 1.5 > 0)

def nand_gate(x1, x2):
    return 1 - and_gate(x1, x2)

def or_gate(x1, x2):
    return int(x1 + x2 - 0.5 > 0)

hint("1.1")"""


def _answer_an_exercise(page) -> None:
    """Run the setup, an unchanged stub, a typed answer with a hint, the check, the solution."""
    _run_cell(page, "from helpers import check")
    _run_cell(page, "def and_gate")
    _run_cell(page, 'check("1.1"')
    page.wait(f"{SHOWN}.querySelectorAll('[role=status]').length === 1")
    assert "Not attempted" in _boxes(page)[0]
    page.click(f"{_code_cell('def and_gate')}.querySelector('.cm-content')")
    page.press("a", control=True)
    page.write(ANSWER)
    page.press("Enter", shift=True)
    page.wait(f"{SHOWN}.querySelectorAll('[role=status]').length === 2")
    assert "hint 1 of 3" in _boxes(page)[0] and "Hints cost no points" in _boxes(page)[0]
    _run_cell(page, 'check("1.1"')
    page.wait(f"{SHOWN}.innerText.includes('Correct, 3 points')")
    page.click(f"{_code_cell('def and_gate')}.querySelector('.cm-content')")
    page.press("a", control=True)
    page.write('from helpers import progress, solution\n\nsolution("1.1")\nprogress("perceptrons")')
    page.press("Enter", shift=True)
    page.wait(f"{SHOWN}.innerText.includes('the released answer')")
    page.wait(f"{SHOWN}.innerText.includes('3 of')")


def test_first_session_of_a_student(browser, lab):
    """Run as one test, since each step starts where the previous one ended."""
    _open_first_page(browser)
    _follow_a_term_to_the_glossary_and_back(browser)
    _see_that_links_to_the_book_open_in_a_tab_of_their_own(browser)
    _answer_an_exercise(browser)
    lines = [line for line in lab[1].read_text().splitlines() if line]
    assert len(lines) <= 4, lines
    assert lines[-1] == "Press Ctrl-C here to stop it."
