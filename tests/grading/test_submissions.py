"""Who handed in what: names of course systems, and archives that mean harm."""

from __future__ import annotations

import io
import os
import zipfile

import pytest

from helpers.grading import submissions
from tests.grading.pages import cells, dump

PAGE = dump(cells())


def _zip(path, files: dict[str, bytes], links: tuple[str, ...] = ()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if name in links:
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, content)
    return path


def _found(path) -> list[tuple[str, str, bool]]:
    return [(s.student, s.file, not s.problem) for s in submissions.collect(path)]


@pytest.mark.parametrize(
    ("path", "student", "file"),
    [
        ("Kim Minsu_4711_assignsubmission_file_/06_dropout.ipynb", "Kim Minsu", "06_dropout.ipynb"),
        ("Kim_Min_4711_assignsubmission_file/hw.ipynb", "Kim_Min", "hw.ipynb"),
        ("leejane_LATE_81_992_06_dropout.ipynb", "leejane", "06_dropout.ipynb"),
        ("leejane_81_992_06_dropout-2.ipynb", "leejane", "06_dropout-2.ipynb"),
        ("submitted/lee/06_dropout/06_dropout.ipynb", "lee", "06_dropout.ipynb"),
        ("lee/06_dropout.ipynb", "lee", "06_dropout.ipynb"),
        ("lee_06_dropout.ipynb", "lee", "lee_06_dropout.ipynb"),
        ("김민수/과제.ipynb", "김민수", "과제.ipynb"),
    ],
)
def test_collect_recognises_course_systems(tmp_path, path, student, file):
    folder = tmp_path / "folder"
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_bytes(PAGE)
    assert _found(folder) == [(student, file, True)]
    assert _found(_zip(tmp_path / "all.zip", {path: PAGE})) == [(student, file, True)]


def test_collect_zip_refuses_what_climbs_out_links_and_bombs(tmp_path):
    bomb = bytes(60 * 2**20)
    path = _zip(
        tmp_path / "evil.zip",
        {
            "../../etc/evil_01_x.ipynb": PAGE,
            "/abs/olute.ipynb": PAGE,
            "C:\\win\\dows.ipynb": PAGE,
            "link/passwd.ipynb": b"/etc/passwd",
            "bomb/01_perceptrons.ipynb": bomb,
            "good/01_perceptrons.ipynb": PAGE,
        },
        links=("link/passwd.ipynb",),
    )
    before = set(os.listdir(tmp_path))
    found = {s.file: s for s in submissions.collect(path)}
    assert [s.file for s in found.values() if not s.problem] == ["01_perceptrons.ipynb"]
    assert "climbs out" in found["evil_01_x.ipynb"].problem
    assert "climbs out" in found["olute.ipynb"].problem
    assert "climbs out" in found["dows.ipynb"].problem
    assert "link" in found["passwd.ipynb"].problem
    problems = [s.problem for s in submissions.collect(path)]
    assert any("bomb" in problem for problem in problems)
    assert set(os.listdir(tmp_path)) == before


def test_collect_folder_does_not_follow_links(tmp_path):
    (tmp_path / "secret.ipynb").write_bytes(PAGE)
    folder = tmp_path / "folder" / "eve"
    folder.mkdir(parents=True)
    (folder / "01_perceptrons.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "up").symlink_to(tmp_path)
    assert all(not fine for _, _, fine in _found(tmp_path / "folder"))


def test_collect_opens_a_zip_in_a_zip_once(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("01_perceptrons.ipynb", PAGE)
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as archive:
        archive.writestr("deep.zip", inner.getvalue())
    files = {"kim_1_assignsubmission_file_/hw.zip": inner.getvalue(), "lee/x.zip": again.getvalue()}
    found = submissions.collect(_zip(tmp_path / "all.zip", files))
    assert (found[0].student, found[0].file) == ("kim", "01_perceptrons.ipynb")


def test_collect_damaged_entry_costs_only_itself(tmp_path):
    path = _zip(tmp_path / "all.zip", {"a/01_x.ipynb": PAGE, "b/01_y.ipynb": PAGE})
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(content)
    assert sorted(fine for _, _, fine in _found(path)) == [False, True]


def test_collect_tells_students_of_the_same_name_apart(tmp_path):
    for place in ("Kim_1_assignsubmission_file_", "Kim_2_assignsubmission_file_"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "01_perceptrons.ipynb").write_bytes(PAGE)
    assert [s.student for s in submissions.collect(tmp_path)] == ["Kim (1)", "Kim (2)"]


def test_collect_damaged_zips_say_so(tmp_path):
    whole = _zip(tmp_path / "a.zip", {"kim/01_x.ipynb": PAGE}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:30] + whole[-22:])
    with pytest.raises(ValueError, match="damaged"):
        submissions.collect(tmp_path / "a.zip")
    (tmp_path / "in" / "kim").mkdir(parents=True)
    (tmp_path / "in" / "kim" / "hw.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    (found,) = submissions.collect(tmp_path / "in")
    assert "damaged" in found.problem


def test_collect_keeps_wrong_kinds_of_files_only_where_no_notebook_is(tmp_path):
    for name in ("kim/hw.pdf", "lee/hw.pdf", "lee/01_perceptrons.ipynb", "lee/.DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PAGE)
    assert [name[:2] for name in _found(tmp_path)] == [
        ("kim", "hw.pdf"), ("lee", "01_perceptrons.ipynb"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["=cmd|calc", "<script>", "a\u202eb", "line\nbreak", "x" * 200])
def test_collect_takes_any_name(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "01_perceptrons.ipynb").write_bytes(PAGE)
    (found,) = submissions.collect(tmp_path)
    assert found.content == PAGE
    assert found.student.isprintable() and len(found.student) <= 120


@pytest.mark.parametrize("make", ["missing", "text", "empty"])
def test_collect_nothing_says_so(tmp_path, make):
    path = tmp_path / make
    if make == "text":
        path.write_text("hello")
    elif make == "empty":
        path.mkdir()
    with pytest.raises(ValueError, match=r"\."):
        submissions.collect(path)
