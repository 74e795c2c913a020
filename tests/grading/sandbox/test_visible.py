"""Only an explicit list of modules is visible in the sandbox; new modules are hidden."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest

from helpers.grading.sandbox import visible

PACKAGE = Path(importlib.util.find_spec("helpers").origin).parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")


@pytest.fixture
def inside(tmp_path) -> Path:
    visible.copy_students_side(tmp_path)
    return tmp_path


def test_copy_shows_the_listed_modules_and_nothing_else(inside):
    assert sorted(path.name for path in (inside / "helpers").iterdir()) == sorted(
        visible.STUDENT_MODULES
    )
    hidden = {"exercises", "grading", "lab", "cli.py", "feedback.py", "authoring.py", "__main__.py"}
    assert hidden <= {path.name for path in PACKAGE.iterdir()}
    assert not hidden & set(visible.STUDENT_MODULES)


def test_copy_hides_a_new_module(tmp_path, monkeypatch):
    package = tmp_path / "site" / "helpers"
    package.mkdir(parents=True)
    for name in visible.STUDENT_MODULES:
        if "." in name:
            (package / name).write_text("")
        else:
            (package / name).mkdir()
    (package / "answers_of_the_exam.py").write_text("secret = 1")
    (package / "exam").mkdir()
    found = type("Spec", (), {"origin": str(package / "__init__.py")})
    monkeypatch.setattr(visible.importlib.util, "find_spec", lambda name: found)
    folder = tmp_path / "inside"
    folder.mkdir()
    visible.copy_students_side(folder)
    shown = sorted(path.name for path in (folder / "helpers").iterdir())
    assert shown == sorted(visible.STUDENT_MODULES)


def test_shown_modules_import_only_each_other(inside):
    """A module that a student can see must not need one that is hidden."""
    listed = {Path(name).stem for name in visible.STUDENT_MODULES}
    behind_a_call = {"feedback", "exercises"}  # the checks of a page, which the worker replaces
    for path in (inside / "helpers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers"):
                parts = node.module.split(".")
                names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            elif isinstance(node, ast.Import):
                split = [alias.name.split(".") for alias in node.names]
                names = [parts[1] for parts in split if parts[0] == "helpers" and len(parts) > 1]
            for name in names:
                assert name in listed | behind_a_call | {"check", "hint", "progress"}, path.name


def test_all_that_runs_inside_lies_in_one_folder(inside):
    folder = PACKAGE / "grading" / "sandbox" / "inside"
    own = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert {path.name for path in inside.glob("*.py")} == own
