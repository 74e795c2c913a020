"""A released earlier answer replaces a wrong one when an answer builds on it."""

from __future__ import annotations

import pytest

from helpers import feedback
from helpers.exercises import CHAPTERS, exercises_of, find, released, released_answer

_XOR = "def xor_gate(x1, x2):\n    return and_gate(nand_gate(x1, x2), or_gate(x1, x2))"
_STUBS = "\n".join(
    f"def {name}(x1, x2):\n    raise NotImplementedError('Exercise 1.1')"
    for name in ("and_gate", "nand_gate", "or_gate")
)


def _outcome(page: dict):
    xor = find("1.2")

    def run():
        return xor.run(xor.local_answers([page["xor_gate"]]), 0)

    return released.judged_again(xor, run(), run, page=page)


@pytest.mark.parametrize("id", [e.id for c in CHAPTERS for e in exercises_of(c) if e.builds_on])
def test_released_answer_of_what_others_build_on_is_python(id):
    for earlier in released.needed_by(find(id)):
        source = released_answer(earlier.id)
        compile(source, earlier.id, "exec")
        assert all(name in source for name in earlier.names)
        assert "###" not in source and "NotImplementedError" not in source


def test_released_answer_of_a_course_without_solutions_is_empty(tmp_path):
    assert released_answer("1.1", tmp_path) == ""


def test_xor_on_stubs_of_gates_is_correct_and_says_why():
    page: dict = {}
    exec(f"{_STUBS}\n{_XOR}", page)
    before = page["and_gate"]
    outcome = _outcome(page)
    assert outcome.status == "correct"
    assert outcome.message == (
        "Checked with the released answer to exercise 1.1 in place of yours, which needs more work."
    )
    assert page["and_gate"] is before


def test_wrong_xor_on_stubs_of_gates_stays_wrong():
    page: dict = {}
    exec(f"{_STUBS}\n{_XOR.replace('nand_gate', 'or_gate')}", page)
    assert _outcome(page).points == 0


def test_xor_without_gates_leaves_no_released_answer_on_the_page():
    page: dict = {}
    exec(_XOR, page)
    assert _outcome(page).status == "correct"
    assert "and_gate" not in page


def test_check_on_the_page_judges_with_released_gates(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("WORKBOOK_STATE", str(tmp_path))
    page: dict = {}
    exec(f"{_STUBS}\n{_XOR}", page)
    monkeypatch.setattr("sys.modules", {**__import__("sys").modules, "__main__": _Page(page)})
    feedback.check("1.2", page["xor_gate"])
    assert "released answer to exercise 1.1" in capsys.readouterr().out


class _Page:
    def __init__(self, names: dict):
        self.__dict__ = names
