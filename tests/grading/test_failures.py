"""A machine failure never costs a student points, and the same command continues the run."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.cli import main
from helpers.grading import commands, run
from helpers.grading.executors import MachineError, Result, local
from helpers.grading.results.store import Store
from tests.grading import course
from tests.grading.archives import packed, write
from tests.grading.classroom import right_notebook
from tests.grading.pages import cells, dump, text_cell
from tests.grading.test_run import SETTINGS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")
FRESH = replace(SETTINGS, seed=None)


class Pretended:
    """An executor that gives every exercise its points, and fails on request."""

    failing: set[int] = set()
    graded: list = []

    def __init__(self, *arguments):
        pass

    def run(self, tasks):
        for number, task in enumerate(tasks):
            Pretended.graded.append(task.load())
            if number in self.failing:
                yield task, Result(failure="The grader process died twice on this notebook.")
                continue
            exercises = [
                {
                    "id": e.id, "title": e.title, "kind": e.kind, "max": float(e.points),
                    "points": float(e.points), "outcome": "correct", "message": "", "line": "",
                    "answer": "", "seed": task.settings["seed"],
                }
                for e in course.exercises_of(task.chapter)
                if e.check is not None
            ]  # fmt: skip
            yield task, Result(exercises, 0.1, {"python": "3"})


@pytest.fixture
def pretended(monkeypatch):
    monkeypatch.setattr(run, "LocalExecutor", Pretended)
    monkeypatch.setattr(Pretended, "failing", set())
    monkeypatch.setattr(Pretended, "graded", [])
    return Pretended


@pytest.fixture
def handed_in(tmp_path) -> Path:
    folder = tmp_path / "in"
    for name in ("kim", "lee", "park"):
        right_notebook(folder / name / "01_perceptrons.ipynb")
    return folder


def _arguments(folder: Path, out: Path) -> list[str]:
    warm = ",".join(course.LEAN)
    return ["grade", str(folder), "--out", str(out), "--unsafe", "--course",
            "tests.grading.course", "--warm", warm]  # fmt: skip


def test_what_the_machine_left_is_said_loudly_and_graded_by_the_same_command(
    handed_in, tmp_path, pretended, capsys
):
    out = tmp_path / "out"
    pretended.failing = {1}
    assert main(_arguments(handed_in, out)) == commands._UNGRADED != 0
    said = capsys.readouterr().err
    assert "NOT FINISHED: 1 notebooks" in said and "run the same" in said.lower()
    seed = Store(out).run["seed"]
    records = {r["student"]: r for r in Store(out).run["records"]}
    assert (
        records["lee"]["status"] == "ungraded" and "not the student's" in records["lee"]["reason"]
    )
    pretended.failing, count = set(), len(pretended.graded)
    assert main(_arguments(handed_in, out)) == 0
    assert Store(out).run["seed"] == seed and len(pretended.graded) == count + 1
    assert {r["status"] for r in Store(out).run["records"]} == {"graded"}


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "Free some space"), (errno.EACCES, "permission to")]
)
def test_a_full_disk_ends_in_a_path_and_advice_and_loses_nothing(
    handed_in, tmp_path, pretended, monkeypatch, capsys, number, words
):
    out = tmp_path / "out"
    keep, kept = Store.keep_graded, []

    def fails(self, key, result):
        if len(kept) == 2:
            raise OSError(number, "No room", str(out / "state" / "graded"))
        kept.append(key)
        keep(self, key, result)

    monkeypatch.setattr(Store, "keep_graded", fails)
    assert main(_arguments(handed_in, out)) == 2
    said = capsys.readouterr().err
    assert str(out / "state" / "graded") in said and words in said and "same command" in said
    seed = Store(out).run["seed"]
    monkeypatch.setattr(Store, "keep_graded", keep)
    assert main(_arguments(handed_in, out)) == 0
    assert Store(out).run["seed"] == seed
    assert set(kept) < {path.stem for path in (out / "state" / "graded").iterdir()}


def test_a_sandbox_that_does_not_work_ends_the_run(handed_in, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_DEBUG", "")
    broken = replace(SETTINGS, walls=True)
    monkeypatch.setattr(local, "_result_of", lambda *_: Result(failure=f"{local._NO_SANDBOX}: x"))
    with pytest.raises(MachineError, match="sandbox does not work"):
        run.grade(handed_in, tmp_path / "out", broken)
    assert not (tmp_path / "out" / "gradebook.csv").exists()


def test_again_draws_new_inputs_for_what_changed_and_for_who_came_later(
    handed_in, tmp_path, pretended
):
    out, again = tmp_path / "out", replace(FRESH, again=True)
    run.grade(handed_in, out, FRESH)
    first = {r["student"]: r["seed"] for r in Store(out).run["records"]}
    assert len(set(first.values())) == 1
    right_notebook(handed_in / "lee" / "01_perceptrons.ipynb", _1_8="sweep = {}")
    right_notebook(handed_in / "late" / "01_perceptrons.ipynb")
    for _ in range(2):  # the second changes nothing
        run.grade(handed_in, out, again)
        seeds = {r["student"]: r["seed"] for r in Store(out).run["records"]}
        assert seeds["kim"] == seeds["park"] == first["kim"]
        assert len({seeds["kim"], seeds["lee"], seeds["late"]}) == 3
    assert len(pretended.graded) == 5


def test_nothing_that_arrived_is_without_a_line(tmp_path, pretended):
    page = dump(cells())
    zipped = packed({"01_perceptrons.ipynb": page, "tools.py": b"k = 1", "notes.md": b"hello"})
    folder = write(
        tmp_path / "in",
        {
            "a_1_assignsubmission_file_/hw.tar.gz": b"\x1f\x8b\x08",
            "b_2_assignsubmission_file_/photo.jpg": b"\xff\xd8\xff",
            "c_3_assignsubmission_file_/notes.md": b"# hello",
            "d_4_assignsubmission_file_/hw.pdf": b"%PDF-1.7",
            "e_5_assignsubmission_file_/01_perceptrons.ipynb": page,
            "e_5_assignsubmission_file_/data/x.csv": b"1,2",
            "f_6_assignsubmission_file_/hw.zip": zipped,
            "g_7_assignsubmission_file_/hw.zip": b"PK\x03\x04broken",
        },
    )
    made = run.grade(folder, tmp_path / "out", SETTINGS)
    told = {(f["student"], f["file"]): (f["status"], f["reason"]) for f in made.files}
    assert told["1", "hw.tar.gz"][1].startswith("The file is a gzip archive")
    assert told["2", "photo.jpg"][1].startswith("The file is a picture")
    assert told["3", "notes.md"][0] == told["4", "hw.pdf"][0] == "unreadable"
    assert told["5", "01_perceptrons.ipynb"][0] == told["6", "01_perceptrons.ipynb"][0] == "graded"
    for place in (("5", "x.csv"), ("6", "tools.py"), ("6", "notes.md")):
        assert told[place][0] == "beside"
    assert "damaged" in told["7", "hw.zip"][1]
    assert made.students == [str(number) for number in range(1, 8)]
    beside = {tuple(sorted(task["attachments"])) for task in pretended.graded}
    assert beside == {("data/x.csv",), ("notes.md", "tools.py")}


def test_a_script_beside_its_notebook_is_not_graded_in_its_place(tmp_path, pretended):
    script = b"# %%\ncheck('1.5', step, sigmoid)\n\n# %%\nx = 1\n"
    folder = write(
        tmp_path / "in",
        {"kim/01_perceptrons.ipynb": dump(cells()), "kim/01_perceptrons.py": script},
    )
    made = run.grade(folder, tmp_path / "out", SETTINGS)
    assert {f["file"]: f["status"] for f in made.files} == {
        "01_perceptrons.ipynb": "graded", "01_perceptrons.py": "replaced",
    }  # fmt: skip


def test_result_says_who_was_recognised_and_how(tmp_path, pretended):
    folder = tmp_path / "in"
    for name in ("Kim_1", "Kim_2", "Lee_3"):
        right_notebook(folder / f"{name}_assignsubmission_file_" / "01_perceptrons.ipynb")
    roster = tmp_path / "roster.csv"
    roster.write_text("Identifier,Full name\nParticipant 1,Kim A\nParticipant 2,Kim B\n")
    made = run.grade(folder, tmp_path / "out", replace(SETTINGS, roster=roster))
    told = {sender.student: (sender.name, sender.sure) for sender in made.senders}
    assert told == {"1": ("Kim A", True), "2": ("Kim B", True), "3": ("Lee", False)}
    assert [person.key for person in made.roster.people] == ["1", "2"]
    screen = commands.recognised(made.senders, True)
    assert "3 recognised" in screen and "Please check: Lee" in screen
    again = run.mark(tmp_path / "out", None)[1]
    assert again.senders == made.senders and again.roster == made.roster


def test_hostile_names_and_versions_reach_no_screen_unchanged(tmp_path, pretended, capsys):
    page = json.dumps({"nbformat": "\x1b[31m\ud800", "cells": [text_cell("x")]}).encode()
    write(tmp_path / "in", {"k\x1b[2Jim/01_perceptrons.ipynb": page})
    assert main(_arguments(tmp_path / "in", tmp_path / "out")) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    for path in (tmp_path / "out").rglob("*.*"):
        assert b"\x1b" not in path.read_bytes()
