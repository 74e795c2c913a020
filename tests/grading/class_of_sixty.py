"""A realistic class: 60 students, two pages, and the points that each student should get."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

from helpers.exercises import Exercise
from tests.grading import course, hostile, pages, real_pages
from tests.grading.archives import packed
from tests.grading.lms import Person
from tests.grading.pages import code_cell, dump

ROOT = Path(__file__).resolve().parents[2]
DUE = datetime(2026, 3, 1, 23, 59)
PER_DAY = 0.1
# Explanations, and the criteria of the rubric that each of them meets.
WORDS = {
    "It draws the corners and says why they cross.": (0, 1),
    "It draws the corners.": (0,),
    "No idea.": (),
}
_LATIN = (
    ("José", "Álvarez"), ("Zoë", "O'Brien"), ("Ana", "de la Cruz"), ("Łukasz", "Żółć"),
    ("=1+1", "Lee"), ("Kim_5", ""), ("Kim", "(4711)"), ("<b>Bold</b>", "Smith"), ("Jane", "Lee"),
    ("J.-P.", "d'Arc"), ("Nguyễn", "Thị Minh"), ("Søren", "Åberg"), ("anna", "Lee"),
    ("Anna", "Lee"), ("Max", "Mustermann-Groß"), ("Iñaki", "Ibáñez"), ("Lee Jane", ""),
    ("Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Long"),
)  # fmt: skip
_HANGUL = ("민수 김", "하늘 김", "지우 이", "서연 박", "도윤 최", "예은 정", "민수 김", "시우 강",
           "하준 조", "수아 윤", "지호 장", "유나 임")  # fmt: skip
_HAN = ("伟 王", "芳 李", "秀英 张", "洋 刘", "静 陈", "太郎 山田", "花子 佐藤", "美咲 鈴木")
_CYRILLIC = ("Анна Иванова", "Дмитрий Смирнов", "Ольга Кузнецова", "Іван Франко", "Ёлка Ёжикова",
             "Сергей Попов", "Мария Васильева")  # fmt: skip
_OTHERS = ("محمد علي", "فاطمة الزهراء", "प्रिया शर्मा", "अर्जुन सिंह", "Ελένη Παπαδοπούλου",
           "Γιώργος Νικολάου", "דוד כהן", "สมชาย ใจดี")  # fmt: skip


@dataclass
class Student:
    """One student: what they hand in, and the points they should get.

    Attributes:
        person: Their data in the course system.
        kind: "plain", "odd", "hostile", "broken" or "missing".
        points: Points of each checked exercise that was handed in.
        words: The explanation of each exercise in words.
        again: What they hand in after the first grading, None for nothing.
    """

    person: Person
    kind: str = "plain"
    points: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    again: Student | None = None

    @property
    def days(self) -> int:
        """Days after the due date, rounded up."""
        late = (self.person.submitted or DUE) - DUE
        return max(0, -(-late // timedelta(days=1)))

    def total(self, marks: dict[str, float], chapter_ids: set[str]) -> float:
        """Return the points of some exercises with the given marks, before any deduction."""
        own = self.points | {id: marks.get(id, 0.0) for id in self.words}
        return sum(points for id, points in own.items() if id in chapter_ids)


@dataclass(frozen=True)
class Source:
    """Where the pages of the class come from.

    Attributes:
        module: The course.
        chapters: Chapters that the class hands in; only some students hand in the second.
        filled: Returns the cells of a page, given the exercises left blank and the words.
    """

    module: ModuleType
    chapters: tuple[str, ...]
    filled: Callable[[str, set[str], dict[str, str]], list[dict]]

    def exercises(self, chapter: str) -> list[Exercise]:
        """Return a chapter's exercises."""
        return self.module.exercises_of(chapter)

    def file(self, chapter: str) -> str:
        """Return the file name of a page."""
        return f"{list(self.module.CHAPTERS).index(chapter) + 1:02d}_{chapter}.ipynb"


