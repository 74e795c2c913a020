"""An update installs the new release and loses none of the student's work, even if interrupted."""

from __future__ import annotations

import copy
import json
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import files
from helpers.authoring import ROOT
from helpers.lab import students_copy
from helpers.lab.students_copy import bring_up_to_date

SETTINGS = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


# A release, described by plain values that Hypothesis can draw and change


def _id(*parts: object) -> str:
    return students_copy._hash(repr(parts))[:12]


def _cell(kind: str, source: str, *, id: str = "", grade: dict | None = None):
    cell = (
        nbformat.v4.new_code_cell(source)
        if kind == "code"
        else (nbformat.v4.new_markdown_cell(source))
    )
    cell["id"] = id or _id(kind, source)
    if grade:
        cell.metadata["nbgrader"] = nbformat.from_dict(grade)
    return cell


def _page(parts: list[tuple[str, int]]):
    """Return a page of lessons ("lesson", text) and exercises (name, version of the text)."""
    cells, number = [_cell("markdown", "# 1. Page")], 0
    for place, (name, version) in enumerate(parts):
        if name == "lesson":
            cells.append(_cell("markdown", f"## Section {place}\n\nlesson text {version}"))
            cells.append(_cell("code", f"lesson_code = {version}", id=_id("c", place, version)))
            continue
        number += 1
        slug = f"1-{number}"
        cells.append(
            _cell("markdown", f"### Exercise 1.{number} — Title of {name}\nWords {version}.")
        )
        stub = f"def {name}(x):\n    raise NotImplementedError('Exercise 1.{number}')"
        cells.append(
            _cell(
                "code",
                stub,
                id=_id("answer", name),
                grade={"grade_id": f"answer-{slug}", "solution": True, "grade": False},
            )
        )
        cells.append(
            _cell(
                "code",
                f'check("1.{number}", {name})',
                grade={"grade_id": f"check-{slug}", "solution": False, "grade": True},
            )
        )
    return nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


def _release(folder: Path, parts: list[tuple[str, int]]) -> None:
    folder.mkdir(exist_ok=True)
    nbformat.write(_page(parts), folder / "01_page.ipynb")


NAMES = [f"{letter}_gate" for letter in string.ascii_lowercase[:5]]
LESSON = st.tuples(st.just("lesson"), st.integers(1, 9))


@st.composite
def _parts(draw):
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4))
    exercises = [(name, draw(st.integers(1, 2))) for name in names]
    lessons = draw(st.lists(LESSON, min_size=1, max_size=4))
    return draw(st.permutations(exercises + lessons))


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["answer", "add", "edit", "delete", "move", "copy", "cut", "run"]),
        st.integers(0, 30),
    ),
    max_size=8,
)


def _work_on(path: Path, actions: list[tuple[str, int]]) -> dict[str, str]:
    """Change the page as a student would; return each of the student's texts and its kind."""
    page = nbformat.read(path, as_version=4)
    for step, (what, where) in enumerate(actions):
        if not page.cells:
            break
        place = where % len(page.cells)
        cell = page.cells[place]
        if what == "answer":
            answers = [c for c in page.cells if c.metadata.get("nbgrader", {}).get("solution")]
            if answers:
                answers[where % len(answers)].source = f"my answer {step} at {path.name}"
        elif what == "add":
            page.cells.insert(place, nbformat.v4.new_code_cell(f"my own cell {step}"))
        elif what == "edit":
            cell.source += f"\nmy note {step}"
        elif what == "delete":
            if "my " not in cell.source:
                del page.cells[place]
        elif what == "move":
            page.cells.insert(0, page.cells.pop(place))
        elif what == "copy":
            double = copy.deepcopy(cell)
            double["id"] = nbformat.v4.new_code_cell()["id"]
            double.source += f"\nmy copy {step}"
            page.cells.insert(place + 1, double)
        elif what == "cut":
            cell["id"] = nbformat.v4.new_code_cell()["id"]
        elif what == "run" and cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text=f"printed {step}\n")]
    nbformat.write(page, path)
    return [cell.source for cell in page.cells if re.search(r"\bmy ", cell.source)]


