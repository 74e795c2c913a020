"""Every page has the form that readers rely on: header, order, exercises, links, outputs."""

from __future__ import annotations

import ast
import builtins
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlparse

import jupytext
import nbformat
import numpy as np
import pytest

from helpers.authoring import ROOT
from helpers.exercises import CHAPTERS, exercises_of, find

# Every exercise of the curriculum, by its name there: d2l's number, or + for our own. An exercise
# carries these names as aliases.
REQUIRED = {
    "perceptrons": "+1.1 +1.2 +1.3-quiz +1.3-explain +1.4 +1.5 +1.6 +1.7 +1.8 +1.9 +1.10",
    "multilayer_perceptrons": (
        "5.1.1 5.1.1-rank 5.1.2 5.1.3 5.1.4 5.1.4-explain 5.1.5a 5.1.5b 5.1.6 5.1.6-explain 5.1.7 "
        "5.2.1 5.2.2 5.2.3 5.2.3-explain 5.2.4 5.2.5a 5.2.5b-explain 5.2.5c 5.2.5c-explain 5.2.6 "
        "5.2.7a 5.2.7b-explain 5.2.8 5.2.9 +2.1 +2.2 +2.3 +2.4 +2.5"
    ),
    "backpropagation": (
        "+3.1 +3.2 +3.3 +3.4 +3.5 +3.6 +3.7 +3.8 +3.9 +3.10 +3.11-explain "
        "5.3.1 5.3.2a 5.3.2b 5.3.3 5.3.4 5.3.4-explain 5.3.5a 5.3.5a-explain 5.3.5b-explain"
    ),
    "initialization": (
        "5.4.1 5.4.1-explain 5.4.2 5.4.2-experiment 5.4.3 5.4.4 5.4.4-explain "
        "+4.1 +4.2 +4.3 +4.4 +4.5"
    ),
    "generalization": (
        "5.5.1-quiz 5.5.1-explain 5.5.1 5.5.2-quiz 5.5.2-explain 5.5.3-quiz 5.5.3 5.5.4-quiz 5.5.4 "
        "5.5.5-quiz 5.5.5 +5.1 +5.2 +5.3 +5.4 +5.5"
    ),
    "dropout": (
        "5.6.1 5.6.2 5.6.3 5.6.3-experiment 5.6.4-quiz 5.6.4-explain 5.6.4 5.6.5 5.6.6 5.6.7 "
        "+6.1 +6.2 +6.3"
    ),
    "house_prices": (
        "5.7.1 5.7.1-experiment 5.7.2 5.7.2-explain 5.7.3 5.7.4 5.7.5 +7.1 +7.2 +7.3 +7.4"
    ),
}
# About four fifths of the asserts a page had when it was last reviewed, so that few are lost.
LEAST_ASSERTS = {
    "01_perceptrons": 12,
    "02_multilayer_perceptrons": 41,
    "03_backpropagation": 26,
    "04_initialization": 34,
    "05_generalization": 32,
    "06_dropout": 20,
    "07_house_prices": 22,
}
NAMES = [f"{number:02}_{chapter}" for number, chapter in enumerate(CHAPTERS, start=1)]
ALL_NAMES = ["00_index", *NAMES]

FIELDS = ["To read", "To run, CPU", "To run, GPU", "Difficulty", "Exercises", "Last run with"]
FRAME = ["What you will learn", "Before you start", "Setup"]
CLOSING = ["Recap", "Terms", "Sources"]
LONGEST_RUN = 180  # seconds
LONGEST_PROSE = 120  # words
LONGEST_CELL = 15  # lines
WORDS_A_LINE = (6, 16)
SHUNNED_WORDS = re.compile(r"\b(simply|just|obviously)\b", re.I)
SHUNNED_NAMES = {"lr", "net", "num_hiddens", "train_iter", "ret", "tmp"}

_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.M)
_EXERCISE = re.compile(r"^### Exercise (\S+) — (.+)$", re.M)
_CHECK = re.compile(r'^check\("([^"]+)", (.+)\)$', re.M)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", re.S)
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_REGION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.S)


@cache
def source_of(name: str) -> nbformat.NotebookNode:
    path = ROOT / "solutions" / f"{name}.py"
    return jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")


@cache
def stored(folder: str, name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / folder / f"{name}.ipynb", as_version=4)


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def cells(name: str, kind: str) -> list:
    return [cell for cell in source_of(name).cells if cell.cell_type == kind]