def real_source() -> Source:
    """Return pages 1 and 3 of the workbook."""
    from helpers import exercises

    return Source(exercises, ("perceptrons", "backpropagation"), _filled_page)


def small_source() -> Source:
    """Return one page of the small course of the grading tests."""
    return Source(course, ("perceptrons",), _filled_small)


def _filled_page(chapter: str, blank: set[str], words: dict[str, str]) -> list[dict]:
    """Return a page of `chapters/` with the released answers in its answer cells."""
    (path,) = (ROOT / "chapters").glob(f"0?_{chapter}.ipynb")
    solved = json.loads((ROOT / "solutions" / path.name).read_text(encoding="utf-8"))["cells"]
    answers = {cell["id"]: "".join(cell["source"]) for cell in solved}
    page = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        cell = {**cell, "source": "".join(cell["source"])}
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        id = ".".join(grade_id.split("-")[1:3])
        if grade_id.startswith("answer-") and cell["cell_type"] == "markdown":
            cell["source"] = f"**Answer {id}.** {words.get(id, '*Write your answer here.*')}"
        elif grade_id.startswith("answer-") and id not in blank:
            cell["source"] = _without_marks(answers[cell["id"]])
        page.append(cell)
    return page


def _without_marks(source: str) -> str:
    """Return a released answer without the marks around it and the stub below it."""
    kept, is_stub = [], False
    for line in source.split("\n"):
        if line.strip().startswith("###"):
            is_stub = "STUB" in line
        elif not is_stub:
            kept.append(line)
    return "\n".join(kept)


def _filled_small(chapter: str, blank: set[str], words: dict[str, str]) -> list[dict]:
    cells = pages.cells(dict.fromkeys(blank))
    for cell in cells:
        if cell["cell_type"] == "markdown" and cell["source"].startswith("**Answer 1.4.**"):
            cell["source"] = f"**Answer 1.4.** {words.get('1.4', '*Write your answer here.*')}"
    return cells


def make_class(source: Source, size: int = 60, each: int = 10) -> list[Student]:
    """Return the class: the first students are odd, then hostile, then broken, the rest plain.

    Args:
        source: Where the pages come from.
        size: Students who hand something in; three more hand in nothing.
        each: Number of odd and of hostile students; half as many have broken files.
    """
    odd = _odd_kinds()
    attacks = list(hostile.BODIES.items())
    broken = _broken_files()
    students = []
    for number, (first, last) in enumerate(_names(size + 3)):
        person = Person(
            4000 + 37 * number, first, last, f"s{number:03d}@school.example", {}, None, False
        )
        if number >= size:
            students.append(Student(person, "missing"))
            continue
        # Spread each kind over the class list, so that it has names in several scripts.
        rank = number * 7 % size
        when = DUE - timedelta(hours=1 + rank)
        if rank % 11 == 4:
            when = DUE + timedelta(days=rank % 3, hours=5)
        person = replace(person, submitted=when, late=when > DUE)
        if rank < each:
            students.append(_page_student(source, person, "odd", rank, odd[rank % len(odd)]))
        elif rank < 2 * each:
            body = attacks[rank % len(attacks)][1]
            students.append(_page_student(source, person, "hostile", rank, attack=body))
        elif rank < 2 * each + each // 2:
            name, content = broken[rank % len(broken)]
            name = name.replace("PAGE", source.file(source.chapters[0]))
            students.append(Student(replace(person, files={name: content}), "broken"))
        else:
            student = _page_student(source, person, "plain", rank)
            if size - rank <= 3:
                student = _handed_in_again(source, student, rank)
            students.append(student)
    return students


