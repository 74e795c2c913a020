"""Grade a class of three with the commands of the instructors' guide and keep what they print.

`python -m helpers.book.walkthrough` (Linux with bubblewrap) writes the files that the guide shows.
"""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat

from helpers.authoring import ROOT
from helpers.exercises import exercises_of, released_answer, slug

__all__ = ["OUTPUTS", "STEPS", "main"]

OUTPUTS = Path(__file__).parent / "guides" / "instructors" / "outputs"
# What is typed at each step, by the name of the file with what it printed.
STEPS = {
    "grade": "workbook grade export.zip --roster class.csv --out results --seed 1 --processes 2",
    "results": "ls results results/feedback results/lms",
    "gradebook": "cat results/gradebook.csv",
    "explanations": "cut -c 1-110 results/explanations.csv",
    "mark": "workbook mark results",
    "again": "workbook grade export.zip --roster class.csv --out results --again --processes 2",
    "moodle": "cat results/lms/moodle-grades.csv",
}
_PAGE = "01_perceptrons"
_CLASS = (("1001", "Kim Minji"), ("1002", "Ada Example"), ("1003", "Lee Jun"))
_EXPLANATION = (
    "Both pairs of opposite corners have the midpoint (1/2, 1/2), so it would lie on both sides of "
    "the line. A second layer sees the answers of two lines, where one more line is enough."
)


def main(folder: Path = OUTPUTS) -> int:
    """Run every step in a folder of its own and write what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        _write_class(work)
        _write_export(work / "export.zip")
        for name, typed in STEPS.items():
            if name == "mark":
                _enter_marks(work / "results" / "explanations.csv")
            (folder / f"{name}.txt").write_text(
                f"$ {typed}\n{_printed(typed, work)}", encoding="utf-8"
            )
            print(f"{name}: {typed}")
    return 0


def _printed(typed: str, work: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    typed = typed.replace("workbook ", f"{shlex.quote(sys.executable)} -m helpers ", 1)
    done = subprocess.run(
        typed,
        shell=True,
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    lines = done.stdout.replace(str(work), "~/course").replace("\ufeff", "").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip() + "\n"


def _write_class(work: Path) -> None:
    """Write Moodle's worksheet of the class."""
    columns = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade"]
    columns += ["Grade can be changed", "Last modified (submission)", "Last modified (grade)"]
    with (work / "class.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*columns, "Feedback comments"])
        for number, name in _CLASS:
            mail = f"{name.split()[0].lower()}@example.org"
            when = "Monday, 2 March 2026, 9:30 AM"
            status = "Submitted for grading"
            row = [f"Participant {number}", name, mail, status, "", "25.00", "Yes", when, "-", ""]
            table.writerow(row)


def _write_export(path: Path) -> None:
    """Write the submissions as Moodle's zip has them: all right, half done, and not a notebook."""
    page = nbformat.read(ROOT / "chapters" / f"{_PAGE}.ipynb", as_version=4)
    with zipfile.ZipFile(path, "w") as export:
        for (number, name), share in zip(_CLASS, (1.0, 0.5, None), strict=True):
            inside = f"{name}_{number}_assignsubmission_file_/{_PAGE}.ipynb"
            text = "{" if share is None else nbformat.writes(_answered(page, share))
            export.writestr(inside, text)


def _answered(page: nbformat.NotebookNode, share: float) -> nbformat.NotebookNode:
    """Return the student's page with the released answers in the first exercises."""
    page = nbformat.from_dict(page)
    listed = exercises_of("perceptrons")
    answers = {
        f"answer-{slug(found.id)}": released_answer(found.id) or _EXPLANATION
        for found in listed[: round(share * len(listed))]
    }
    for cell in page.cells:
        given = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if given in answers:
            cell.source = answers[given]
    return page


def _enter_marks(path: Path) -> None:
    """Fill in the column of points, as a person does in a spreadsheet."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, points in zip(rows, ("2", "1"), strict=False):
        row["points"] = points
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