def _sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def _assert_nothing_lost(work: Path, released: list, texts: list[str]) -> None:
    page = nbformat.read(work / "01_page.ipynb", as_version=4)
    nbformat.validate(page)
    sources = [cell.source for cell in page.cells]
    for text in set(texts):
        assert sources.count(text) >= texts.count(text), f"lost: {text!r}"
    ids = [cell.id for cell in page.cells]
    assert len(ids) == len(set(ids))
    order = [ids.index(cell.id) for cell in released]
    assert order == sorted(order), "the release's cells are there, in its order"
    by_id = {cell.id: cell for cell in page.cells}
    for cell in released:
        mine = by_id[cell.id]
        assert mine.source == cell.source or re.search(r"\bmy ", mine.source), "an old text"
        assert mine.metadata.get("nbgrader") == cell.metadata.get("nbgrader")


@given(old=_parts(), new=_parts(), newest=_parts(), actions=ACTIONS, later=ACTIONS)
@SETTINGS
def test_update_brings_the_release_and_loses_nothing(
    tmp_path_factory, old, new, newest, actions, later
):
    top = tmp_path_factory.mktemp("copy")
    chapters, work = top / "chapters", top / "work"
    _release(chapters, old)
    bring_up_to_date(chapters, work)
    texts = _work_on(work / "01_page.ipynb", actions)
    for parts, before, more in ((new, old, later), (newest, new, [])):
        unchanged = (work / "01_page.ipynb").read_bytes()
        _release(chapters, parts)
        bring_up_to_date(chapters, work)
        if parts == before:
            assert (work / "01_page.ipynb").read_bytes() == unchanged
        else:
            _assert_nothing_lost(work, _page(parts).cells, texts)
        before = (work / "01_page.ipynb").read_bytes()
        assert not str(bring_up_to_date(chapters, work))
        assert (work / "01_page.ipynb").read_bytes() == before
        texts = _work_on(work / "01_page.ipynb", more) if more else texts


class _Killed(BaseException):
    pass


@given(old=_parts(), new=_parts(), actions=ACTIONS, stop=st.integers(0, 8))
@SETTINGS
def test_update_killed_anywhere_and_run_again_ends_as_one_that_was_not(
    tmp_path_factory, old, new, actions, stop
):
    top = tmp_path_factory.mktemp("killed")
    chapters, work = top / "chapters", top / "work"
    _release(chapters, old)
    bring_up_to_date(chapters, work)
    texts = _work_on(work / "01_page.ipynb", actions)
    shutil.copytree(work, top / "other")
    _release(chapters, new)
    steps = iter(range(100))

    def replace(source, target, os_replace=files.os.replace):
        if next(steps) == stop // 2:
            if stop % 2:
                os_replace(source, target)
            raise _Killed
        os_replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "replace", replace)
        try:
            bring_up_to_date(chapters, work)
        except _Killed:
            _work_on(work / "01_page.ipynb", [])  # every existing file can be read
    bring_up_to_date(chapters, work)
    bring_up_to_date(chapters, top / "other")
    if new != old:
        _assert_nothing_lost(work, _page(new).cells, texts)
    assert _sources(work / "01_page.ipynb") == _sources(top / "other" / "01_page.ipynb")


def test_update_killed_by_the_system_leaves_readable_files(tmp_path):
    """After SIGKILL while two releases alternate, every file is complete and has every answer."""
    chapters, work = tmp_path / "chapters", tmp_path / "work"
    _release(chapters, [("a_gate", 1), ("lesson", 1)])
    bring_up_to_date(chapters, work)
    texts = _work_on(work / "01_page.ipynb", [("answer", 0), ("add", 2)])
    releases = [tmp_path / "one", tmp_path / "two"]
    for version, folder in enumerate(releases, start=2):
        _release(folder, [("a_gate", version), ("lesson", version)])
    code = (
        "import itertools; from pathlib import Path\n"
        "from helpers.lab.students_copy import bring_up_to_date\n"
        "print('ready', flush=True)\n"
        f"for release in itertools.cycle({[str(folder) for folder in releases]!r}):\n"
        f"    bring_up_to_date(Path(release), Path({str(work)!r}))\n"
    )
    for wait in (0.02, 0.11, 0.23):
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
        writer.stdout.readline()
        try:
            writer.wait(timeout=wait)
        except subprocess.TimeoutExpired:
            writer.kill()
        writer.wait()
        writer.stdout.close()
        sources = _sources(work / "01_page.ipynb")
        assert all(text in sources for text in texts)
    _release(chapters, [("a_gate", 1), ("lesson", 9999)])
    bring_up_to_date(chapters, work)
    _assert_nothing_lost(work, _page([("a_gate", 1), ("lesson", 9999)]).cells, texts)
    assert not list(work.glob(".writing-*"))


