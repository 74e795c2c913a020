"""A class is graded from a course system's export to its import, interrupted and resumed."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.grading import sandbox
from tests.grading import class_of_sixty as school
from tests.grading import course, lms
from tests.lab import browser

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux"),
    pytest.mark.skipif(browser.PROGRAM is None, reason="Chromium is not installed"),
]


def _rows(path: Path) -> list[dict]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class Desk:
    """The instructor's folder with the course system's export, and the commands to grade it.

    Args:
        folder: Where all files are.
        students: The class.
        source: Where the pages come from.
        system: "Moodle" or "Canvas".
        options: Further options for `workbook grade`.
    """

    def __init__(self, folder: Path, students: list, source, system: str, options: list[str]):
        self.folder, self.students, self.source, self.system = folder, students, source, system
        self.out, self.zip = folder / "results", folder / "export.zip"
        self.roster = folder / "class.csv"
        self.most = {c: sum(e.points for e in source.exercises(c)) for c in source.chapters}
        self.assignments = {
            f"{place} {chapter.replace('_', ' ').title()} ({100 + place})": self.most[chapter]
            for place, chapter in enumerate(source.chapters)
        }
        self.options = [
            "--roster", str(self.roster), "--due", school.DUE.isoformat(),
            "--late-per-day", str(school.PER_DAY), *options,
        ]  # fmt: skip

    @property
    def maximum(self) -> float:
        """The assignment's maximum in Moodle."""
        return 100.0

    def export(self) -> None:
        people = [student.person for student in self.students]
        if self.system == "Moodle":
            lms.moodle_export(self.zip, people)
            lms.moodle_worksheet(self.roster, people, self.maximum)
        else:
            lms.canvas_export(self.zip, people)
            lms.canvas_gradebook(self.roster, people, self.assignments)

    def start(self, *command: str) -> subprocess.Popen:
        told = [sys.executable, "-c", "from helpers.cli import main; raise SystemExit(main())"]
        log = open(self.folder / "log.txt", "ab")
        process = subprocess.Popen(
            [*told, *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C ends the marking server, also if the tests run in the background of a shell.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        log.close()
        return process

    def grade(self, *options: str, kill_after: int = 0) -> str:
        """Run `workbook grade`, killed after some results if requested; return its output."""
        command = ["grade", str(self.zip), "--out", str(self.out), *self.options, *options]
        process = self.start(*command)
        state = self.out / "state" / "graded"
        if kill_after:
            ends = time.monotonic() + 600
            while len([*state.glob("*.json")] if state.exists() else []) < kill_after:
                assert time.monotonic() < ends and process.poll() is None
                time.sleep(0.002)
            os.kill(process.pid, signal.SIGKILL)
        said = process.communicate(timeout=3000)[0]
        assert kill_after or process.returncode == 0, said + self.log()
        return said

    def log(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")

    def mark_in_browser(self, page: browser.Browser) -> int:
        """Mark each explanation by the criteria that it meets; return how many were marked."""
        process = self.start("mark", str(self.out), "--browser")
        address = re.search(r"http://\S+", process.stdout.readline())[0]
        count = 0
        page.open(address)
        page.wait("document.querySelector('h1')")
        while page.run("document.querySelector('pre')?.textContent ?? ''"):
            said = page.run("document.querySelector('pre').textContent").strip()
            for criterion in school.WORDS[said]:
                _tick(page, criterion)
            ticked = "[...document.querySelectorAll('[name=criterion]')].map(box => box.checked)"
            assert page.run(ticked) == [
                k in school.WORDS[said] for k in range(len(page.run(ticked)))
            ]
            at = page.run("location.href")
            page.click("document.querySelector('form button')")
            page.wait(f"location.href != {at!r} && document.querySelector('h1')")
            count += 1
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=600)
        assert process.returncode == 0
        return count


def _tick(page: browser.Browser, criterion: int) -> None:
    """Click a box until it is ticked: Chromium drops clicks before a page's first paint."""
    box = f"document.querySelectorAll('[name=criterion]')[{criterion}]"
    for _ in range(20):
        page.click(box)
        if page.run(f"{box}.checked"):
            return
    raise AssertionError(f"criterion {criterion} cannot be ticked")


def _marks(student, source) -> dict[str, float]:
    """Return the points that a person gives to a student's explanation."""
    rubrics = {e.id: e.rubric for c in source.chapters for e in source.exercises(c)}
    return {
        id: float(sum(points for k, (points, _) in enumerate(rubrics[id]) if k in school.WORDS[w]))
        for id, w in student.words.items()
    }


def _expected(desk: Desk, marks: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    """Return the points of each chapter by number, with deductions if a time is known."""
    due = {}
    for student in desk.students:
        if student.kind == "missing":
            continue
        share = 1.0
        if desk.system == "Moodle":
            share = max(0.0, 1 - school.PER_DAY * student.days)
        number = student.person.number
        due[number] = {
            chapter: share
            * student.total(marks[number], {e.id for e in desk.source.exercises(chapter)})
            for chapter in desk.source.chapters
            if desk.source.file(chapter) in student.person.files or student.kind == "broken"
        }
    return due


def _compare_results(desk: Desk, marks: dict[int, dict[str, float]]) -> None:
    """Compare every row of grades.csv and gradebook.csv with the expected one."""
    due = {}
    for student in desk.students:
        own = student.points | {id: marks[student.person.number].get(id, 0.0)
                                for id in student.words}  # fmt: skip
        due |= {(str(student.person.number), f"Exercise {id}"): p for id, p in own.items()}
    got = {
        (r["student"], r["exercise"]): float(r["points"]) for r in _rows(desk.out / "grades.csv")
    }
    told = {(r["student"], r["exercise"]): r["message"] for r in _rows(desk.out / "grades.csv")}
    wrong = {
        place: (points, due.get(place, 0.0), told[place])
        for place, points in got.items()
        if points != due.get(place, 0.0)
    }
    assert wrong == {} and set(due) <= set(got)
    book = {r["student"]: float(r["points"]) for r in _rows(desk.out / "gradebook.csv")}
    wanted = {str(n): sum(by.values()) for n, by in _expected(desk, marks).items()}
    assert set(book) == set(wanted)
    assert {n: p for n, p in book.items() if abs(p - wanted[n]) > 1e-4} == {}


def _compare_import(desk: Desk, marks: dict[int, dict[str, float]]) -> None:
    """Compare the course system's data after both uploads with the expected data."""
    due = _expected(desk, marks)
    people = [student.person for student in desk.students]
    lms_folder = desk.out / "lms"
    if desk.system == "Moodle":
        found = lms.moodle_import(
            lms_folder / "moodle-grades.csv", lms_folder / "moodle-feedback.zip", people,
            desk.maximum,
        )  # fmt: skip
        scale = desk.maximum / sum(desk.most.values())
        wanted = {n: sum(by.values()) * scale for n, by in due.items()}
        assert set(found.grades) == set(wanted) == set(found.comments)
        off = {n: (g, wanted[n]) for n, g in found.grades.items() if abs(g - wanted[n]) > 0.006}
        assert off == {} and found.skipped == []
        pages = {number: files["feedback.html"] for number, files in found.files.items()}
    else:
        found = lms.canvas_import(
            lms_folder / "canvas-grades.csv", lms_folder / "canvas-feedback.zip", desk.zip, people,
            list(desk.assignments),
        )  # fmt: skip
        wanted = {n: {c: by[c] for c in desk.source.chapters if c in by} for n, by in due.items()}
        titles = dict(zip(desk.source.chapters, desk.assignments, strict=True))
        got = {
            n: {c: float(scores[titles[c]]) for c in titles if titles[c] in scores}
            for n, scores in found.scores.items()
        }
        for number, scores in got.items():
            expected = wanted.get(number, {})
            for chapter in titles:
                one, other = scores.get(chapter), expected.get(chapter)
                if (one or 0) or (other or 0):
                    assert abs((one or 0) - (other or 0)) < 0.006, (number, chapter, one, other)
            if number not in wanted:
                assert scores == {}
        assert found.new_assignments == [] and found.skipped == ["Student, Test"]
        pages = {number: files[0] for number, files in found.files.items()}
    assert set(pages) == set(due)
    for student in desk.students:
        if student.kind != "missing":
            text = pages[student.person.number].decode()
            shown = student.person.last or student.person.first
            assert "<script" not in text
            assert re.sub(r"[<>&\"']", "", shown)[:20] in re.sub(r"&\w+;|&#\d+;", "", text)


def _term(desk: Desk, page: browser.Browser) -> None:
    """Simulate a whole term: grade, be killed, continue, mark, grade again, return results."""
    handed_in = [s for s in desk.students if s.kind != "missing"]
    numbers = [student.person.number for student in desk.students]
    desk.export()
    desk.grade(kill_after=max(3, len(handed_in) // 3))
    assert not (desk.out / "gradebook.csv").exists()
    said = desk.grade()
    assert f"Students: {len(handed_in)} recognised" in said and "Please check" not in said, said
    _compare_results(desk, {number: {} for number in numbers})
    assert desk.mark_in_browser(page) == sum(len(student.words) for student in handed_in)
    marks = {s.person.number: _marks(s, desk.source) for s in desk.students}
    _compare_results(desk, marks)
    _compare_import(desk, marks)

    desk.students = [student.again or student for student in desk.students]
    again = [s for s in desk.students if any("(1)" in name for name in s.person.files)]
    assert again
    desk.export()
    desk.grade("--again", kill_after=len(handed_in) - 2)
    said = desk.grade("--again")
    assert "answers changed after you marked them" in said
    _compare_results(desk, marks)  # the marks are kept until a person checks them again
    assert desk.mark_in_browser(page) >= 1
    marks = {s.person.number: _marks(s, desk.source) for s in desk.students}
    _compare_results(desk, marks)
    _compare_import(desk, marks)


@pytest.fixture
def page(tmp_path):
    made = browser.started(tmp_path / "profile")
    yield made
    made.close()


@pytest.mark.parametrize("system", ["Moodle", "Canvas"])
def test_small_class_goes_from_export_to_import(system, tmp_path, page):
    source = school.small_source()
    students = school.make_class(source, size=16, each=4)
    options = ["--course", "tests.grading.course", "--warm", ",".join(course.LEAN)]
    options += ["--cell-seconds", "2", "--call-seconds", "1", "--memory-gb", "0.5"]
    options += ["--unsafe"] if sandbox.missing() else []
    _term(Desk(tmp_path, students, source, system, options), page)


@pytest.mark.slow
@pytest.mark.parametrize("system", ["Moodle", "Canvas"])
def test_class_of_sixty_goes_from_export_to_import(system, tmp_path, page):
    source = school.real_source()
    students = school.make_class(source)
    kinds = [student.kind for student in students]
    assert (kinds.count("odd"), kinds.count("hostile"), kinds.count("broken")) == (10, 10, 5)
    assert len(students) - kinds.count("missing") == 60
    assert sum(student.again is not None for student in students) == 3
    assert any(s.person.late for s in students)
    options = ["--call-seconds", "5"] + (["--unsafe"] if sandbox.missing() else [])
    _term(Desk(tmp_path, students, source, system, options), page)
