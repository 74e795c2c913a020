"""Class lists are read in the forms that course systems and spreadsheets write."""

from __future__ import annotations

import pytest

from helpers.grading.roster import read_roster

LIST = (
    "id,name,email\n0012345,김하늘,haneul@x.org\n1e3,José Álvarez,jose@x.org\n'=lee,Lee,l@x.org\n"
)


@pytest.mark.parametrize(
    "content",
    [
        LIST.encode(),
        b"\xef\xbb\xbf" + LIST.encode(),
        LIST.replace(",", ";").replace("\n", "\r\n").encode(),
        LIST.replace(",", "\t").encode("utf-16"),
        LIST.replace("José Álvarez", "Lee").encode("cp949"),
    ],
    ids=["UTF-8", "with a mark", "semicolons", "UTF-16", "cp949"],
)
def test_read_roster_takes_what_spreadsheets_write(tmp_path, content):
    path = tmp_path / "students.csv"
    path.write_bytes(content)
    roster = read_roster(path)
    assert roster.kind == "list"
    assert [person.name for person in roster.people][0] == "김하늘"
    assert [person.number for person in roster.people] == ["12345", "1e3", "=lee"]
    assert roster.people[0].row["id"] == "0012345"


def test_read_roster_knows_canvas_and_moodle(tmp_path):
    path = tmp_path / "students.csv"
    path.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section\n"
        '"    Points Possible",,,,\n"Lee, J",81,s,l,A\n"Student, Test",99,,,A\n'
    )
    roster = read_roster(path)
    assert roster.kind == "Canvas gradebook" and [p.key for p in roster.people] == ["81"]
    assert len(roster.above) == 2
    path.write_text("First name,Last name,Email address\nJane,Lee,j@x.org\n")
    roster = read_roster(path)
    assert roster.kind == "Moodle participants" and roster.people[0].name == "Jane Lee"
    path.write_text("Identifier,Full name,Grade\nParticipant 12,Jane Lee,\n")
    roster = read_roster(path)
    assert roster.kind == "Moodle worksheet" and roster.people[0].key == "12"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column"),
        (b"a,b\n1,2\n", "no column"),
        (b"id,name\n", "lists nobody"),
        (b"id,name\n1,a\n1,b\n", "lines 2 and 3"),
        (b"PK\x03\x04....", "not a CSV"),
    ],
)
def test_read_roster_says_what_is_wrong(tmp_path, content, words):
    path = tmp_path / "students.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_roster(path)


@pytest.mark.parametrize("name", ["Lee, Jane", "Jane Lee", "leejane", "LEE JANE", "Jane  Lee "])
def test_match_knows_spellings_of_a_name(tmp_path, name):
    path = tmp_path / "students.csv"
    path.write_text('id,name\n1,"Lee, Jane"\n2,"Lee, Janet"\n')
    person, how = read_roster(path).match("folder", "", name)
    assert person.key == "1" and how == "the only such name on the roster"
