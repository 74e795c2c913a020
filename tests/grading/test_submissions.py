"""The sender of each file: decided by the course system's names, never by a student's."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path

import pytest

from helpers.grading import submissions
from helpers.grading.reading import Reader
from helpers.grading.roster import read_roster
from tests.grading.archives import packed, write

PAGE = b"{}"
CHAPTERS = ("perceptrons", "multilayer_perceptrons", "dropout")


@pytest.fixture(scope="module")
def reader():
    with Reader() as reader:
        yield reader


@pytest.fixture
def collected(reader, tmp_path):
    """Return a function that collects from files as a folder and as a zip, which must agree."""

    def collect(names, roster: str = "", chapters=()) -> submissions.Collection:
        files = names if isinstance(names, dict) else dict.fromkeys(names, PAGE)
        folder = write(Path(tempfile.mkdtemp(dir=tmp_path)), files)
        archive = tmp_path / "all.zip"
        archive.write_bytes(packed(files))
        people = None
        if roster:
            (tmp_path / "roster.csv").write_text(roster, encoding="utf-8")
            people = read_roster(tmp_path / "roster.csv")
        found = submissions.collect(folder, reader, people, chapters)
        zipped = submissions.collect(archive, reader, people, chapters)
        assert [_who(s) for s in found.submissions] == [_who(s) for s in zipped.submissions]
        assert found.senders == zipped.senders
        return found

    return collect


def _who(submission: submissions.Submission) -> tuple[str, str, str]:
    return submission.student, submission.name, submission.file


@pytest.mark.parametrize(
    ("path", "student", "name", "file"),
    [
        ("Kim Minsu_4711_assignsubmission_file_/06_x.ipynb", "4711", "Kim Minsu", "06_x.ipynb"),
        ("Kim_Min_4711_assignsubmission_file/hw.ipynb", "4711", "Kim_Min", "hw.ipynb"),
        ("Kim_4711_assignsubmission_file_hw.ipynb", "4711", "Kim", "hw.ipynb"),
        ("Kim_4711_assignsubmission_file_/part/hw.ipynb", "4711", "Kim", "hw.ipynb"),
        ("Kim_4711_assignsubmission_onlinetext_/onlinetext.html", "4711", "Kim", "onlinetext.html"),
        ("leejane_LATE_81_992_06_dropout.ipynb", "81", "leejane", "06_dropout.ipynb"),
        ("leejane_81_992_06_dropout-2.ipynb", "81", "leejane", "06_dropout-2.ipynb"),
        ("leejane_81_992_hw.zip", "81", "leejane", "hw.zip"),
        ("van_der_berg_81_992_01_x.ipynb", "81", "van_der_berg", "01_x.ipynb"),
        ("김민수_LATE_81_992_x.ipynb", "81", "김민수", "x.ipynb"),
        ("_81_992_x.ipynb", "81", "81", "x.ipynb"),
        ("anon_aB3xZ_992_x.ipynb", "anon_aB3xZ", "anon_aB3xZ", "x.ipynb"),
        ("LATE_anon_aB3xZ_992_x.ipynb", "anon_aB3xZ", "anon_aB3xZ", "x.ipynb"),
        ("leejane_81_text.html", "81", "leejane", "text.html"),
        ("submitted/lee/06_dropout/06_dropout.ipynb", "lee", "lee", "06_dropout.ipynb"),
        ("lee/06_dropout.ipynb", "lee", "lee", "06_dropout.ipynb"),
        ("lee_06_dropout.ipynb", "lee", "lee", "lee_06_dropout.ipynb"),
        ("김민수/과제.ipynb", "김민수", "김민수", "과제.ipynb"),
        ("Homework 1/Kim_7_assignsubmission_file_/x.ipynb", "7", "Kim", "x.ipynb"),
        ("all/leejane_81_992_x.ipynb", "81", "leejane", "x.ipynb"),
        ("=lee/x.ipynb", "=lee", "=lee", "x.ipynb"),
    ],
)
def test_collect_recognises_course_systems(collected, path, student, name, file):
    found = collected([path])
    assert [_who(s) for s in found.submissions] == [(student, name, file)]
    (sender,) = found.senders
    assert sender.student == student and sender.how and sender.sure


def test_pages_with_a_folder_for_each_student(collected):
    paths = [f"0{k}_{chapter}/{name}/x.ipynb" for k, chapter in enumerate(CHAPTERS, 1)
             for name in ("kim", "lee")]  # fmt: skip
    found = collected(paths, chapters=CHAPTERS)
    assert {s.student for s in found.submissions} == {"kim", "lee"}
    assert len(found.submissions) == 6
    assert {s.folder for s in found.submissions} == {f"0{k}_{c}" for k, c in enumerate(CHAPTERS, 1)}


@pytest.mark.parametrize(
    "inside",
    [
        "bob_81_999_06_dropout-9.ipynb",
        "Bob_4712_assignsubmission_file_/06_dropout.ipynb",
        "submitted/bob/06_dropout/06_dropout.ipynb",
        "bob/06_dropout.ipynb",
        "06_dropout/bob/06_dropout.ipynb",
    ],
)
def test_nothing_inside_a_students_folder_names_anybody(collected, inside):
    for outer in ("eve_4711_assignsubmission_file_", "eve"):
        found = collected(
            {f"{outer}/{inside}": PAGE, "ann/06_dropout.ipynb": PAGE}, chapters=CHAPTERS
        )
        assert {s.student for s in found.submissions} <= {"eve", "4711", "ann"}


def test_two_of_moodles_marks_in_one_name_are_kept_apart(collected):
    forged = "Eve_80_assignsubmission_file_x_81_assignsubmission_file_y.ipynb"
    found = collected([forged, "Bob_81_assignsubmission_file_y.ipynb"])
    assert len({s.student for s in found.submissions}) == 2
    unsure = [sender for sender in found.senders if not sender.sure]
    assert len(unsure) == 1 and "kept apart" in unsure[0].how


def test_a_name_that_looks_like_an_id_takes_nobodys_row(collected):
    found = collected(
        ["Kim (4711)_9_assignsubmission_file_/x.ipynb", "Kim_4711_assignsubmission_file_/x.ipynb"]
    )
    assert [(s.student, s.name) for s in found.submissions] == [
        ("4711", "Kim"),
        ("9", "Kim (4711)"),
    ]


def test_two_students_of_one_name_keep_a_row_each(collected):
    found = collected([f"Kim_{n}_assignsubmission_file_/x.ipynb" for n in (1, 2)])
    assert [(s.student, s.name) for s in found.submissions] == [("1", "Kim"), ("2", "Kim")]


def test_names_that_look_the_same_keep_a_row_each(reader, tmp_path):
    long = "x" * 100
    names = [
        "José", unicodedata.normalize("NFD", "José"), "Jo\u200bsé", "José ", "\u202eJosé", "Jose",
        long + "a", long + "b", "김하늘", unicodedata.normalize("NFD", "김하늘"), "JOSÉ", "a\nb",
        "a b", "José~0a1b2c3d",
    ]  # fmt: skip
    for name in names:
        write(tmp_path / "in" / name, {"x.ipynb": PAGE})
    found = submissions.collect(tmp_path / "in", reader)
    assert len({s.student for s in found.submissions}) == len(names)
    for sender in found.senders:
        assert sender.student.isprintable() and len(sender.student) < 100
        assert sender.name.isprintable()


def test_every_file_that_arrived_is_there(collected):
    names = ["hw.tar.gz", "photo.jpg", "notes.md", "hw.pdf", "hw", "x.ipynb", "data.csv", "a.7z"]
    found = collected([f"kim/{name}" for name in names] + ["kim/.DS_Store", "__MACOSX/kim/._x"])
    assert sorted(s.file for s in found.submissions) == sorted(names)


def test_a_student_with_20_001_files_costs_only_a_line(collected):
    names = sorted(f"eve/{number}.ipynb" for number in range(20_001))
    found = collected([*names, "kim/x.ipynb"])
    eve = [s for s in found.submissions if s.student == "eve"]
    assert len(eve) == submissions.MAX_FILES_OF_ONE
    assert sum("19,501 more files" in s.problem for s in eve) == 1
    assert [s.problem for s in found.submissions if s.student == "kim"] == [""]


def test_order_is_the_course_systems_own(collected, reader, tmp_path):
    found = collected(["kim_1_11_01_perceptrons-2023.ipynb", "kim_1_12_01_perceptrons.ipynb"])
    assert [s.file for s in sorted(found.submissions, key=lambda s: s.order)][-1] == (
        "01_perceptrons.ipynb"
    )
    write(tmp_path / "by time", {"lee/a-9.ipynb": PAGE, "lee/b.zip": PAGE})
    os.utime(tmp_path / "by time" / "lee" / "a-9.ipynb", (1_700_000_000,) * 2)
    os.utime(tmp_path / "by time" / "lee" / "b.zip", (1_800_000_000,) * 2)
    found = submissions.collect(tmp_path / "by time", reader)
    newest = max(found.submissions, key=lambda s: s.order)
    assert newest.file == "b.zip" and newest.submitted.startswith("2027-01-15")


def test_canvas_says_who_is_late_and_nbgrader_when(collected, reader, tmp_path):
    found = collected(["lee_LATE_81_9_x.ipynb", "kim_82_10_x.ipynb"])
    assert {s.student: (s.late, s.submitted) for s in found.submissions} == {
        "81": (True, ""), "82": (False, ""),
    }  # fmt: skip
    files = {"timestamp.txt": b"2026-03-02 09:00:00.123456 UTC", "x.ipynb": PAGE}
    top = tmp_path / "nbgrader"
    write(top / "submitted" / "lee" / "06_dropout", files)
    write(top / "submitted" / "kim" / "06_dropout", files)
    found = submissions.collect(top, reader)
    assert {s.submitted for s in found.submissions} == {"2026-03-02T09:00:00"}
    assert {s.stamp for s in found.submissions} == {"nbgrader's timestamp"}


def test_collect_zip_refuses_what_climbs_out_and_links(reader, tmp_path):
    files = {
        "../../etc/evil_01_x.ipynb": PAGE,
        "/abs/olute.ipynb": PAGE,
        "C:\\win\\dows.ipynb": PAGE,
        "link/passwd.ipynb": b"/etc/passwd",
        "bomb/01_perceptrons.ipynb": bytes(60 * 2**20),
        "good/01_perceptrons.ipynb": PAGE,
    }
    (tmp_path / "evil.zip").write_bytes(packed(files, links=("link/passwd.ipynb",)))
    found = submissions.collect(tmp_path / "evil.zip", reader).submissions
    problems = {(s.student, s.file): s.problem for s in found}
    assert [place for place, problem in problems.items() if not problem] == [
        ("good", "01_perceptrons.ipynb")
    ]
    told = {file: problem for (_, file), problem in problems.items() if problem}
    for file in ("evil_01_x.ipynb", "olute.ipynb", "dows.ipynb"):
        assert "points outside" in told[file]
    assert "link" in told["passwd.ipynb"] and "bomb" in told["01_perceptrons.ipynb"]


def test_collect_folder_does_not_follow_links(reader, tmp_path):
    (tmp_path / "secret.ipynb").write_bytes(PAGE)
    folder = tmp_path / "folder" / "eve"
    folder.mkdir(parents=True)
    (folder / "01_perceptrons.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "up").symlink_to(tmp_path)
    found = submissions.collect(tmp_path / "folder", reader).submissions
    assert len(found) == 2 and all("link" in s.problem for s in found)


@pytest.mark.parametrize("make", ["missing", "text", "empty", "damaged"])
def test_collect_nothing_says_so(reader, tmp_path, make):
    path = tmp_path / make
    if make == "text":
        path.write_text("hello")
    elif make == "empty":
        path.mkdir()
    elif make == "damaged":
        whole = packed({"kim/01_x.ipynb": PAGE})
        path.write_bytes(whole[:30] + whole[-22:])
    with pytest.raises(ValueError, match=r"\."):
        submissions.collect(path, reader)


CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Homework (12)\n"
    '"    Points Possible",,,,,10\n'
    '"Lee, Jane",81,s-001,jane,A,\n"Kim, Minsu",82,s-002,minsu,A,\n"Kim, Minsu",83,s-003,m2,A,\n'
)
WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Last modified (submission)\n"
    'Participant 4711,Kim Minsu,a@x.org,Submitted,,"Monday, 2 March 2026, 10:15 AM"\n'
    "Participant 4712,Kim Minsu,b@x.org,Submitted,,-\n"
)
PARTICIPANTS = "First name,Last name,Email address\nJane,Lee,lee@x.org\nMinsu,Kim,kim@x.org\n"


def test_roster_of_canvas_names_students_by_id(collected):
    found = collected(["kimminsu_82_7_x.ipynb", "kimminsu_83_8_x.ipynb", "x_99_9_x.ipynb"], CANVAS)
    told = {s.number: (s.student, s.name, s.sure) for s in found.senders}
    assert told == {
        "82": ("82", "Kim, Minsu", True),
        "83": ("83", "Kim, Minsu", True),
        "99": ("99", "x", False),
    }


def test_canvas_name_with_a_number_in_it_takes_nobodys_row(collected):
    forged, honest = "bob_82_81_992_01_x.ipynb", "bob_82_7_01_x.ipynb"
    found = collected([forged, honest])
    told = {s.name: (s.student, s.sure) for s in found.senders}
    assert told["bob"] == ("82", True) and len(found.senders) == 2
    assert told["bob_82"][1] is False
    roster = "Student,ID,SIS User ID,SIS Login ID,Section\nbob,82,,,A\nbob_82,81,,,A\n"
    found = collected([forged, honest], roster)
    assert sorted(s.sure for s in found.senders) == [False, True]
    found = collected([forged], roster.replace("bob,82", "ann,82"))
    assert [(s.student, s.name, s.sure) for s in found.senders] == [("81", "bob_82", True)]


def test_a_number_of_the_roster_under_another_name_is_kept_apart(collected):
    names = ["Group A_4711_assignsubmission_file_/x.ipynb",
             "Team 1-Kim Minsu_4712_assignsubmission_file/x.ipynb"]  # fmt: skip
    found = collected(names, WORKSHEET)
    assert {s.name: s.sure for s in found.senders} == {"Group A": False, "Kim Minsu": True}
    assert "4711" not in {s.student for s in found.senders}


def test_moodles_zip_tells_no_time_of_submission(collected):
    (submission,) = collected(["Kim_4711_assignsubmission_file/x.ipynb"]).submissions
    assert submission.stamp == submissions.UNSURE_TIME


def test_roster_of_moodle_names_students_by_participant_and_gives_times(collected):
    names = [f"Kim Minsu_{n}_assignsubmission_file_/x.ipynb" for n in (4711, 4712)]
    found = collected(names, WORKSHEET)
    assert [(s.student, s.email) for s in found.senders] == [
        ("4711", "a@x.org"),
        ("4712", "b@x.org"),
    ]
    assert found.submissions[0].submitted == "2026-03-02T10:15:00"
    assert found.submissions[0].stamp == "the roster"


def test_roster_without_numbers_goes_by_names_that_are_only_there_once(collected):
    found = collected(
        ["Jane Lee_5_assignsubmission_file_/x.ipynb", "Park_6_assignsubmission_file_/x.ipynb"],
        PARTICIPANTS,
    )
    told = {s.number: (s.student, s.sure) for s in found.senders}
    assert told == {"5": ("lee@x.org", True), "6": ("6", False)}


def test_a_profile_renamed_to_somebody_elses_takes_nothing(collected):
    names = [f"Jane Lee_{n}_assignsubmission_file_/x.ipynb" for n in (5, 6)]
    found = collected(names, PARTICIPANTS)
    assert {s.student for s in found.senders} == {"5", "6"}
    assert all(not s.sure and "2 senders match" in s.how for s in found.senders)


def test_roster_matches_folders_by_id_login_or_address(collected):
    roster = "id,name,email\n20260001,Jane Lee,jane@x.org\n20260002,김민수,minsu@x.org\n"
    found = collected(["20260001/x.ipynb", "minsu/x.ipynb", "jane kim/x.ipynb"], roster)
    assert {s.outer: s.student for s in found.senders} == {
        "20260001": "20260001", "minsu": "20260002", "jane kim": "jane kim",
    }  # fmt: skip


def test_a_file_that_cannot_be_read_keeps_its_line(reader, tmp_path):
    write(tmp_path / "in", {"kim/x.ipynb": PAGE, "lee/y.ipynb": PAGE})
    closed = tmp_path / "in" / "lee"
    real = os.scandir

    def scandir(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        found = submissions.collect(tmp_path / "in", reader).submissions
    assert {s.student: s.problem for s in found} == {
        "kim": "", "lee": "The folder cannot be opened: Permission denied.",
    }  # fmt: skip
