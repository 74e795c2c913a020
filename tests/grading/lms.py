"""Moodle's and Canvas's exports and imports, modelled on their source code.

It shares no code with `helpers.grading`, so that the two test each other.

Moodle (github.com/moodle/moodle): mod/assign/classes/downloader.php names the folders of the zip,
mod/assign/feedback/offline/importgradeslib.php and locallib.php read the grading worksheet,
mod/assign/feedback/file/importziplib.php reads the zip of feedback files.

Canvas (github.com/instructure/canvas-lms): lib/content_zipper.rb names the files of the zip,
lib/gradebook_exporter.rb and gradebook_importer.rb write and read the gradebook,
`infer_comment_context_from_filename` of the assignment reads the zip of feedback files.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

__all__ = [
    "CanvasImport",
    "MoodleImport",
    "Person",
    "canvas_export",
    "canvas_gradebook",
    "canvas_import",
    "moodle_export",
    "moodle_import",
    "moodle_worksheet",
]

_WORKSHEET = (
    "Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade",
    "Grade can be changed", "Last modified (submission)", "Last modified (grade)",
    "Feedback comments",
)  # fmt: skip
_DOWNLOADED = (2026, 3, 9, 8, 0, 0)  # the zip has the time of its download, not of the uploads


@dataclass(frozen=True)
class Person:
    """A student as a course system knows them.

    Attributes:
        number: Moodle's number of the participant, Canvas's of the user.
        first: First name.
        last: Last name, "" for none.
        email: Address, which is also the login.
        files: The uploaded files by name, in order; empty if they handed in nothing.
        submitted: When they last changed their submission.
        late: Whether that was after the due date.
    """

    number: int
    first: str
    last: str
    email: str
    files: dict[str, bytes]
    submitted: datetime | None = None
    late: bool = False

    @property
    def full(self) -> str:
        """The name as Moodle shows it."""
        return f"{self.first} {self.last}".strip()

    @property
    def sortable(self) -> str:
        """The name as Canvas sorts it."""
        return f"{self.last}, {self.first}" if self.last else self.first


def _zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DOWNLOADED), content)


def _csv(columns: tuple[str, ...], rows: list[dict], mark: str = "") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return mark + out.getvalue()


# Moodle


def moodle_export(path: Path, people: list[Person]) -> None:
    """Write the zip of "Download all submissions", in folders."""
    files = {}
    for person in people:
        prefix = _clean(f"{person.full.replace('_', ' ')}_{person.number}")
        for name, content in person.files.items():
            files[f"{prefix}_assignsubmission_file/{_clean(name)}"] = content
    _zip(path, files)


def _clean(name: str) -> str:
    """Return a name without the characters that Moodle's `clean_filename` removes."""
    return re.sub(r"[\x00-\x1f\x7f&<>\"`|':\\/]", "", name)


def moodle_worksheet(path: Path, people: list[Person], maximum: float) -> None:
    """Write the grading worksheet of an assignment, nothing graded yet."""
    rows = [
        {
            "Identifier": f"Participant {person.number}",
            "Full name": person.full,
            "Email address": person.email,
            "Status": "Submitted for grading - " if person.files else "No submission - ",
            "Maximum Grade": f"{maximum:.2f}",
            "Grade can be changed": "Yes",
            "Last modified (submission)": _moodle_time(person.submitted),
            "Last modified (grade)": "-",
        }
        for person in people
    ]
    path.write_text(_csv(_WORKSHEET, rows, "\ufeff"), encoding="utf-8")


def _moodle_time(when: datetime | None) -> str:
    return f"{when:%A}, {when.day} {when:%B %Y, %I:%M %p}" if when else "-"


@dataclass
class MoodleImport:
    """What Moodle has after the uploads, by participant's number."""

    grades: dict[int, float]
    comments: dict[int, str]
    files: dict[int, dict[str, bytes]]
    skipped: list[str]


def moodle_import(
    worksheet: Path, feedback: Path, people: list[Person], maximum: float
) -> MoodleImport:
    """Return what Moodle stores after the upload of the worksheet and the zip of feedback files.

    Raises:
        ValueError: If Moodle refuses the worksheet.
    """
    known = {person.number for person in people}
    found = MoodleImport({}, {}, {}, [])
    text = worksheet.read_text(encoding="utf-8").removeprefix("\ufeff")
    columns, *rows = list(csv.reader(io.StringIO(text, newline="")))
    needed = ("Identifier", "Grade", "Last modified (grade)")
    if not all(name in columns for name in needed):
        raise ValueError("invalidgradeimport")
    for row in (dict(zip(columns, values, strict=True)) for values in rows):
        number = int(row["Identifier"][len("Participant") :] or -1)
        if number not in known:
            found.skipped.append(row["Identifier"])
            continue
        if row["Grade"] != "" and 0 <= (grade := float(row["Grade"])) <= maximum:
            found.grades[number] = grade
        elif row["Grade"] != "":
            found.skipped.append(row["Identifier"])
        if row.get("Feedback comments"):
            found.comments[number] = row["Feedback comments"]
    with zipfile.ZipFile(feedback) as archive:
        for path in archive.namelist():
            number, name = _moodle_file(path, known)
            if number is None:
                found.skipped.append(path)
            else:
                found.files.setdefault(number, {})[name] = archive.read(path)
    return found


