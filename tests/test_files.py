"""A file is replaced completely or not at all, and no temporary file is left behind."""

from __future__ import annotations

import pytest

from helpers import files


def test_write_text_makes_folders_and_keeps_line_ends(tmp_path):
    path = tmp_path / "new" / "marks.csv"
    files.write_text(path, "이름,points\r\nKim,2\n")
    assert path.read_bytes() == "이름,points\r\nKim,2\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644


def test_write_text_of_a_lone_surrogate_is_written(tmp_path):
    files.write_text(tmp_path / "a", "x\ud800y")
    assert (tmp_path / "a").read_bytes() == b"x?y"


@pytest.mark.parametrize("stop", [OSError("no space left"), KeyboardInterrupt()])
def test_replacing_interrupted_keeps_the_old_file_and_leaves_nothing(tmp_path, stop):
    path = tmp_path / "marks.csv"
    path.write_text("old")
    with pytest.raises(type(stop)), files.replacing(path) as file:
        file.write(b"half of the ne")
        raise stop
    assert [found.name for found in tmp_path.iterdir()] == ["marks.csv"]
    assert path.read_text() == "old"


def test_replacing_that_cannot_take_its_place_leaves_nothing(tmp_path):
    folder = tmp_path / "taken"
    folder.mkdir()
    with pytest.raises(OSError):
        files.write_text(folder, "text")
    assert list(tmp_path.iterdir()) == [folder]
