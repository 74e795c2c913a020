"""A run from a folder to its results: files written, results kept, and regrading."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.grading import run, sandbox
from helpers.grading.results import tables
from helpers.grading.results.store import Store
from tests.grading import course
from tests.grading.classroom import right_notebook, write_class
from tests.grading.conftest import LIMITS
from tests.grading.pages import dump, text_cell

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = run.Settings(
    walls=False, processes=2, limits=LIMITS, seed=3, course="tests.grading.course", warm=course.LEAN
)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


def _rows(path: Path) -> list[dict]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def handed_in(tmp_path) -> Path:
    folder = tmp_path / "submissions"
    right_notebook(folder / "kim" / "01_perceptrons.ipynb")
    right_notebook(folder / "lee" / "01_perceptrons.ipynb", _1_8="sweep = {}")
    (folder / "park").mkdir()
    (folder / "park" / "01_perceptrons.ipynb").write_bytes(b"")
    return folder


def test_grade_writes_all_results(handed_in, tmp_path):
    out = tmp_path / "results"
    made = run.grade(handed_in, out, SETTINGS)
    book = {row["student"]: row for row in _rows(out / "gradebook.csv")}
    assert [book[name]["points"] for name in ("kim", "lee", "park")] == ["9", "8", "0"]
    assert book["kim"]["pending"] == "3" and "empty" in book["park"]["notes"]
    grades = {(row["student"], row["exercise"]): row for row in _rows(out / "grades.csv")}
    assert grades["lee", "Exercise 1.8"]["outcome"] == "not yet"
    assert len(grades) == 3 * len(course.exercises_of("perceptrons"))
    about = json.loads((out / "run.json").read_text())
    assert about["seed"] == 3 and about["finished"] and "numpy" in about["versions"]
    assert len(list((out / "feedback").glob("*.html"))) == 3
    text = tables.summary(made, out)
    assert "2 of 3 files from 3 students graded" in text and "workbook mark" in text


def test_grade_counts_a_missing_chapter_as_not_handed_in(handed_in, tmp_path):
    page = [text_cell("### Exercise 2.3 — x")]
    (handed_in / "kim" / "02_multilayer_perceptrons.ipynb").write_bytes(dump(page))
    run.grade(handed_in, tmp_path / "out", SETTINGS)
    grades = {(r["student"], r["exercise"]): r for r in _rows(tmp_path / "out" / "grades.csv")}
    assert grades["kim", "Exercise 2.3"]["outcome"] == "not attempted"
    assert grades["lee", "Exercise 2.3"]["outcome"] == "not handed in"
    assert grades["park", "Exercise 1.5"]["outcome"] == "not graded"


def test_grade_takes_the_newest_of_two_attempts(tmp_path):
    folder = tmp_path / "in"
    right_notebook(folder / "kim_1_10_01_perceptrons.ipynb", _1_8="sweep = {}")
    right_notebook(folder / "kim_1_11_01_perceptrons-1.ipynb")
    made = run.grade(folder, tmp_path / "out", SETTINGS)
    assert made.totals("1")["points"] == 9
    assert [f["status"] for f in made.files].count("replaced") == 1


def test_again_regrades_only_what_changed(handed_in, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run.grade(handed_in, out, SETTINGS)
    graded = []
    keep = Store.keep_graded
    monkeypatch.setattr(
        Store, "keep_graded", lambda self, key, r: (graded.append(key), keep(self, key, r))
    )
    again = run.Settings(**{**SETTINGS.__dict__, "seed": None, "again": True})
    run.grade(handed_in, out, again)
    assert graded == []
    right_notebook(handed_in / "lee" / "01_perceptrons.ipynb")
    made = run.grade(handed_in, out, again)
    assert len(graded) == 1 and made.totals("lee")["points"] == 9
    assert json.loads((out / "run.json").read_text())["seed"] == 3


def test_new_run_draws_new_inputs(handed_in, tmp_path):
    fresh = run.Settings(**{**SETTINGS.__dict__, "seed": None})
    seeds = set()
    for _ in range(2):
        run.grade(handed_in, tmp_path / "out", fresh)
        seeds.add(json.loads((tmp_path / "out" / "run.json").read_text())["seed"])
    assert len(seeds) == 2


def test_marks_survive_every_later_run(handed_in, tmp_path):
    out = tmp_path / "out"
    run.grade(handed_in, out, SETTINGS)
    path = out / "explanations.csv"
    rows = _rows(path)
    assert [row["points"] for row in rows] == ["", ""] and "says why" in rows[0]["rubric"]
    path.write_text(path.read_text().replace("Why no line,3,,", "Why no line,3,2.5,=good", 1))
    changed, made = run.mark(out, None)
    assert changed == 1 and made.totals("kim")["points"] == 11.5
    assert _rows(path)[0]["points"] == "2.5" and _rows(path)[0]["comment"] == "'=good"
    fresh = run.Settings(**{**SETTINGS.__dict__, "seed": 99})
    right_notebook(handed_in / "kim" / "01_perceptrons.ipynb", _1_8="sweep = {}")
    made = run.grade(handed_in, out, fresh)
    assert made.totals("kim")["points"] == 10.5 and made.totals("kim")["pending"] == 0
    assert run.mark(out, None)[0] == 0


def test_points_written_into_the_csv_are_kept_by_the_next_run(handed_in, tmp_path):
    out = tmp_path / "out"
    run.grade(handed_in, out, SETTINGS)
    path = out / "explanations.csv"
    path.write_text(path.read_text().replace("Why no line,3,,", "Why no line,3,1,", 1))
    assert run.grade(handed_in, out, SETTINGS).totals("kim")["points"] == 10


_REFUSED = {
    "kim,1.4,4": "not between 0 and 3",
    "kim,1.4,-1": "not between 0 and 3",
    "kim,1.4,nan": "not between 0 and 3",
    "kim,1.4,many": "not a number",
    "nobody,1.4,1": "line 2",
    "kim,9.9,1": "there is no answer by kim to exercise 9.9",
}


def test_mark_refuses_impossible_points_and_takes_nothing(handed_in, tmp_path):
    out = tmp_path / "out"
    run.grade(handed_in, out, SETTINGS)
    edited = tmp_path / "edited.csv"
    for line, words in _REFUSED.items():
        edited.write_text(f"student,exercise,points\n{line}\nlee,1.4,2\n")
        with pytest.raises(ValueError, match=re.escape(words)):
            run.mark(out, edited)
        assert Store(out).marks == {}


def test_mark_reads_what_spreadsheets_write(handed_in, tmp_path):
    out = tmp_path / "out"
    run.grade(handed_in, out, SETTINGS)
    edited = tmp_path / "edited.csv"
    text = 'student;exercise;points;comment\r\nkim;1.4;"1,5";Übung\r\n'
    edited.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert run.mark(out, edited)[0] == 1
    mark = Store(out).marks["kim/1.4"]
    assert (mark["points"], mark["comment"]) == (1.5, "Übung")


def test_results_cannot_lie_among_the_submissions(handed_in):
    with pytest.raises(ValueError, match="cannot be inside"):
        run.grade(handed_in, handed_in / "results", SETTINGS)


def test_two_runs_cannot_share_a_results_folder(handed_in, tmp_path):
    store = Store(tmp_path / "out")
    with store.alone(), pytest.raises(ValueError, match="Another run"):
        run.grade(handed_in, tmp_path / "out", SETTINGS)


def test_pages_are_small_escaped_and_run_no_script(tmp_path, attacked):
    folder, out = tmp_path / "in", tmp_path / "out"
    write_class(folder, 15, attacked.world, walls=False)
    script = "</pre><script>alert(1)</script>"
    right_notebook(
        folder / "<img src=x onerror=alert(1)>" / "01_perceptrons.ipynb",
        _1_5=f"def step(x):\n    raise ValueError({script!r})  # {script * 5000}\n"
        "def sigmoid(x):\n    pass",
    )
    run.grade(folder, out, SETTINGS)
    pages = list((out / "feedback").glob("*.html"))
    assert len(pages) == 16
    for path in pages:
        text = path.read_text()
        assert len(text) < 100_000 and "Content-Security-Policy" in text
        assert "<script" not in text and "<img" not in text and "want" not in text
        assert set(re.findall(r"<(\w+)", text)) <= set(
            "html head meta title style body main h1 h2 h3 p b meter article span details summary "
            "pre".split()
        )
    for name in ("grades.csv", "gradebook.csv", "explanations.csv"):
        with open(out / name, encoding="utf-8-sig", newline="") as file:
            cells_ = [cell for row in csv.reader(file) for cell in row]
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells_)


def _start(folder: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", "from helpers.cli import main; main()", "grade", str(folder)]
    command += ["--out", str(out), "--seed", "5", "--unsafe", "--course", "tests.grading.course"]
    command += ["--warm", ",".join(course.LEAN), "--call-seconds", "1", "--cell-seconds", "1"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **quiet)


def test_killed_run_resumes_without_loss_or_doubling(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in range(24):
        wrong = "sweep = {}" if number % 4 == 0 else None
        answers = {"_1_7": wrong} if wrong else {}
        right_notebook(folder / f"student {number:02d}" / "01_perceptrons.ipynb", **answers)
    state = out / "state" / "graded"
    for wanted in (3, 11):
        process = _start(folder, out)
        deadline = time.monotonic() + 60
        while len(list(state.glob("*.json")) if state.exists() else []) < wanted:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert not (out / "gradebook.csv").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in state.glob("*.json")}
    process = _start(folder, out)
    said = process.communicate(timeout=100)[0].decode()
    assert process.returncode == 0, said
    for name, when in kept.items():
        assert (state / name).stat().st_mtime_ns == when
    resumed = {name: (out / name).read_bytes() for name in ("grades.csv", "gradebook.csv")}
    assert len(_rows(out / "gradebook.csv")) == 24
    whole = tmp_path / "whole"
    run.grade(folder, whole, run.Settings(**{**SETTINGS.__dict__, "seed": 5}))
    for name, content in resumed.items():
        assert (whole / name).read_bytes() == content


def test_killed_grader_process_costs_nobody_anything(tmp_path):
    folder = tmp_path / "in"
    for number in range(8):
        right_notebook(folder / f"student {number}" / "01_perceptrons.ipynb")
    killed = []

    def progress(total: int):
        def step() -> None:
            if not killed:
                children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
                graders = [
                    int(pid)
                    for pid in children
                    if b"helpers.grading.executors.local"
                    in Path(f"/proc/{pid}/cmdline").read_bytes()
                ]
                os.kill(graders[0], signal.SIGKILL)
                killed.append(graders[0])

        return step

    made = run.grade(folder, tmp_path / "out", SETTINGS, progress)
    assert killed and [made.totals(student)["points"] for student in made.students] == [9.0] * 8


def test_grade_refuses_without_a_sandbox(handed_in, tmp_path, monkeypatch, capsys):
    from helpers.cli import main

    monkeypatch.setenv("PATH", "/nowhere")
    sandbox.missing.cache_clear()
    assert main(["grade", str(handed_in), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "bwrap is missing" in said and "--unsafe" in said
    assert not (tmp_path / "out").exists()
    sandbox.missing.cache_clear()


def test_class_of_50_in_the_sandbox(tmp_path, attacked, walls):
    kinds = write_class(tmp_path / "in", 50, attacked.world)
    walled = run.Settings(**{**SETTINGS.__dict__, "walls": True})
    made = run.grade(tmp_path / "in", tmp_path / "out", walled)
    assert len(made.students) == 50 and attacked.untouched()
    for student, kind in kinds.items():
        total = made.totals(student)["points"]
        assert total == 9 if kind == "honest" else total <= 9
    assert not [file for file in made.files if file["status"] == "error"]