def _moodle_file(path: str, known: set[int]) -> tuple[int | None, str]:
    """Return number and name from "fullname_number_assignsubmission_file/name", or None and ""."""
    parts = path.split("/")
    if parts[-1].startswith((".", "~")):
        return None, ""
    while parts:
        info = parts.pop(0).split("_", 4)
        if len(info) < 4 or not info[1].isdigit() or int(info[1]) not in known:
            continue
        if (info[2], info[3]) != ("assignsubmission", "file"):
            continue
        return int(info[1]), "/".join(filter(None, [*info[4:], *parts]))
    return None, ""


# Canvas


def canvas_export(path: Path, people: list[Person], first_attachment: int = 90_000) -> None:
    """Write the zip of "Download submissions": one flat folder; later uploads have higher ids."""
    files = {}
    for person in people:
        name = re.sub(r"_(\d+)_", r"\1", person.sortable).lower()
        front = "_".join([name, *(["LATE"] if person.late else []), str(person.number)])
        front = "".join(c for c in front if _is_word(c))
        for uploaded, content in person.files.items():
            first_attachment += 7
            uploaded = re.sub(r'[\x00/\\:*?"<>|]+', "_", uploaded)
            files[f"{front}_{first_attachment}_{uploaded}"] = content
    _zip(path, files)


def _is_word(letter: str) -> bool:
    """Tell whether Ruby's [[:word:]] has a character."""
    return unicodedata.category(letter) in ("Nd", "Pc") or unicodedata.category(letter)[0] in "LM"


def canvas_gradebook(path: Path, people: list[Person], assignments: dict[str, float]) -> None:
    """Write the export of the gradebook, nothing graded yet.

    Args:
        path: The CSV.
        people: The class.
        assignments: Points of each assignment by title with id, such as "Perceptrons (101)".
    """
    groups = ("Assignments Current Points", "Assignments Final Points", "Final Score")
    columns = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", *assignments, *groups)
    rows = [
        dict.fromkeys(assignments, "Manual Posting"),
        {"Student": "    Points Possible", **assignments, **dict.fromkeys(groups, "(read only)")},
    ]
    for person in people:
        name = f'="{person.sortable}"' if person.sortable.startswith("=") else person.sortable
        row = {"Student": name, "ID": person.number, "SIS Login ID": person.email}
        rows.append(row | {"SIS User ID": f"00{person.number}", "Section": "Section 1"})
    rows.append({"Student": "Student, Test", "ID": 99, "Section": "Section 1"})
    path.write_text(_csv(columns, rows, "\ufeff"), encoding="utf-8")


@dataclass
class CanvasImport:
    """What Canvas has after the uploads: scores by user and assignment, comments by user."""

    scores: dict[int, dict[str, str]]
    new_assignments: list[str]
    files: dict[int, list[bytes]]
    skipped: list[str]


def canvas_import(
    gradebook: Path, feedback: Path, exported: Path, people: list[Person], assignments: list[str]
) -> CanvasImport:
    """Return what Canvas stores from the gradebook's import and "Upload submissions".

    Args:
        gradebook: The CSV to upload.
        feedback: The zip to upload.
        exported: The zip of submissions, which shows who uploaded each attachment.
        people: The class.
        assignments: Titles with ids that the course has.

    Raises:
        ValueError: If Canvas refuses the gradebook.
    """
    known = {person.number for person in people}
    found = CanvasImport({}, [], {}, [])
    text = gradebook.read_text(encoding="utf-8").removeprefix("\ufeff")
    columns, *rows = list(csv.reader(io.StringIO(text, newline="")))
    if not (len(columns) > 3 and "Student" in columns[0] and "ID" in columns[1]):
        raise ValueError("Invalid header row")
    own = 3
    if "SIS Login ID" in columns[2]:
        own = 4
    elif "SIS User ID" in columns[2] and "SIS Login ID" in columns[3]:
        own = 5
    if "Section" not in columns[own - 1]:
        raise ValueError("Invalid header row")
    totals = re.compile(r"(Current|Final|Override) (Score|Points|Grade|Status)")
    graded = [name for name in columns[own:] if not totals.search(name)]
    found.new_assignments = [name for name in graded if name not in assignments]
    for values in rows:
        row = dict(zip(columns, values, strict=True))
        if "Points Possible" in values[0]:
            continue
        if all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", value) for value in values):
            continue
        if int(row["ID"] or -1) not in known:
            found.skipped.append(row["Student"])
            continue
        scores = {name: row[name].strip() for name in graded}
        found.scores[int(row["ID"])] = {name: score for name, score in scores.items() if score}
    uploads = _attachments(exported, known)
    with zipfile.ZipFile(feedback) as archive:
        for name in archive.namelist():
            numbers = [int(part) for part in name.split("_") if re.fullmatch(r"\d+", part)][:2]
            if name.startswith("._") or tuple(numbers) not in uploads:
                found.skipped.append(name)
            else:
                found.files.setdefault(numbers[0], []).append(archive.read(name))
    return found


def _attachments(exported: Path, known: set[int]) -> set[tuple[int, int]]:
    """Return user and attachment of each file that Canvas exported."""
    with zipfile.ZipFile(exported) as archive:
        found = [re.search(r"_(\d+)_(\d{5,})_", name) for name in archive.namelist()]
    return {(int(m[1]), int(m[2])) for m in found if m and int(m[1]) in known}
