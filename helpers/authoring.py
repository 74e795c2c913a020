"""Derive the executed solution, the student's page and its paired script from one source."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from helpers import files
from helpers.exercises import Exercise, find, slug

__all__ = [
    "Page",
    "ROOT",
    "SourceError",
    "derive",
    "execute",
    "nbgrader_metadata",
    "out_of_step",
    "pages",
    "solution_notebook",
    "student_notebook",
]

ROOT = Path(__file__).resolve().parent.parent
_BEGIN, _STUB, _END = "### BEGIN SOLUTION", "### STUB", "### END SOLUTION"
_LOOKS_LIKE_MARKER = re.compile(
    r"\s*#+\s*(begin|end|stub)\b.{0,20}$|.*\b(BEGIN|END) ?SOLUTION", re.I
)
_CHECK = re.compile(r'^check\("([^"]+)"', re.M)
_HEADING = re.compile(r"^### Exercise (\S+) — ", re.M)
_METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


_FETCH = """\
# On Colab and Kaggle, this downloads the workbook. If it is installed, nothing happens.
# On Kaggle, first turn on internet access in the notebook's settings.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("helpers") is None:
    folder = os.path.abspath("workbook")
    if not os.path.isdir(folder):
        address = "{address}"
        subprocess.run(["git", "clone", "--quiet", "--depth=1", address, folder], check=True)
    sys.path.insert(0, folder)"""


class SourceError(ValueError):
    """A page's source cannot be derived; the message names the place and what to change."""


@dataclass(frozen=True)
class Page:
    """The files of one page.

    Attributes:
        name: For example "06_dropout".
        root: The folder that holds `solutions/` and `chapters/`.
    """

    name: str
    root: Path = ROOT

    @property
    def source(self) -> Path:
        return self.root / "solutions" / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / f"{self.name}.ipynb"

    @property
    def student_source(self) -> Path:
        return self.root / "chapters" / f"{self.name}.py"

    @property
    def student(self) -> Path:
        return self.root / "chapters" / f"{self.name}.ipynb"


def pages(wanted: list[str] | None = None, root: Path = ROOT) -> list[Page]:
    """Return the pages whose names start with one of `wanted`, or all.

    Raises:
        ValueError: If a wanted name matches no page.
    """
    found = [Page(path.stem, root) for path in sorted((root / "solutions").glob("[0-9]*.py"))]
    for start in wanted or []:
        if not any(page.name.startswith(start) for page in found):
            names = ", ".join(page.name for page in found)
            raise ValueError(f"No page of solutions/ starts with {start!r}; there are {names}.")
    return [page for page in found if not wanted or page.name.startswith(tuple(wanted))]