# Plain examples


@pytest.fixture
def folders(tmp_path):
    chapters, work = tmp_path / "chapters", tmp_path / "내 work"
    _release(chapters, [("lesson", 1), ("a_gate", 1), ("lesson", 2), ("b_gate", 1)])
    (chapters / "glossary.md").write_text(
        "# Glossary\n\n## xor\n\n**배타적 논리합** · [1](01.ipynb)\n\nOne of `two`,\nnot both.\n"
    )
    bring_up_to_date(chapters, work)
    return chapters, work


def test_update_in_the_middle_keeps_answers_with_their_exercises(folders):
    chapters, work = folders
    _work_on(work / "01_page.ipynb", [("answer", 0), ("answer", 1)])
    _release(chapters, [("c_gate", 1), ("lesson", 1), ("a_gate", 2), ("lesson", 3), ("b_gate", 1)])
    changes = bring_up_to_date(chapters, work)
    assert str(changes) == "Updated 1 page (1); kept your 2 cells in place."
    sources = _sources(work / "01_page.ipynb")
    for number, name, answer in ((2, "a_gate", "my answer 0"), (3, "b_gate", "my answer 1")):
        check = sources.index(f'check("1.{number}", {name})')
        assert sources[check - 1].startswith(answer)
        assert sources[check - 2].startswith(f"### Exercise 1.{number} — Title of {name}")
    assert sources.count("lesson_code = 3") == 1 and "lesson_code = 2" not in sources


def test_update_of_a_lesson_that_both_changed_keeps_both(folders):
    chapters, work = folders
    path = work / "01_page.ipynb"
    page = nbformat.read(path, as_version=4)
    page.cells[2].source += "\nmy experiment"
    page.cells.insert(3, nbformat.v4.new_code_cell("my own"))
    nbformat.write(page, path)
    _release(chapters, [("lesson", 5), ("a_gate", 1), ("lesson", 2), ("b_gate", 1)])
    changes = bring_up_to_date(chapters, work)
    sources = _sources(path)
    at = sources.index("lesson_code = 5")
    assert sources[at : at + 3] == ["lesson_code = 5", "lesson_code = 1\nmy experiment", "my own"]
    assert "kept your 2 cells" in str(changes)


def test_update_keeps_outputs_of_cells_that_did_not_change(folders):
    chapters, work = folders
    path = work / "01_page.ipynb"
    _work_on(path, [("run", 2), ("answer", 0)])
    _release(chapters, [("lesson", 1), ("a_gate", 1), ("lesson", 7), ("b_gate", 1)])
    bring_up_to_date(chapters, work)
    assert nbformat.read(path, as_version=4).cells[2].outputs[0].text == "printed 0\n"


def test_page_saved_without_ids_is_still_recognised(folders):
    chapters, work = folders
    path = work / "01_page.ipynb"
    texts = _work_on(path, [("answer", 0), ("answer", 1), ("add", 4)])
    page = json.loads(path.read_text())
    page["nbformat_minor"] = 4
    for cell in page["cells"]:
        del cell["id"]
    path.write_text(json.dumps(page))
    new = [("lesson", 1), ("c_gate", 1), ("a_gate", 1), ("lesson", 2), ("b_gate", 2)]
    _release(chapters, new)
    bring_up_to_date(chapters, work)
    _assert_nothing_lost(work, _page(new).cells, texts)
    assert len(_sources(path)) == len(_page(new).cells) + 1


