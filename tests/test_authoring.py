"""Derivation separates answers from pages, rejects invalid sources, and is byte-stable."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import nbformat
import pytest

from helpers import authoring, files
from helpers.authoring import Page, SourceError
from helpers.exercises import Exercise, registry

SOURCE = '''# %% [markdown]
# # 1. Gates 게이트

# %% [markdown]
# ### Exercise 1.1 — Gates

# %%
def both(a, b):
    """Return 1 if both are 1."""
    ### BEGIN SOLUTION
    return a * b
    ### END SOLUTION


rate = 0.5
### BEGIN SOLUTION
choice = "b"
### STUB
# choice = None  # your letter
### END SOLUTION

# %%
check("1.1", both)

# %% tags=["proof"]
assert both(1, 1) == 1

# %% [markdown]
# ### Exercise 1.3 — Words

# %% [markdown] tags=["answer"]
# **Answer 1.3.** Because 둘.

# %%
print("again")

# %%
print("again")
'''


@pytest.fixture(autouse=True)
def _exercises(monkeypatch):
    hints = ("a", "b", "c")
    listed = [
        Exercise("1.1", "Gates", "C", 2, 5, 1, hints, ("both",), lambda both, case: None),
        Exercise("1.3", "Words", "T", 3, 5, 1, hints, rubric=((3, "says it"),)),
    ]
    monkeypatch.setattr(registry, "_registry", {found.id: found for found in listed})
    monkeypatch.setattr(registry, "_load", lambda chapter: None)


@pytest.fixture
def page(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "chapters").mkdir()
    page = Page("01_gates", tmp_path)
    page.source.write_text(SOURCE, encoding="utf-8")
    return page


def _write(page):
    for path, text in authoring.derive(page).items():
        files.write_text(path, text)


def test_derive_answers_become_stubs_and_proofs_go(page):
    _write(page)
    text = page.student_source.read_text(encoding="utf-8")
    assert '    raise NotImplementedError("Exercise 1.1")\n' in text
    assert "choice = None  # your letter" in text
    assert "**Answer 1.3.** *Write your answer here.*" in text
    assert "rate = 0.5" in text and "게이트" in text
    for secret in ("a * b", '"b"', "Because", "assert", "SOLUTION", "STUB", "proof"):
        assert secret not in text
    compile(text, "student page", "exec")


def test_derive_twice_is_byte_stable_and_in_step(page):
    _write(page)
    first = {path: path.read_bytes() for path in authoring.derive(page)}
    _write(page)
    assert first == {path: path.read_bytes() for path in first}
    assert authoring.out_of_step(page) == []
    page.source.write_text(SOURCE.replace("rate = 0.5", "rate = 0.6"), encoding="utf-8")
    assert len(authoring.out_of_step(page)) == 3


def test_derive_students_links_stay_inside_the_chapters(page):
    linked = SOURCE.replace("Gates 게이트", "Gates, see [xor](../chapters/glossary.md#xor)")
    page.source.write_text(linked, encoding="utf-8")
    _write(page)
    student = nbformat.read(page.student, as_version=4).cells[0]
    solution = nbformat.read(page.solution, as_version=4).cells[0]
    assert "[xor](glossary.md#xor)" in student.source and student.id == solution.id
    assert "[xor](../chapters/glossary.md#xor)" in solution.source


def test_derive_with_an_address_adds_links_and_a_cell_that_fetches_the_workbook(page):
    _write(page)
    without = nbformat.read(page.student, as_version=4).cells
    settings = '[tool.workbook]\nrepository = "https://github.com/a-b/c.d"\n'
    (page.root / "pyproject.toml").write_text(settings, encoding="utf-8")
    _write(page)
    cells = nbformat.read(page.student, as_version=4).cells
    assert "colab.research.google.com/github/a-b/c.d/blob/main/chapters/01_gates" in cells[0].source
    assert "https://github.com/a-b/c.d/blob/main/chapters/01_gates.ipynb)" in cells[0].source
    assert [cell.source for cell in cells[2:]] == [cell.source for cell in without[1:]]
    fetch = cells[1].source
    assert "git" in fetch and "https://github.com/a-b/c.d" in fetch
    exec(compile(fetch, "set-up cell", "exec"), {})  # helpers exist here: it does nothing
    assert authoring.out_of_step(page) == []


def test_set_up_cell_makes_helpers_importable_in_a_running_python(page, tmp_path):
    """As on Colab, the cell runs in a process that was started without the workbook."""
    course = tmp_path / "course"
    (course / "helpers").mkdir(parents=True)
    (course / "helpers" / "__init__.py").write_text("answer = 42\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(course)]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "a"]):
        subprocess.run([*git, *command], check=True)
    (page.root / "pyproject.toml").write_text(
        f'[tool.workbook]\nrepository = "{course.as_uri()}"\n', encoding="utf-8"
    )
    _write(page)
    fetch = nbformat.read(page.student, as_version=4).cells[1].source
    (tmp_path / "elsewhere").mkdir()
    for _ in range(2):  # the second time as after a restart, when the folder exists
        done = subprocess.run(
            [sys.executable, "-S", "-c", fetch + "\nimport helpers; print(helpers.answer)"],
            cwd=tmp_path / "elsewhere",
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            capture_output=True,
            text=True,
        )
        assert done.stdout == "42\n", done.stderr


def test_derive_equal_cells_get_ids_of_their_own(page):
    _write(page)
    ids = [cell.id for cell in nbformat.read(page.student, as_version=4).cells]
    assert len(ids) == len(set(ids))


def test_derive_stored_outputs_of_unchanged_cells_are_kept(page):
    _write(page)
    solution = nbformat.read(page.solution, as_version=4)
    solution.cells[-1].outputs = [nbformat.v4.new_output("stream", text="again\n")]
    nbformat.write(solution, page.solution)
    _write(page)
    assert nbformat.read(page.solution, as_version=4).cells[-1].outputs[0].text == "again\n"
    assert nbformat.read(page.student, as_version=4).cells[-1].outputs == []


def test_derive_student_notebook_is_a_valid_nbgrader_assignment(page):
    from nbgrader.nbgraderformat import MetadataValidator

    _write(page)
    notebook = nbformat.read(page.student, as_version=4)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    graded = {
        cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader
        for cell in notebook.cells
        if "nbgrader" in cell.metadata
    }
    assert graded["check-1-1"].points == 2 and graded["check-1-1"].locked
    assert graded["answer-1-1"].solution and not graded["answer-1-1"].grade
    assert graded["answer-1-3"].points == 3 and graded["answer-1-3"].solution


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    ### BEGIN SOLUTION", "    ### BEGIN SOLUTON", "misspelt"),
        ("    ### BEGIN SOLUTION", "    ## BEGIN SOLUTION", "misspelt"),
        ("    ### BEGIN SOLUTION", "    ### begin solution", "misspelt"),
        ("    ### BEGIN SOLUTION", "    ###BEGIN SOLUTION", "misspelt"),
        ("    ### END SOLUTION", "    ### END", "misspelt"),
        ("    ### END SOLUTION", "    pass", "opens inside another"),
        ("### STUB\n# choice = None  # your letter\n### END SOLUTION", "", "without"),
        ("rate = 0.5", "### END SOLUTION", "not opened"),
        ("rate = 0.5", "### STUB", "inside an answer"),
        ("# choice = None", "choice = None", "must be a comment"),
        ("# ### Exercise 1.1 — Gates", "# ### Exercise 1.2 — Gates", "no exercise '1.2'"),
        ('check("1.1", both)', 'check("1.2", both)', "no exercise '1.2'"),
        ('check("1.1", both)', 'check("1.1", both)\ncheck("1.1", both)', "must be alone"),
        ("# **Answer 1.3.** Because", "# **Answer 1.1.** Because", "must start"),
        ("assert both(1, 1) == 1", "### BEGIN SOLUTION\n### END SOLUTION", "proof cell"),
    ],
)
def test_derive_damaged_source_is_refused_and_writes_nothing(page, old, new, words):
    assert old in SOURCE
    page.source.write_text(SOURCE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SourceError, match=re.escape(words)):
        authoring.derive(page)
    assert not page.student.exists() and not page.solution.exists()


def _execute(page, old="", new=""):
    check = "check = lambda *_: display({'text/plain': '✓'}, raw=True)"
    source = SOURCE.replace("# %%\n", f"# %%\n{check}\n", 1)
    page.source.write_text(source.replace(old, new, 1), encoding="utf-8")
    return authoring.execute(page)


def test_execute_runs_every_cell_and_strips_what_changes_from_run_to_run(page):
    assert _execute(page) > 0
    first = page.solution.read_bytes()
    _execute(page)
    assert page.solution.read_bytes() == first
    notebook = nbformat.read(page.solution, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert code[-1].outputs[0].text == "again\n"
    assert authoring.out_of_step(page) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("assert both(1, 1) == 1", "assert both(1, 1) == 2", "a cell failed"),
        ('print("again")', "import sys; print('x', file=sys.stderr)", "stderr"),
    ],
)
def test_execute_failing_page_is_refused_and_writes_nothing(page, old, new, words):
    with pytest.raises(SourceError, match=words):
        _execute(page, old, new)
    assert not page.solution.exists() and not page.student.exists()


def test_pages_unknown_name_lists_the_pages(page):
    with pytest.raises(ValueError, match="01_gates"):
        authoring.pages(["09"], page.root)


@pytest.mark.parametrize("page", authoring.pages(), ids=lambda page: page.name)
def test_repository_derived_files_are_in_step(page, monkeypatch):
    monkeypatch.undo()
    stale = [f"{path.parent.name}/{path.name}" for path in authoring.out_of_step(page)]
    assert not stale, f"run `make notebooks ARGS={page.name[:2]}`: {stale}"