def markdown(name: str) -> str:
    """Return the page's prose without code spans and code blocks, which are not prose."""
    return "\n\n".join(cell.source for cell in cells(name, "markdown"))


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "x", text, flags=re.S)


def headings(name: str) -> list[tuple[int, str]]:
    return [(len(marks), title) for marks, title in _HEADING.findall(markdown(name))]


def words(text: str) -> int:
    """Count the words of prose: no tables, headings or display formulas; a formula is one word."""
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.S)
    text = re.sub(r"\$[^$]+\$", " formula ", text)
    text = re.sub(r"`[^`]*`", " code ", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("|", "#"))]
    return len(re.findall(r"[^\W_][\w'’-]*", "\n".join(lines)))


def code_lines(source: str) -> int:
    lines = [line.strip() for line in source.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def sections(name: str) -> list[tuple[str, list]]:
    """Return the page's parts: each `##` or `###` heading with its cells."""
    parts: list[tuple[str, list]] = [("", [])]
    for cell in source_of(name).cells:
        title = re.match(r"#{2,3} (.+)", cell.source) if cell.cell_type == "markdown" else None
        if title:
            parts.append((title[1], []))
        parts[-1][1].append(cell)
    return parts


def lessons(name: str) -> list[tuple[str, list]]:
    frame = {*FRAME, *CLOSING, ""}
    return [
        (title, part)
        for title, part in sections(name)
        if title not in frame and not title.startswith("Exercise ")
    ]


def exercise_parts(name: str) -> dict[str, list]:
    parts = {}
    for title, part in sections(name):
        if match := re.match(r"Exercise (\S+) — ", title):
            parts[match[1]] = part
    return parts


def chapter(name: str) -> str:
    return name.split("_", 1)[1]


def header_row(name: str) -> dict[str, str]:
    table = [line for line in cells(name, "markdown")[0].source.splitlines() if "|" in line]
    rows = [[field.strip() for field in line.strip("| ").split("|")] for line in table]
    return dict(zip(rows[0], rows[2], strict=True))


pages = pytest.mark.parametrize("name", NAMES)
all_pages = pytest.mark.parametrize("name", ALL_NAMES)


# The head of a page


@pages
def test_header_has_title_source_and_every_field(name):
    first = cells(name, "markdown")[0].source
    assert re.match(rf"# {int(name[:2])}\. \S", first)
    assert "https://d2l.ai/" in first
    row = header_row(name)
    assert list(row) == FIELDS
    assert re.fullmatch(r"\d+ min", row["To read"])
    assert re.fullmatch(r"★{1,3}☆{0,2}", row["Difficulty"]) and len(row["Difficulty"]) == 3


@pages
def test_setup_imports_what_the_exercises_send_to(name):
    setup = "\n".join(cell.source for cell in dict(sections(name))["Setup"])
    imported = re.search(r"^from helpers import (.+)$", setup, re.M)[1].split(", ")
    assert {"check", "hint", "progress"} <= set(imported)


@pages
def test_header_run_times_are_measured_and_within_the_limit(name):
    row = header_row(name)
    seconds = re.fullmatch(r"(\d+) s on 2 cores", row["To run, CPU"])
    assert seconds and 0 < int(seconds[1]) <= LONGEST_RUN
    assert re.fullmatch(r"\d+ s on \S.*|not measured", row["To run, GPU"])


@pages
def test_header_counts_agree_with_the_exercises(name):
    listed = exercises_of(chapter(name))
    points = sum(exercise.points for exercise in listed)
    assert header_row(name)["Exercises"] == f"{len(listed)}, {points} points"


@pages
def test_header_versions_are_the_locked_ones(name):
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    version = {
        package: re.search(rf"^{package}==(\d+\.\d+)", lock, re.M)[1]
        for package in ("tensorflow-cpu", "keras")
    }
    want = f"TensorFlow {version['tensorflow-cpu']}, Keras {version['keras']}"
    assert header_row(name)["Last run with"] == want


@pages
def test_objectives_are_three_to_five_and_start_with_a_verb(name):
    part = markdown(name).split("## What you will learn", 1)[1].split("\n## ", 1)[0]
    bullets = re.findall(r"^- (.+)", part, re.M)
    assert 3 <= len(bullets) <= 5
    assert all(re.match(r"\*\*[A-Z][a-z]+\*\* \S", bullet) for bullet in bullets)


@pages
def test_headings_come_in_the_agreed_order(name):
    found = headings(name)
    assert [title for level, title in found if level == 1] == [found[0][1]]
    second = [title for level, title in found if level == 2]
    assert second[: len(FRAME)] == FRAME
    assert second[-len(CLOSING) :] == CLOSING
    assert len(second) == len(set(second)), "two sections have the same title"
    assert len(lessons(name)) >= 5
    for (level, _), (next_level, title) in pairwise(found):
        assert next_level <= level + 1, f"{title!r} skips a level"
    for level, title in found:
        assert level < 3 or title.startswith("Exercise "), f"{title!r} is no exercise"
        assert level <= 3


@pages
def test_setup_is_one_cell_that_names_the_device(name):
    setup = dict(sections(name))["Setup"]
    first = next(cell for cell in setup if cell.cell_type == "code")
    assert "print(training.device())" in first.source
    assert "nbval-ignore-output" in tags(first)
    imports = re.findall(r"^(?:from|import) .+", first.source, re.M)
    assert imports[0].startswith("from helpers import "), "helpers must silence TensorFlow's log"
    later = "\n".join(c.source for c in cells(name, "code") if c is not first)
    assert not re.findall(r"^(?:import|from) .+", later, re.M), "imports belong in the setup"


@pages
def test_page_ends_with_progress_terms_and_sources(name):
    parts = dict(sections(name))
    assert f'progress("{chapter(name)}")' in markdown(name) + "".join(
        cell.source for cell in parts["Recap"] if cell.cell_type == "code"
    )
    recap = next(cell.source for cell in parts["Recap"])
    assert len(re.findall(r"^- ", recap, re.M)) >= 3
    closing = markdown(name).split("\n## Terms", 1)[1]
    terms, sources = closing.split("\n## Sources", 1)
    assert len(_LINK.findall(terms)) >= 3
    assert len(_LINK.findall(sources)) >= 1


@pages
def test_terms_are_linked_where_they_are_introduced(name):
    body, closing = markdown(name).split("\n## Terms", 1)
    terms = closing.split("\n## Sources", 1)[0]
    anchors = {target.split("#")[1] for _, target in _LINK.findall(terms) if "glossary" in target}
    used = {target.split("#")[1] for _, target in _LINK.findall(body) if "glossary.md#" in target}
    assert anchors, "the terms link to the glossary"
    assert not anchors - used, "listed under Terms, never linked in the text"


# Exercises


@pages
def test_exercises_are_those_of_the_curriculum_in_the_order_of_the_page(name):
    listed = exercises_of(chapter(name))
    known = {alias for exercise in listed for alias in exercise.aliases}
    missing = set(REQUIRED[chapter(name)].split()) - known
    assert not missing
    ids = [id for id, _ in _EXERCISE.findall(markdown(name))]
    assert ids == [exercise.id for exercise in listed]
    number = NAMES.index(name) + 1
    assert ids == [f"{number}.{place}" for place in range(1, len(ids) + 1)]


@pages
def test_exercise_heading_and_points_line_agree_with_the_definition(name):
    for id, part in exercise_parts(name).items():
        exercise = find(id)
        stars = "★" * exercise.stars + "☆" * (3 - exercise.stars)
        points = f"{exercise.points} point" + ("" if exercise.points == 1 else "s")
        lines = part[0].source.splitlines()
        source = f" (d2l {exercise.d2l})" if exercise.d2l else ""
        assert lines[0] == f"### Exercise {id} — {exercise.title}{source}"
        want = f'*{points} · {stars} · {exercise.minutes} min · stuck? run `hint("{id}")`*'
        assert lines[1] == want


@pages
def test_exercise_prompt_says_given_write_shapes_and_done_when(name):
    missing = [
        (id, word)
        for id, part in exercise_parts(name).items()
        for word in ("Given", "Write", "Shapes", "Done when")
        if find(id).kind in "CX" and not re.search(rf"^(- )?\*\*{word}\b", part[0].source, re.M)
    ]
    assert not missing


@pages
def test_exercise_has_its_answer_and_its_check_in_cells_of_their_own(name):
    for id, part in exercise_parts(name).items():
        exercise = find(id)
        if exercise.kind == "T":
            answers = [cell.source for cell in part if "answer" in tags(cell)]
            assert len(answers) == 1 and answers[0].startswith(f"**Answer {id}.**")
            assert words(answers[0]) >= 25, f"the model answer of {id} is too short to learn from"
            continue
        code = [cell for cell in part if cell.cell_type == "code" and "proof" not in tags(cell)]
        assert any("### BEGIN SOLUTION" in cell.source for cell in code), id
        checks = [cell.source for cell in code if re.search(r"^check\(", cell.source, re.M)]
        assert checks == [f'check("{id}", {", ".join(exercise.names)})'], id


# Prose and code


@pages
def test_lesson_prose_stays_within_its_budget(name):
    long = {}
    for title, part in lessons(name):
        run = 0
        for cell in part:
            run = run + words(cell.source) if cell.cell_type == "markdown" else 0
            if run > LONGEST_PROSE:
                long[title] = run
    assert not long


@pages
def test_lesson_cells_are_short(name):
    lengths = {}
    for title, part in lessons(name):
        for cell in part:
            if cell.cell_type == "code" and "proof" not in tags(cell):
                lengths[title, cell.source[:40]] = code_lines(cell.source)
    long = {place: count for place, count in lengths.items() if count > LONGEST_CELL}
    assert not long


@pages
def test_lesson_has_one_visible_result_and_a_sentence_that_reads_it(name):
    by_source = {
        cell.source: cell.outputs for cell in stored("solutions", name).cells if "outputs" in cell
    }
    silent, unread = [], []
    for title, part in lessons(name):
        seen = [cell for cell in part if "proof" not in tags(cell)]
        if not any(by_source.get(cell.source) for cell in seen):
            silent.append(title)
        if seen[-1].cell_type != "markdown":
            unread.append(title)
    assert not silent, "these lessons show nothing"
    assert not unread, "nothing reads the result of these lessons"


@pages
def test_prose_and_code_are_in_proportion(name):
    prose = sum(words(cell.source) for cell in cells(name, "markdown"))
    code = sum(code_lines(c.source) for c in cells(name, "code") if "proof" not in tags(c))
    assert WORDS_A_LINE[0] <= prose / code <= WORDS_A_LINE[1], f"{prose / code:.1f}"


@pages
def test_prose_keeps_the_voice(name):
    text = without_code(re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "x", markdown(name), flags=re.S))
    assert not SHUNNED_WORDS.findall(text)
    assert not re.findall(r"\w!(?:\s|$)", text), "an exclamation mark"


