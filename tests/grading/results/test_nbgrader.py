"""Results are shown in nbgrader's formgrader; scores and comments entered there are read."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from argparse import Namespace
from pathlib import Path

import pytest

from helpers.grading import commands, run
from helpers.grading.results.nbgrader import write_scores
from helpers.grading.results.store import Store
from tests.grading import course
from tests.grading.classroom import right_notebook
from tests.grading.test_run import SETTINGS
from tests.lab import browser

api = pytest.importorskip("nbgrader.api")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]
NAME = "01_perceptrons"
PLACE = (NAME, NAME, "kim")


@pytest.fixture
def graded(tmp_path):
    """Return the results of Kim, who has 8 of 9 points and an explanation, and the gradebook."""
    folder = tmp_path / "in"
    right_notebook(folder / "kim" / f"{NAME}.ipynb", _1_8="sweep = {}  # <script>alert(1)</script>")
    made = run.grade(folder, tmp_path / "out", SETTINGS)
    (tmp_path / "course").mkdir()
    return made, tmp_path / "course" / "gradebook.db"


def _exchange(tmp_path: Path, made, database: Path):
    options = Namespace(out=tmp_path / "out", nbgrader=database)
    return commands._with_nbgrader(made, options, "tests.grading.course")


def test_write_scores_shows_in_the_gradebook_and_keeps_a_persons(graded, tmp_path):
    made, database = graded
    store = Store(tmp_path / "out")
    for _ in range(2):
        assert write_scores(made, database, list(course.CHAPTERS), store) == 7
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_submission(NAME, "kim").score == 8
        assert gradebook.find_grade("check-1-5", *PLACE).auto_score == 2
        assert "three step sizes" in gradebook.find_comment("answer-1-8", *PLACE).auto_comment
        explained = gradebook.find_grade("answer-1-4", *PLACE)
        assert explained.needs_manual_grade
        explained.manual_score = 1.5
        gradebook.db.commit()
    write_scores(made, database, list(course.CHAPTERS), store)
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_submission(NAME, "kim").score == 9.5


def test_what_a_person_enters_in_formgrader_comes_back_and_stays(graded, tmp_path):
    made, database = graded
    made = _exchange(tmp_path, made, database)
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        gradebook.find_grade("answer-1-4", *PLACE).manual_score = 1.75
        gradebook.find_comment("answer-1-4", *PLACE).manual_comment = "Nearly."
        gradebook.find_grade("check-1-8", *PLACE).manual_score = 0.5
        gradebook.db.commit()
    made = _exchange(tmp_path, made, database)
    assert made.totals("kim")["points"] == 8 + 1.75 + 0.5
    (row,) = [row for row in made.rows if row["exercise"] == "1.4"]
    assert row["comment"] == "Nearly." and row["outcome"] == "marked"
    # Marks changed in the results are written; marks changed in formgrader are never overwritten.
    Store(tmp_path / "out").keep_marks({"kim/1.4": {"points": 3.0, "comment": "Right."}})
    made = run.keep_marks(tmp_path / "out", {})[1]
    _exchange(tmp_path, made, database)
    with api.Gradebook(f"sqlite:///{database}") as gradebook:
        assert gradebook.find_grade("answer-1-4", *PLACE).manual_score == 3.0
        gradebook.find_grade("answer-1-4", *PLACE).manual_score = 1.0
        gradebook.db.commit()
    Store(tmp_path / "out").keep_marks({"kim/1.4": {"points": 2.0, "comment": "Right."}})
    made = run.keep_marks(tmp_path / "out", {})[1]
    made = _exchange(tmp_path, made, database)
    assert made.totals("kim")["points"] == 8 + 1.0 + 0.5


@pytest.fixture
def formgrader(graded, tmp_path, monkeypatch):
    """Start formgrader on the written course; return its address, token and gradebook."""
    made, database = graded
    _exchange(tmp_path, made, database)
    root, token = database.parent, secrets.token_hex(8)
    (root / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(root)!r}\n"
        "c.CourseDirectory.course_id = 'x'\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = dict(os.environ) | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    listed = {"nbgrader.server_extensions.formgrader": True}
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.jpserver_extensions={listed}", f"--ServerApp.root_dir={root}"]
    with open(tmp_path / "server.log", "w") as log:
        server = subprocess.Popen(command, cwd=root, stdout=log, stderr=log, env=environment)
    address = f"http://127.0.0.1:{port}"
    ends = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
            break
        except OSError:
            told = (tmp_path / "server.log").read_text()
            assert time.monotonic() < ends and server.poll() is None, told
            time.sleep(0.5)
    yield address, token, database
    server.terminate()
    server.wait(60)


@pytest.mark.skipif(browser.PROGRAM is None, reason="Chromium is not installed")
def test_formgrader_shows_everything_in_a_browser(formgrader, tmp_path):
    address, token, database = formgrader
    page = browser.started(tmp_path / "profile")
    try:
        text = "document.body.innerText"
        page.open(f"{address}/formgrader?token={token}")
        page.wait(f"{text}.includes('{NAME}')")
        row = page.run("document.querySelector('tbody tr').innerText")
        assert re.search(rf"{NAME}.*\b1\b", row, re.S), row  # one submission
        page.open(f"{address}/formgrader/manage_submissions/{NAME}")
        page.wait(f"{text}.includes('kim')")
        row = page.run("document.querySelector('tbody tr').innerText")
        assert "8 / 12" in row and "needs manual grading" in row, row
        page.open(f"{address}/formgrader/gradebook/{NAME}/{NAME}")
        page.wait("document.querySelector('tbody a')")
        page.open(page.run("document.querySelector('tbody a').href"))
        page.wait("document.querySelectorAll('.score').length == 7")
        shown = page.run(text)
        assert "Because two pairs of corners" in shown and "three step sizes" in shown
        assert "<script>alert(1)</script>" in shown  # as text
        page.click("document.getElementById('answer-1-4')")
        page.write("2.5")
        page.press("Enter")
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            with api.Gradebook(f"sqlite:///{database}") as gradebook:
                if gradebook.find_grade("answer-1-4", *PLACE).manual_score == 2.5:
                    break
            page.run("document.activeElement.blur()")
            time.sleep(0.5)
    finally:
        page.close()
    made = _exchange(tmp_path, run.keep_marks(tmp_path / "out", {})[1], database)
    assert made.totals("kim")["points"] == 10.5