def test_answers_typed_into_the_released_pages_are_the_students(tmp_path):
    """Students who worked in chapters/ before keep their answers, even if chapters/ is reset."""
    chapters, work = tmp_path / "chapters", tmp_path / "work"
    parts = [("lesson", 1), ("a_gate", 1)]
    _release(chapters, parts)
    pair = "\n\n".join(cell.source for cell in _page(parts).cells if cell.cell_type == "code")
    (chapters / "01_page.py").write_text(pair)
    texts = _work_on(chapters / "01_page.ipynb", [("answer", 0)])
    bring_up_to_date(chapters, work)
    _release(chapters, [("lesson", 2), ("a_gate", 1)])
    bring_up_to_date(chapters, work)
    assert texts[0] in _sources(work / "01_page.ipynb")


def test_damaged_page_is_left_and_named(folders):
    chapters, work = folders
    (work / "01_page.ipynb").write_text("<<<<<<< HEAD\n{")
    _release(chapters, [("lesson", 9)])
    changes = bring_up_to_date(chapters, work)
    assert (work / "01_page.ipynb").read_text() == "<<<<<<< HEAD\n{"
    assert "01_page.ipynb" in str(changes) and "cannot be read" in str(changes)


@pytest.mark.parametrize("damage", ["", "{broken", "[]", '{"pages": 3, "files": {}}'])
def test_lost_record_loses_no_answer(folders, damage):
    chapters, work = folders
    texts = _work_on(work / "01_page.ipynb", [("answer", 0), ("add", 1), ("edit", 2)])
    (work / ".released.json").write_text(damage)
    new = [("lesson", 4), ("a_gate", 1), ("lesson", 2), ("b_gate", 1)]
    _release(chapters, new)
    bring_up_to_date(chapters, work)
    sources = _sources(work / "01_page.ipynb")
    assert all(text in sources for text in texts)


def test_previous_page_is_kept_aside(folders):
    chapters, work = folders
    _work_on(work / "01_page.ipynb", [("answer", 0)])
    before = (work / "01_page.ipynb").read_text()
    _release(chapters, [("lesson", 9), ("a_gate", 1)])
    bring_up_to_date(chapters, work)
    assert (work / ".previous" / "01_page.ipynb").read_text() == before


def test_glossary_follows_the_release_until_the_student_changes_it(folders):
    chapters, work = folders
    (chapters / "glossary.md").write_text("# Glossary\n\nnew\n")
    bring_up_to_date(chapters, work)
    assert "new" in (work / "glossary.md").read_text()
    (work / "glossary.md").write_text("mine")
    (chapters / "glossary.md").write_text("# Glossary\n\nnewer\n")
    bring_up_to_date(chapters, work)
    assert (work / "glossary.md").read_text() == "mine"


def test_links_to_terms_show_the_definition_on_hover(folders):
    chapters, work = folders
    page = nbformat.read(chapters / "01_page.ipynb", as_version=4)
    page.cells[0].source += "\n\n[xor](glossary.md#xor) and [none](glossary.md#none)"
    nbformat.write(page, chapters / "01_page.ipynb")
    bring_up_to_date(chapters, work)
    first = _sources(work / "01_page.ipynb")[0]
    assert '[xor](glossary.md#xor "One of two, not both.")' in first
    assert "[none](glossary.md#none)" in first


def test_full_disk_leaves_the_page_and_no_litter(folders, monkeypatch):
    chapters, work = folders
    before = (work / "01_page.ipynb").read_bytes()
    _release(chapters, [("lesson", 9)])

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        bring_up_to_date(chapters, work)
    assert (work / "01_page.ipynb").read_bytes() == before
    assert not list(work.glob(".writing-*"))


def test_repository_copy_is_graded_as_the_released_page(tmp_path):
    """Grading finds the same answers in both copies."""
    from helpers.grading.submitted_notebook import read

    bring_up_to_date(ROOT / "chapters", tmp_path)
    for page in sorted((ROOT / "chapters").glob("0[1-7]*.ipynb")):
        released, mine = read(page.read_bytes()), read((tmp_path / page.name).read_bytes())
        assert mine.exercise_ids() == released.exercise_ids()
        assert mine.code == released.code
        assert [grade for _, grade in mine.texts] == [grade for _, grade in released.texts]
