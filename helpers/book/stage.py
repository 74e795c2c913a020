"""Turn the executed solutions, the glossary and the guides into the sources of the site."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from helpers.exercises import CHAPTERS, Exercise, exercises_of, find, slug

__all__ = ["Term", "glossary_terms", "stage"]

_HEADING = re.compile(r"^### Exercise (\d\.\d+) — ", re.M)
_STUB = re.compile(r"[ \t]*### STUB\n.*?(?=^[ \t]*### END SOLUTION$)", re.M | re.S)
_MARKER = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.M)
_HINT_TITLES = ("Hint 1: the idea", "Hint 2: the formula", "Hint 3: the shape of the code")
_TERM = re.compile(
    r"^#{2,3} (?P<english>.+)\n+\*\*(?P<korean>[^*]+)\*\* · \[chapter (?P<chapter>\d)\][^\n]*\n+"
    r"(?P<meaning>[^\n]+)\n+(?P<korean_meaning>[^\n]+)",
    re.M,
)
_GUIDES = Path(__file__).with_name("guides")
# Guides that are also read on GitHub; text in the folder of guides is appended to them.
_SHARED = {"INSTRUCTORS.md": "instructors/index.md", "CONTRIBUTING.md": "developers/index.md"}


@dataclass(frozen=True)
class Term:
    """An entry of the glossary, in both languages."""

    english: str
    korean: str
    chapter: int
    meaning: str
    korean_meaning: str

    @property
    def anchor(self) -> str:
        """The anchor of its heading: "mean-squared-error"."""
        return re.sub(r"[^\w\- ]", "", self.english.lower()).replace(" ", "-")


def glossary_terms(source: Path) -> Iterator[Term]:
    """Return the entries of the glossary among the staged sources."""
    text = (source / "chapters" / "glossary.md").read_text(encoding="utf-8")
    for found in _TERM.finditer(text):
        yield Term(**found.groupdict() | {"chapter": int(found["chapter"])})


def stage(root: Path, target: Path, repository: str = "") -> None:
    """Write the sources of the site into an empty folder.

    Args:
        root: The folder with `solutions/`, `chapters/` and `datasets/`.
        target: A folder to fill; its content is removed first.
        repository: Address of the public repository, such as "https://github.com/name/workbook";
            "" leaves out the buttons that need it.
    """
    shutil.rmtree(target, ignore_errors=True)
    chapters = target / "chapters"
    chapters.mkdir(parents=True)
    for number, chapter in enumerate(CHAPTERS, start=1):
        name = f"{number:02}_{chapter}"
        notebook = nbformat.read(root / "solutions" / f"{name}.ipynb", as_version=4)
        nbformat.write(_chapter(notebook, name, repository), chapters / f"{name}.ipynb")
        shutil.copy(root / "chapters" / f"{name}.ipynb", chapters / f"{name}.student.ipynb")
    glossary = (root / "chapters" / "glossary.md").read_text(encoding="utf-8")
    (chapters / "glossary.md").write_text(_with_headings_in_order(glossary), encoding="utf-8")
    shutil.copytree(_GUIDES, target, dirs_exist_ok=True)
    for name, place in _SHARED.items():
        text = (root / ".github" / name).read_text(encoding="utf-8")
        extra = target / place
        below = extra.read_text(encoding="utf-8") if extra.exists() else ""
        extra.parent.mkdir(exist_ok=True)
        extra.write_text(f"{text}\n{below}", encoding="utf-8")
    index = nbformat.read(root / "solutions" / "00_index.ipynb", as_version=4)
    (chapters / "map.md").write_text(_map(index), encoding="utf-8")


def _chapter(notebook: nbformat.NotebookNode, name: str, repository: str) -> nbformat.NotebookNode:
    """Return a solution in the book's form: without proof cells, hints and answers folded."""
    kept, current = [], None
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "proof" in tags:
            continue
        if cell.cell_type == "markdown":
            cell.source = _numbered(_linked(cell.source))
            if heading := _HEADING.search(cell.source):
                current = find(heading[1])
                kept += [cell, _hints(current)]
                continue
            if "answer" in tags:
                cell.source = _folded_words(cell.source, current)
        else:
            _describe_images(cell)
            if "### BEGIN SOLUTION" in cell.source:
                _fold_answer(cell)
        kept.append(cell)
    kept[0].source = _with_buttons(kept[0].source, name, repository)
    notebook.cells = kept
    return notebook


def _linked(text: str) -> str:
    return text.replace("](../chapters/", "](").replace("](00_index.ipynb", "](map.md")


