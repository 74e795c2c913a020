"""Feedback escapes everything, hides the rubric until marking, and has landmarks."""

from __future__ import annotations

import re

from helpers.grading.results.pages import class_page, feedback_page
from tests.grading.results.results import record, report

SCRIPT = "<script>alert(1)</script>{{ 7 * 7 }}"


def test_feedback_escapes_what_a_student_wrote():
    page = feedback_page(report(record("kim", SCRIPT, words=SCRIPT)), "kim")
    assert "<script" not in page and "49" not in page
    assert page.count("&lt;script&gt;") == 3


def test_feedback_has_one_main_one_h1_and_headings_in_order():
    page = feedback_page(report(record("kim")), "kim")
    assert page.count("<main>") == page.count("<h1>") == 1
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_rubric_is_shown_after_marking_only():
    waiting = feedback_page(report(record("kim")), "kim")
    assert "names the line" not in waiting and "Waiting to be marked" in waiting
    marks = {"kim/1.11": {"points": 1.0, "comment": "Good."}}
    marked = feedback_page(report(record("kim"), marks=marks), "kim")
    assert "names the line" in marked and "Good." in marked


def test_feedback_of_a_huge_answer_stays_small():
    assert len(feedback_page(report(record("kim", words="<" * 5_000_000)), "kim")) < 100_000


def test_class_page_tells_points_exercises_and_the_commonest_message():
    page = class_page(report(record("kim"), record("lee"), record("park")))
    assert "3 students" in page and "3 times: Given …: expected …." in page
    assert page.index("1.10 Likelihood") < page.index("1.1 Gates"), "hardest first"


def test_class_page_names_copies_and_leaves_out_what_all_wrote():
    common = " ".join(f"word{i}" for i in range(60))
    own = {s: " ".join(f"{s}{i}" for i in range(60)) for s in ("kim", "lee", "park", "choi")}
    copied = record("cho", words=f"{common} {own['kim']}", sha256="kim")
    page = class_page(report(*(record(s, words=f"{common} {t}") for s, t in own.items()), copied))
    assert "cho and kim" in page and "kim and lee" not in page
    assert "<li>cho, kim</li>" in page, "the same bytes"