def _names(count: int) -> list[tuple[str, str]]:
    listed = list(_LATIN)
    for group in (_HANGUL, _HAN, _CYRILLIC, _OTHERS):
        listed += [tuple(name.split(" ", 1)) for name in group]
    # First the two equal names and the odd names, then the scripts in turn, then the others.
    first = ("민수", "=1+1", "Kim_5", "Kim", "<b>Bold</b>")
    early = [place for place, name in enumerate(listed) if name[0] in first]
    order = [*early, *sorted(set(range(len(listed))) - set(early), key=lambda k: (k % 9, k))]
    others = [("Student", f"Number {number}") for number in range(count)]
    return [*(listed[place] for place in order), *others][:count]


def _page_student(
    source: Source,
    person: Person,
    kind: str,
    rank: int,
    change: Callable | None = None,
    attack: str = "",
) -> Student:
    """Return a student with the pages they hand in and the points they should get."""
    student = Student(person, kind)
    chapters = source.chapters if rank % 5 == 0 else source.chapters[:1]
    for chapter in chapters:
        listed = source.exercises(chapter)
        checked = [e for e in listed if e.check is not None]
        blank = set()
        if kind == "plain":
            blank = {e.id for place, e in enumerate(checked) if (place + rank) % 6 == 0}
            blank = {e.id for e in checked} if rank % 13 == 0 else blank
        own = list(WORDS)[rank % 3]
        texts = {e.id: own for e in listed if e.kind == "T"}
        cells = source.filled(chapter, blank, texts)
        lost = set(blank)
        if attack and chapter == chapters[0]:
            first = next(e for e in checked if e.kind == "C")
            cells, lost = _attacked(cells, first, attack), {first.id}
        content = change(cells, listed) if change else dump(cells)
        person.files[source.file(chapter)] = content
        student.points |= {e.id: 0.0 if e.id in lost else float(e.points) for e in checked}
        student.words |= texts
    return student


def _handed_in_again(source: Source, student: Student, rank: int) -> Student:
    """Return a student who improves the page and its explanations after the first grading."""
    person = replace(student.person, files=dict(student.person.files))
    listed = source.exercises(source.chapters[0])
    texts = {e.id: "It draws the corners." for e in listed if e.kind == "T"}
    name = source.file(source.chapters[0])
    old = person.files.pop(name)
    # The old file stays next to the new one, which the browser named "... (1)".
    person.files[name] = old
    better = name.replace(".ipynb", " (1).ipynb")
    person.files[better] = dump(source.filled(source.chapters[0], set(), texts))
    checked = {e.id: float(e.points) for e in listed if e.check is not None}
    again = Student(person, student.kind, student.points | checked, student.words | texts)
    return replace(student, again=again)


def _attacked(cells: list[dict], exercise: Exercise, body: str) -> list[dict]:
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    attack = "\n\n".join(f"def {name}(*args, **kwargs):\n{lines}" for name in exercise.names)
    changed = []
    for cell in cells:
        if cell["cell_type"] == "code" and cell["source"].startswith(f'check("{exercise.id}"'):
            changed.append(code_cell(attack))
        changed.append(cell)
    return changed


def _odd_kinds() -> list[Callable]:
    found = real_pages.kinds()
    names = (
        "check cells deleted", "check cells at the end", "every cell twice", "nbformat 3",
        "magics and Colab lines in every answer", "timed answers", "UTF-16", "nothing but cells",
        "files saved by Colab", "Windows line ends and a byte order mark",
    )  # fmt: skip
    return [lambda cells, listed, kind=found[name]: kind(cells, listed)[0] for name in names]


def _broken_files() -> list[tuple[str, bytes]]:
    whole = dump(pages.cells())
    bomb = packed({"01_perceptrons.ipynb": bytes(60 * 2**20)})
    return [
        ("PAGE", b""),
        ("PAGE", whole[: len(whole) // 2]),
        ("PAGE", b"<!DOCTYPE html><html><body>Sign in</body></html>"),
        ("PAGE.zip", bomb),
        ("PAGE.pdf", b"%PDF-1.7\n"),
    ]