@pages
def test_code_uses_the_words_of_the_field(name):
    for cell in cells(name, "code"):
        tree = ast.parse(cell.source)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg | ast.keyword)}
        assert not names & SHUNNED_NAMES, cell.source
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                "Model" in ast.unparse(b) for b in node.bases
            ):
                own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                assert not own & {"fit", "loss", "train_step"}, node.name


@pages
def test_page_asserts_what_it_claims(name):
    trees = [ast.parse(cell.source) for cell in cells(name, "code")]
    count = sum(isinstance(node, ast.Assert) for tree in trees for node in ast.walk(tree))
    assert count >= LEAST_ASSERTS[name], f"{count} asserts"


# Links and pictures


def _slug(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


@cache
def anchors_of(path: Path) -> frozenset[str]:
    text = path.read_text(encoding="utf-8")
    found = {_slug(title) for _, title in _HEADING.findall(text)}
    return frozenset(found | set(re.findall(r'id="([^"]+)"', text)))


def broken_links(text: str, folder: Path) -> list[str]:
    broken = []
    for _, target in _LINK.findall(without_code(text)) + _IMAGE.findall(without_code(text)):
        parts = urlparse(target)
        if parts.scheme or parts.netloc:
            if parts.scheme != "https" or "." not in parts.netloc:
                broken.append(target)
            continue
        if not parts.path:
            known = {_slug(title) for _, title in _HEADING.findall(text)}
            broken += [target] * (_slug(parts.fragment) not in known)
            continue
        path = folder / parts.path
        if not path.exists():
            broken.append(target)
        elif parts.fragment and path.suffix == ".md" and parts.fragment not in anchors_of(path):
            broken.append(target)
    return sorted(set(broken))


@all_pages
@pytest.mark.parametrize("folder", ["solutions", "chapters"])
def test_links_resolve_from_the_solution_and_from_the_students_page(name, folder):
    notebook = stored(folder, name)
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not broken_links(text, ROOT / folder)


@pytest.mark.parametrize(
    "file",
    ["README.md", "chapters/glossary.md", ".github/INSTRUCTORS.md", ".github/CONTRIBUTING.md"],
)
def test_links_of_the_other_texts_resolve(file):
    path = ROOT / file
    assert not broken_links(path.read_text(encoding="utf-8"), path.parent)


@all_pages
def test_every_picture_has_words_beside_it(name):
    for alt, target in _IMAGE.findall(markdown(name)):
        assert len(alt.split()) >= 3, f"{target} has no alternative text"
    for tag in re.findall(r"<img\b[^>]*>", markdown(name)):
        assert re.search(r'alt="[^"]{10,}"', tag), tag


# What is stored in the executed pages


@all_pages
def test_solution_every_cell_was_run_in_order_without_errors(name):
    ran = []
    for cell in stored("solutions", name).cells:
        if cell.cell_type != "code":
            continue
        ran.append(cell.execution_count)
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source
            text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"Warning\b|^[WEI]0000 |it/s|s/it", text, re.M), text
    assert ran == list(range(1, len(ran) + 1))


