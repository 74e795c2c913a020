"""Read a class list from a course system, and match submissions with the people on it."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

__all__ = ["Person", "Roster", "read_roster"]

_MAX_BYTES = 32 * 2**20
_ENCODINGS = ("utf-8-sig", "cp949", "cp1252")
_COLUMNS = {
    "number": ("identifier", "id", "user id", "userid", "student id", "student_id", "번호"),
    "sis": ("id number", "idnumber", "sis user id", "student number", "matriculation", "학번"),
    "login": ("sis login id", "username", "login", "login id", "user name", "아이디"),
    "name": ("full name", "student", "name", "student name", "display name", "이름", "성명"),
    "first": ("first name", "firstname", "given name"),
    "last": ("last name", "lastname", "surname", "family name", "성"),
    "email": ("email address", "email", "e-mail", "e-mail address", "이메일", "이메일 주소"),
    "submitted": ("last modified (submission)", "submitted"),
}
_TIMES = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")


@dataclass(frozen=True)
class Person:
    """One person of a class list.

    Attributes:
        key: Key of the results: the first of number, sis, login, email, name that is known.
        name: Name as the list shows it.
        email: "" if the list has none.
        number: The course system's number (Moodle's participant, Canvas's ID).
        sis: The school's number.
        login: Name the person logs in with.
        submitted: Submission time according to the course system, ISO 8601, "" if unknown.
        row: The columns of the list, as read.
    """

    key: str
    name: str
    email: str = ""
    number: str = ""
    sis: str = ""
    login: str = ""
    submitted: str = ""
    row: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Roster:
    """A class list.

    Attributes:
        kind: "Moodle worksheet", "Moodle participants", "Canvas gradebook" or "list".
        people: Everyone on it, in its order.
        columns: Its columns, in order.
        above: Rows that are not people, such as Canvas's "Points Possible".
    """

    kind: str
    people: list[Person]
    columns: list[str] = field(default_factory=list)
    above: list[dict[str, str]] = field(default_factory=list)

    @cached_property
    def keys(self) -> dict[str, Person]:
        """Everyone by key."""
        return {person.key: person for person in self.people}

    def submitted(self, key: str) -> str:
        """Return a person's submission time from the list, "" if unknown."""
        person = self.keys.get(key)
        return person.submitted if person else ""

    def match(self, layout: str, number: str, name: str) -> tuple[Person | None, str]:
        """Return the person whom a course system's number or name refers to, and how it matched.

        Args:
            layout: "Moodle", "Canvas", "folder" or "file".
            number: The course system's number, "" if there is none.
            name: The name next to it.
        """
        same_system = number and (self.kind == "list" or self.kind.startswith(layout))
        if same_system and any(person.number for person in self.people):
            found = [person for person in self.people if person.number == number]
            if found and (self.kind != "list" or _alike(found[0].name, name)):
                if not _may_be(found[0].name, name):
                    return None, f"the roster has {found[0].name} under this number: kept apart"
                return found[0], "number on the roster"
            if self.kind in ("Moodle worksheet", "Canvas gradebook"):
                return None, "number not on the roster"
        if not number:
            exact = unicodedata.normalize("NFC", name).strip().casefold()
            found = [person for person in self.people if exact in _handles(person)]
            if len(found) == 1:
                return found[0], "id, login or address on the roster"
        found = [person for person in self.people if _alike(person.name, name)]
        if len(found) == 1:
            return found[0], "the only such name on the roster"
        if found:
            return None, f"{len(found)} people on the roster have this name"
        return None, "not on the roster"

    def has(self, layout: str, number: str, name: str) -> bool:
        """Return whether someone has this number of a course system and this name."""
        if self.kind != "list" and not self.kind.startswith(layout):
            return False
        return any(p.number == number and _alike(p.name, name) for p in self.people)


