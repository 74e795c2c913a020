"""The structure of the repository: which module may import which, and where its tests are."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from helpers.authoring import ROOT

# Which part of helpers may import which. A student's module never imports a grader's.
FOUNDATION = {"backend", "files"}
STUDENT = {"autograd", "data", "models", "numeric", "plotting", "training"} | FOUNDATION
CHECKS = {"answers", "exercises"} | FOUNDATION
ALLOWED = {
    **dict.fromkeys(FOUNDATION, set()),
    **dict.fromkeys(STUDENT - FOUNDATION, STUDENT),
    # A check compares an answer with Keras, NumPy or a mathematical property, not with the code
    # that the page imports.
    "answers": CHECKS,
    "exercises": CHECKS | {"data", "models", "numeric", "training"},
    "feedback": CHECKS | STUDENT | {"translation"},
    "translation": set(),
    "numbering": CHECKS,
    "authoring": CHECKS | {"numbering"},
    "grading": CHECKS | {"grading", "data", "authoring"},
    "lab": CHECKS | {"authoring"},
    "book": CHECKS | {"authoring"},
    "install": set(),  # runs before anything is installed
    "__init__": STUDENT | {"feedback"},
}
# Tests that belong to no single module.
WITHOUT_MODULE = {"test_house", "pages", "benchmarks", "exercises"}


@cache
def modules() -> dict[str, Path]:
    """Return the modules of helpers by dotted name; a package is its `__init__`."""
    found = {}
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str) -> set[str]:
    """Return the modules of helpers that a module imports, at any place in its code."""
    found = set()
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from package import module` is an import of the module.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            wanted = [named if named in modules() else node.module for named in names]
        else:
            continue
        found.update(module for module in wanted if module in modules())
    return found - {name}


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def test_imports_form_no_cycle():
    graph = {name: imports(name) for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("These modules import each other: " + " -> ".join(error.args[1]))


def test_each_room_imports_only_what_it_may():
    wrong = [
        f"{name} imports {other}"
        for name in modules()
        if room(name) in ALLOWED
        for other in imports(name)
        if room(other) != room(name) and room(other) not in ALLOWED[room(name)]
    ]
    assert not wrong


def test_every_room_has_a_rule_but_the_commands():
    assert {room(name) for name in modules()} - set(ALLOWED) <= {"cli", "__main__"}


def test_tests_lie_where_their_module_does():
    orphans = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        parts = path.relative_to(ROOT / "tests").with_suffix("").parts
        module = ROOT.joinpath("helpers", *parts[:-1], parts[-1].removeprefix("test_"))
        package = ROOT.joinpath("helpers", *parts[:-1]) if parts[:-1] else None
        fits = module.with_suffix(".py").exists() or (package and package.is_dir())
        if not fits and not WITHOUT_MODULE & set(parts):
            orphans.append("/".join(parts))
    assert not orphans


def test_public_names_are_declared():
    silent = [
        name
        for name, path in modules().items()
        if "__all__" not in path.read_text(encoding="utf-8") and _public(path)
        if not name.startswith("helpers.exercises.ch")  # checks register themselves
    ]
    assert not silent, f"{len(silent)} modules have public names and no __all__"


def _public(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.ClassDef
    return [n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]