@all_pages
def test_solution_stored_figures_are_described_in_words(name):
    for cell in stored("solutions", name).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                text = data.get("text/plain", "")
                assert re.match(r"Figure [\d.]+ x [\d.]+ in: (?!empty)\S", text), cell.source


@pages
def test_solution_every_check_says_correct(name):
    seen = []
    for cell in stored("solutions", name).cells:
        if match := _CHECK.match(cell.source):
            seen.append(match[1])
            text = "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
            assert text.startswith(f"✓ {match[1]} ") and "Correct" in text, text
    want = [exercise.id for exercise in exercises_of(chapter(name)) if exercise.check is not None]
    assert seen == want


# The student's page


@pages
def test_student_page_has_no_proof_no_answer_and_no_output(name):
    student = stored("chapters", name)
    text = "\n\n".join(cell.source for cell in student.cells)
    solution = source_of(name)
    outside = "\n".join(_REGION.sub("", cell.source) for cell in solution.cells)
    assert "SOLUTION" not in text
    for cell in student.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    for cell in solution.cells:
        if "proof" in tags(cell):
            assert cell.source not in text
        if "answer" in tags(cell):
            assert cell.source not in text and cell.source[40:120] not in text
        for region in _REGION.findall(cell.source):
            answer = region.split("### STUB", 1)[0]
            for line in answer.splitlines():
                known = line.strip() in outside or len(line.strip()) < 20
                assert known or line.strip() not in text, f"an answer shows: {line.strip()}"