def solution_notebook(source: str, name: str) -> nbformat.NotebookNode:
    """Return the source as a notebook without outputs, each cell with an id made from its text."""
    notebook = jupytext.reads(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        text = f"{name}\n{cell.cell_type}\n{cell.source}"
        seen[text] += 1
        cell.id = hashlib.sha256(f"{text}\n{seen[text]}".encode()).hexdigest()[:12]
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def student_notebook(solution: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """Return the student's page: answers become stubs, proofs are removed, nbgrader metadata added.

    Raises:
        SourceError: If a marker is misspelt, unclosed or misplaced, or an exercise is unknown.
    """
    page = copy.deepcopy(solution)
    kept, current, grade_ids = [], None, Counter()
    for cell in page.cells:
        tags = cell.metadata.pop("tags", [])
        if "proof" in tags:
            if _HEADING.search(cell.source) or _BEGIN in cell.source:
                raise SourceError(f"{name}: a proof cell contains an exercise or an answer.")
            continue
        if cell.cell_type == "markdown":
            # Links out of JupyterLab's root folder do not work, so a student's links stay inside.
            cell.source = cell.source.replace("](../chapters/", "](")
        if heading := (cell.cell_type == "markdown" and _HEADING.search(cell.source)):
            current = _exercise(heading[1], name)
        if "answer" in tags:
            _blank_words(cell, current, name)
        elif cell.cell_type == "code":
            cell.source, has_answer = _split(cell.source, current, name)
            checked = _CHECK.findall(cell.source)
            if checked:
                _mark_check(cell, checked, name)
            elif has_answer:
                _mark_answer(cell, current, name)
            cell.outputs, cell.execution_count = [], None
        if grade := cell.metadata.get("nbgrader"):
            grade_ids[grade["grade_id"]] += 1
            if grade_ids[grade["grade_id"]] > 1:
                grade["grade_id"] += f"-{grade_ids[grade['grade_id']]}"
        kept.append(cell)
    page.cells = kept
    return page


def _exercise(id: str, name: str) -> Exercise:
    try:
        return find(id)
    except ValueError as error:
        raise SourceError(f"{name}: {error}") from None


def _split(source: str, current: Exercise | None, name: str) -> tuple[str, bool]:
    """Return the cell with each answer region replaced by its stub, and whether it had one."""
    lines, region, stub, indent = [], None, None, ""
    found = False
    for line in source.splitlines():
        word = line.strip()
        where = f"{name}, exercise {current.id if current else '(none)'}, line {line!r}"
        if word == _BEGIN:
            if region is not None or current is None:
                raise SourceError(f"{where}: opens inside another answer or before any exercise.")
            region, stub, found = [], None, True
            indent = line[: len(line) - len(line.lstrip())]
        elif word == _STUB:
            if region is None or stub is not None:
                raise SourceError(f"{where}: {_STUB} must occur once, inside an answer.")
            stub = []
        elif word == _END:
            if region is None:
                raise SourceError(f"{where}: closes an answer that was not opened.")
            lines += stub or [f'{indent}raise NotImplementedError("Exercise {current.id}")']
            region = stub = None
        elif _LOOKS_LIKE_MARKER.match(line):
            raise SourceError(f"{where}: misspelt marker; write {_BEGIN}, {_STUB} or {_END}.")
        elif stub is not None:
            if not word.startswith("#"):
                raise SourceError(f"{where}: every line of a stub must be a comment.")
            stub.append(re.sub(r"# ?", "", line, count=1))
        elif region is not None:
            region.append(line)
        else:
            lines.append(line)
    if region is not None:
        raise SourceError(f"{name}, exercise {current.id}: {_BEGIN} without {_END}.")
    return "\n".join(lines), found


def _blank_words(cell, current: Exercise | None, name: str) -> None:
    start = f"**Answer {current.id if current else '?'}.**"
    if current is None or current.kind != "T" or not cell.source.startswith(start):
        raise SourceError(
            f"{name}: the explanation {cell.source[:40]!r} must start with {start!r}."
        )
    cell.source = f"{start} *Write your answer here.*"
    cell.metadata["nbgrader"] = nbgrader_metadata(
        f"answer-{slug(current.id)}", True, True, current.points
    )


def _mark_check(cell, checked: list[str], name: str) -> None:
    exercise = _exercise(checked[0], name)
    if len(checked) > 1 or _BEGIN in cell.source:
        raise SourceError(f"{name}: the check of {exercise.id} must be alone in its cell.")
    cell.metadata["nbgrader"] = nbgrader_metadata(
        f"check-{slug(exercise.id)}", True, False, exercise.points
    )


def _mark_answer(cell, current: Exercise, name: str) -> None:
    cell.metadata["nbgrader"] = nbgrader_metadata(f"answer-{slug(current.id)}", False, True)


def nbgrader_metadata(
    grade_id: str, grade: bool, solution: bool, points: int | None = None
) -> dict[str, Any]:
    """Return nbgrader's metadata of a cell.

    Args:
        grade_id: The cell's name in nbgrader.
        grade: Whether the cell gives points.
        solution: Whether a student writes in it.
        points: Its maximum points.
    """
    metadata = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade and not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return nbformat.from_dict(metadata | ({"points": points} if points is not None else {}))


def derive(page: Page) -> dict[Path, str]:
    """Return the text of the three derived files; stored outputs of unchanged cells are kept.

    Raises:
        SourceError: If the source cannot be derived.
    """
    solution = solution_notebook(page.source.read_text(encoding="utf-8"), page.name)
    student = student_notebook(solution, page.name)
    if page.solution.exists():
        stored = {cell.id: cell for cell in nbformat.read(page.solution, as_version=4).cells}
        for cell in solution.cells:
            if cell.cell_type == "code" and cell.id in stored:
                cell.outputs = stored[cell.id].outputs
                cell.execution_count = stored[cell.id].execution_count
    return _texts(page, solution, student)


def repository(root: Path = ROOT) -> str:
    """Return the address of this course in pyproject.toml, "" if it has none."""
    try:
        settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return settings.get("tool", {}).get("workbook", {}).get("repository", "").rstrip("/")


def _openable_elsewhere(student, name: str, address: str) -> None:
    """Add links to Colab and Kaggle and a cell that downloads the workbook to a page."""
    first = student.cells[0]
    if github := re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?", address):
        file = f"{github[1]}/blob/main/chapters/{name}.ipynb"
        first.source += (
            f"\n\nOpen this page in [Colab](https://colab.research.google.com/github/{file}) or in "
            f"[Kaggle](https://kaggle.com/kernels/welcome?src=https://github.com/{file})."
        )
    cell = nbformat.v4.new_code_cell(_FETCH.format(address=address))
    cell.id = hashlib.sha256(f"{name}\nfetch".encode()).hexdigest()[:12]
    student.cells.insert(1, cell)


def _texts(page: Page, solution, student) -> dict[Path, str]:
    if address := repository(page.root):
        _openable_elsewhere(student, page.name, address)
    paired = copy.deepcopy(student)
    for cell in paired.cells:
        cell.metadata = nbformat.from_dict({})
    paired.metadata = nbformat.from_dict({"kernelspec": dict(_METADATA["kernelspec"])})
    return {
        page.solution: nbformat.writes(solution) + "\n",
        page.student_source: _without_version(jupytext.writes(paired, fmt="py:percent")),
        page.student: nbformat.writes(student) + "\n",
    }


def _without_version(text: str) -> str:
    """Drop the header's format and version lines, which change with every jupytext release."""
    return re.sub(r"(?m)^#   jupytext:\n(#     .*\n)+", "", text, count=1)


def execute(page: Page) -> float:
    """Derive a page, run its solution in a fresh kernel and write all three files.

    Returns:
        Execution time (seconds).

    Raises:
        SourceError: If a cell raises, writes to stderr, or a check is not correct. No file
            is written then.
    """
    import time

    import nbclient

    solution = solution_notebook(page.source.read_text(encoding="utf-8"), page.name)
    student = student_notebook(solution, page.name)
    client = nbclient.NotebookClient(
        solution, timeout=600, resources={"metadata": {"path": str(page.source.parent)}}
    )
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as state:
        try:
            client.execute(
                env={"WORKBOOK_OFFLINE": "1"}
                | os.environ
                | {"WORKBOOK_QUIET": "1", "WORKBOOK_STATE": state}
            )
        except nbclient.exceptions.CellExecutionError as error:
            raise SourceError(f"{page.name}: a cell failed.\n{error}") from None
    seconds = time.perf_counter() - start
    for cell in solution.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
            _refuse_bad_outputs(cell, page.name)
    solution.metadata = nbformat.from_dict(_METADATA)
    for path, text in _texts(page, solution, student).items():
        files.write_text(path, text)
    return seconds


def _joined(outputs: list) -> list:
    """Return the outputs with consecutive pieces of the same stream joined."""
    joined: list = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _refuse_bad_outputs(cell, name: str) -> None:
    shown = ""
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            raise SourceError(f"{name}: a cell writes to stderr: {output.text[:500]!r}")
        shown += output.get("data", {}).get("text/plain", "")
    if _CHECK.match(cell.source) and not shown.startswith("✓"):
        raise SourceError(f"{name}: the released answer is not correct: {shown}")


def out_of_step(page: Page) -> list[Path]:
    """Return the derived files that differ from what the source gives."""
    return [
        path
        for path, text in derive(page).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