def _numbered(text: str) -> str:
    """Return a text whose formulas of several lines may be numbered.

    Sphinx puts a formula with a line break into `split`, where MathJax refuses `\\tag`.
    """
    return re.sub(
        r"\$\$((?:(?!\$\$).)*\\\\(?:(?!\$\$).)*\\tag(?:(?!\$\$).)*)\$\$",
        r"\\begin{equation*}\n\1\n\\end{equation*}",
        text,
        flags=re.S,
    )


def _hints(exercise: Exercise) -> nbformat.NotebookNode:
    parts = [
        f":::{{dropdown}} {title}\n{_linked(hint)}\n:::"
        for title, hint in zip(_HINT_TITLES, exercise.hints, strict=True)
    ]
    return nbformat.v4.new_markdown_cell("\n\n".join(parts), id=f"hints-{slug(exercise.id)}")


def _folded_words(text: str, exercise: Exercise) -> str:
    answer = re.sub(r"^\*\*Answer [\d.]+\*\*\s*", "", text)
    rubric = "".join(
        f"\n- {points:g} {'point' if points == 1 else 'points'}: {criterion}"
        for points, criterion in exercise.rubric
    )
    return f":::{{dropdown}} A model answer\n{answer}\n\n**What earns the points**\n{rubric}\n:::"


def _fold_answer(cell: nbformat.NotebookNode) -> None:
    """Remove the markers from the released answer and fold it."""
    cell.source = _MARKER.sub("", _STUB.sub("", cell.source)).strip("\n")
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    cell.metadata["mystnb"] = {
        "code_prompt_show": "Show the released answer",
        "code_prompt_hide": "Hide the released answer",
    } | cell.metadata.get("mystnb", {})


def _describe_images(cell: nbformat.NotebookNode) -> None:
    """Use the text that a notebook stores with a cell's figures as alternative text."""
    words = [
        "".join(output.data.get("text/plain", ""))
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    for output in cell.get("outputs", []):
        if "image/png" in output.get("data", {}):
            output.data.pop("text/html", None)
    if words:
        alt = " ".join(words).replace("\n", " ")
        cell.metadata["mystnb"] = {"image": {"alt": alt, "classes": "figure"}}


def _with_buttons(text: str, name: str, repository: str) -> str:
    links = [f"{{download}}`Download the student's page <{name}.student.ipynb>`"]
    if repository:
        owner = repository.removeprefix("https://github.com/")
        colab = f"https://colab.research.google.com/github/{owner}/blob/main/chapters/{name}.ipynb"
        links = [
            f"[Open in Colab]({colab})",
            *links,
            f"[Edit the source]({repository}/edit/main/solutions/{name}.py)",
            f"[Report a mistake]({repository}/issues/new?title={name}:%20)",
        ]
    title, _, rest = text.partition("\n")
    return f"{title}\n\n:::{{container}} workbook-links\n{' · '.join(links)}\n:::\n{rest}"


def _with_headings_in_order(text: str) -> str:
    """Return the glossary with its terms one level below the title."""
    return re.sub(r"^### ", "## ", text, flags=re.M)


def _map(index: nbformat.NotebookNode) -> str:
    """Return the text of the index page, without the sections that need a kernel."""
    sections = [_linked(cell.source) for cell in index.cells if cell.cell_type == "markdown"]
    kept = [text for text in sections if not re.match(r"## Your (progress|computer)", text)]
    counts = "\n".join(
        f"| [{number}](0{number}_{chapter}.ipynb) | "
        + ", ".join(
            f"[{found.id}](0{number}_{chapter}.ipynb#{_anchor(found)})"
            for found in exercises_of(chapter)
        )
        + " |"
        for number, chapter in enumerate(CHAPTERS, start=1)
    )
    listed = f"## All exercises\n\n| Chapter | Exercises |\n| --- | --- |\n{counts}\n"
    kept[0] = re.sub(r"^# .*", "# Chapters", kept[0])
    pages = "\n".join(f"{number:02}_{chapter}" for number, chapter in enumerate(CHAPTERS, 1))
    return "\n\n".join([*kept, listed, f"```{{toctree}}\n:hidden:\n\n{pages}\n```\n"])


def _anchor(exercise: Exercise) -> str:
    """Return the anchor of an exercise's heading, as GitHub and Sphinx generate it."""
    source = f" (d2l {exercise.d2l})" if exercise.d2l else ""
    words = html.unescape(f"Exercise {exercise.id} — {exercise.title}{source}").lower()
    return re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", words)).replace(" ", "-")