def read_roster(path: Path) -> Roster:
    """Read a class list from a CSV of Moodle or Canvas, or with columns id, name and email.

    Raises:
        ValueError: If it cannot be read, lists nobody, or has an id twice.
    """
    rows, columns = _rows(Path(path))
    places = {known: column for column in columns if (known := _known(column))}
    if not {"number", "sis", "login", "name", "first", "email"} & set(places):
        raise ValueError(
            f"{path} has no column that identifies students: it needs id, name or email, or the "
            f"columns of Moodle or Canvas. Its columns are {', '.join(columns)[:300]}."
        )
    kind = _kind(columns, rows, places)
    people, above, seen = [], [], {}
    for line, row in enumerate(rows, start=2):
        person = _person(row, places)
        if person is None:
            above.append(row)
            continue
        if person.key in seen:
            raise ValueError(
                f"{path}: lines {seen[person.key]} and {line} have the same id, {person.key!r}. "
                "Each person needs a different id."
            )
        seen[person.key] = line
        people.append(person)
    if not people:
        raise ValueError(f"{path} lists nobody.")
    return Roster(kind, people, columns, above)


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _MAX_BYTES or content[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise ValueError(f"{path} is not a CSV. Export the class list as CSV.")
    text = _text(content)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [{k: (v or "") for k, v in row.items() if isinstance(k, str)} for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV: {error}.") from error
    return rows, [column for column in (reader.fieldnames or []) if column is not None]


def _text(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", errors="replace")


def _known(column: str) -> str:
    plain = re.sub(r"\s+", " ", column.strip().lower())
    return next((known for known, names in _COLUMNS.items() if plain in names), "")


def _kind(columns: list[str], rows: list[dict], places: dict[str, str]) -> str:
    if "Identifier" in columns and any("Participant" in row["Identifier"] for row in rows[:5]):
        return "Moodle worksheet"
    of_canvas = {"ID", "Section"} <= set(columns)
    if of_canvas and ("Student" in columns or {"LastName", "FirstName"} <= set(columns)):
        return "Canvas gradebook"
    if "first" in places and "last" in places and "number" not in places:
        return "Moodle participants"
    return "list"


def _person(row: dict[str, str], places: dict[str, str]) -> Person | None:
    def cell(known: str) -> str:
        text = row.get(places[known], "") if known in places else ""
        text = unicodedata.normalize("NFC", text).replace("\0", "").strip()[:200]
        return text[1:] if re.match(r"'[=+\-@0-9]", text) else text

    name = cell("name") or f"{cell('first')} {cell('last')}".strip()
    if quoted := re.fullmatch(r'="(.*)"', name):  # Canvas's guard for a name such as "=lee"
        name = quoted[1]
    if name.lower() in ("points possible", "student, test", "test student"):
        return None
    digits = re.fullmatch(r"(?:\D*\s)?0*(\d+)(?:\.0+)?", cell("number"))
    number = digits[1] if digits and places.get("number", "").lower() in ("identifier", "id") else (
        cell("number")
    )  # fmt: skip
    handles = (number, cell("sis"), cell("login"), cell("email"), name)
    key = next((handle for handle in handles if handle), "")
    if not key:
        return None
    return Person(
        key, name, cell("email"), number, cell("sis"), cell("login"), _time(cell("submitted")), row
    )


def _time(text: str) -> str:
    for form in _TIMES:
        try:
            return datetime.strptime(text, form).isoformat()
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def _handles(person: Person) -> set[str]:
    email = person.email.casefold()
    listed = {person.key, person.number, person.sis, person.login, email, email.partition("@")[0]}
    return {handle.casefold() for handle in listed if handle}


def _alike(listed: str, name: str) -> bool:
    """Return whether two spellings are one name: "Lee, Jane", "Jane Lee" and Canvas's "leejane"."""
    first, second = _words(listed), _words(name)
    if not first or not second:
        return False
    if sorted(first) == sorted(second):
        return True
    squeezed = "".join(second)
    last, comma, given = listed.partition(",")
    orders = ["".join(first)]
    orders += ["".join(_words(given) + _words(last))] if comma else (
        ["".join(first[-1:] + first[:-1])]
    )  # fmt: skip
    return squeezed in orders


def _may_be(listed: str, name: str) -> bool:
    """Return whether a name next to a course system's number can be the listed one.

    The systems omit characters in the names of files, and Moodle puts a group's name in front.
    """
    first, second = _words(listed), _words(name)
    if not first or not second or set(first) & set(second) or second[0] == "participant":
        return True
    shorter, longer = sorted(("".join(first), "".join(second)), key=len)
    return shorter in longer or _alike(listed, name)


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.findall(r"[^\W_]+", plain)
