"""Marking in the browser is anonymous, saved step by step, can be undone, and is private."""

from __future__ import annotations

import re

import pytest
import tornado.testing

from helpers.grading.results import tables
from helpers.grading.results.browser import Marking, application
from helpers.grading.results.store import Store
from tests.grading.results.results import record, report


@pytest.fixture
def marking(tmp_path) -> Marking:
    store = Store(tmp_path)
    made = report(record("4711", "Kim"), record("4712", "Lee"))
    tables.write(made, store, {})
    return Marking(made, store)


def test_marks_are_kept_step_by_step_and_taken_back(marking):
    assert marking.next_open() == 0
    marking.save(0, 2, "Good.")
    assert marking.store.marks[marking.key(0)]["points"] == 2 and marking.next_open() == 1
    marking.save(0, 1, "On reflection.")
    assert marking.undo() == 0 and marking.store.marks[marking.key(0)]["points"] == 2
    assert marking.undo() == 0 and marking.key(0) not in marking.store.marks
    assert marking.undo() is None


def test_impossible_points_are_refused(marking):
    with pytest.raises(ValueError, match="not between 0 and 2"):
        marking.save(0, 3, "")
    assert not marking.store.marks


class MarkingPages(tornado.testing.AsyncHTTPTestCase):
    @pytest.fixture(autouse=True)
    def _marking(self, marking):
        self.marking = marking

    def get_app(self):
        return application(self.marking, "secret-token", self.get_http_port())

    def visit(self, path, cookie="", **options):
        headers = {"Cookie": cookie} if cookie else {}
        return self.fetch(path, headers=headers, follow_redirects=False, **options)

    def enter(self) -> str:
        answer = self.visit("/?token=secret-token")
        assert answer.code == 302
        return "; ".join(c.split(";")[0] for c in answer.headers.get_list("Set-Cookie"))

    def test_nothing_is_shown_without_the_token(self):
        for path in ("/", "/answer/0", "/?token=guess"):
            assert self.visit(path).code == 403
        assert self.fetch("/", headers={"Host": "evil.example"}).code == 403

    def test_an_answer_is_anonymous_and_marked_by_its_rubric(self):
        cookie = self.enter()
        shown = self.visit("/answer/0", cookie)
        page = shown.body.decode()
        assert "Because." in page and "names the line" in page
        assert "Kim" not in page and "Lee" not in page and "4711" not in page
        token = re.search(r'name="_xsrf" value="([^"]+)"', page)[1]
        cookie += "; " + shown.headers["Set-Cookie"].split(";")[0]
        form = f"_xsrf={token}&criterion=0&criterion=1&points=&comment=Fine"
        saved = self.visit("/answer/0", cookie, method="POST", body=form)
        assert saved.code == 302 and saved.headers["Location"] == "/answer/1"
        mark = self.marking.store.marks[self.marking.key(0)]
        assert (mark["points"], mark["comment"]) == (2.0, "Fine")

    def test_boxes_ticked_again_replace_the_points_that_were_given(self):
        cookie = self.enter()
        shown = self.visit("/answer/0", cookie)
        token = re.search(r'name="_xsrf" value="([^"]+)"', shown.body.decode())[1]
        cookie += "; " + shown.headers["Set-Cookie"].split(";")[0]
        self.marking.save(0, 2, "")
        page = self.visit("/answer/0", cookie).body.decode()
        assert 'name="given" value="2"' in page and 'name="points"' in page
        saved = {"criterion=0&points=2&given=2": 1.0, "points=2&given=1": 2.0,
                 "points=2&given=2": 2.0, "criterion=0&points=1,5&given=2": 1.5,
                 "criterion=1&points=": 1.0, "points=": 0.0}  # fmt: skip
        for form, points in saved.items():
            body = f"_xsrf={token}&comment=&{form}"
            assert self.visit("/answer/0", cookie, method="POST", body=body).code == 302
            assert self.marking.store.marks[self.marking.key(0)]["points"] == points

    def test_a_form_without_its_token_is_refused(self):
        cookie = self.enter()
        answer = self.visit("/answer/0", cookie, method="POST", body="points=2")
        assert answer.code == 403 and not self.marking.store.marks