class _Anything(type):
    """A class that replaces what a lesson or a library defines, as do its attributes."""

    def __getattr__(cls, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})

    def __call__(cls, *given, **named):
        """Return a function unchanged, or make an instance from any arguments."""
        return given[0] if given and callable(given[0]) else super().__call__()


class _PageNames(dict):
    """The names of a page whose lessons were defined but not run."""

    def __missing__(self, name: str):
        if hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        return _Anything(name, (), {})


def _definitions(source: str) -> str:
    kept = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    return ast.unparse(ast.Module(kept, type_ignores=[]))


@pages
def test_student_page_stubs_are_not_attempted(name):
    scope = _PageNames(np=np)
    for cell in stored("chapters", name).cells:
        if cell.cell_type == "code":
            is_answer = cell.metadata.get("nbgrader", {}).get("solution")
            exec(cell.source if is_answer else _definitions(cell.source), scope)
    for exercise in exercises_of(chapter(name)):
        if exercise.check is None:
            continue
        assert all(wanted in scope for wanted in exercise.names), exercise.id
        stubs = [scope[wanted] for wanted in exercise.names]
        outcome = exercise.run(exercise.local_answers(stubs), seed=0)
        assert outcome.status == "not attempted", (exercise.id, outcome)
        assert outcome.points == 0


# The rules themselves


def test_words_formulas_and_code_count_once_tables_and_headings_not():
    text = "# Title\n\nTwo words, $a + b$ and `x = 1`.\n\n| a | table |\n\n$$x = \\frac12$$\n"
    assert words(text) == 5


def test_broken_links_names_each_kind(tmp_path):
    (tmp_path / "glossary.md").write_text("### he initialization\n", encoding="utf-8")
    good = "[a](glossary.md#he-initialization) [b](https://d2l.ai/x) [c](#the-end)\n\n## The end\n"
    assert broken_links(good, tmp_path) == []
    bad = "[a](glossary.md#he) [b](http://d2l.ai) [c](#start) [d](none.ipynb) ![e](none.png)"
    assert broken_links(bad, tmp_path) == [
        "#start",
        "glossary.md#he",
        "http://d2l.ai",
        "none.ipynb",
        "none.png",
    ]


def test_required_exercises_number_those_of_the_book():
    ids = [id for listed in REQUIRED.values() for id in listed.split()]
    assert len(ids) == len(set(ids))
    numbers = {id.split("-")[0] for id in ids if not id.startswith("+")}
    assert len(numbers) == 48
    assert len({re.match(r"5\.\d\.\d+", number)[0] for number in numbers}) == 42
