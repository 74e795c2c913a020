"""Mark explanations in a browser, one answer at a time; each mark is saved immediately."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web

from helpers.grading.results.marks import mark_key
from helpers.grading.results.pages import render
from helpers.grading.results.report import Report
from helpers.grading.results.store import Store

__all__ = ["Marking", "serve"]


@dataclass
class Marking:
    """The explanations of a run, in the order in which they are marked.

    All answers to one exercise are consecutive, in an order that reveals nothing about the
    students.

    Attributes:
        report: The run's results.
        store: Where the marks are saved.
        names: Whether the students' names are shown.
    """

    report: Report
    store: Store
    names: bool = False
    _undo: list[tuple[str, dict | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        order = {id: place for place, id in enumerate(row["exercise"] for row in self.report.rows)}
        wanted = [
            row
            for row in self.report.rows
            if row["kind"] == "T" and row["outcome"] in ("pending", "marked")
        ]
        self.rows = sorted(wanted, key=lambda row: (order[row["exercise"]], _shuffled(row)))

    def key(self, place: int) -> str:
        """Return the key of the mark for an answer."""
        return mark_key(self.rows[place]["student"], self.rows[place]["exercise"])

    def next_open(self, start: int = 0) -> int:
        """Return the index of the first answer from `start` on without a mark; else the count."""
        marks = self.store.marks
        for place in range(start, len(self.rows)):
            if self.key(place) not in marks or self.rows[place]["changed"]:
                return place
        return len(self.rows)

    def save(self, place: int, points: float, comment: str) -> None:
        """Save a mark.

        Raises:
            ValueError: If there is no such answer, or the points are out of range.
        """
        if not 0 <= place < len(self.rows):
            raise ValueError("There is no such answer.")
        row = self.rows[place]
        if not 0 <= points <= row["max"]:
            raise ValueError(f"{points:g} is not between 0 and {row['max']:g}.")
        self._undo.append((self.key(place), self.store.marks.get(self.key(place))))
        self.store.keep_marks({self.key(place): {"points": points, "comment": comment[:4000]}})
        row["changed"] = False

    def undo(self) -> int | None:
        """Undo the last mark and return the index of its answer; None if there is none."""
        if not self._undo:
            return None
        key, before = self._undo.pop()
        self.store.put_back_mark(key, before)
        return next(place for place in range(len(self.rows)) if self.key(place) == key)

    def shown(self, place: int) -> dict[str, Any]:
        """Return the values for the page of one answer."""
        row, mark = self.rows[place], self.store.marks.get(self.key(place))
        of_exercise = [r for r in self.rows if r["exercise"] == row["exercise"]]
        who = self.report.name(row["student"]) if self.names else (
            f"Answer {of_exercise.index(row) + 1} of {len(of_exercise)}"
        )  # fmt: skip
        return {
            "place": place,
            "last": len(self.rows) - 1,
            "open": sum(self.key(i) not in self.store.marks for i in range(len(self.rows))),
            "who": who,
            "row": row,
            "points": f"{mark['points']:g}" if mark else "",
            "comment": mark["comment"] if mark else "",
            "can_undo": bool(self._undo),
        }


def _shuffled(row: dict) -> str:
    return hashlib.sha256(f"{row['exercise']}/{row['student']}".encode()).hexdigest()


def serve(marking: Marking, say: Callable[[str], None], port: int = 0) -> None:
    """Serve the pages on this computer until Ctrl-C.

    Args:
        marking: What to mark.
        say: Called with the address, which contains a token that only this user knows.
        port: Port to use; 0 for a free one.
    """
    asyncio.run(_serve(marking, say, port))


async def _serve(marking: Marking, say: Callable[[str], None], port: int) -> None:
    token = secrets.token_urlsafe(24)
    sockets = tornado.netutil.bind_sockets(port, "127.0.0.1")
    port = sockets[0].getsockname()[1]
    server = tornado.httpserver.HTTPServer(application(marking, token, port), max_body_size=2**16)
    server.add_sockets(sockets)
    say(f"Open http://127.0.0.1:{port}/?token={token} and stop with Ctrl-C.")
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()


def application(marking: Marking, token: str, port: int) -> tornado.web.Application:
    """Return the Tornado application that serves the pages."""
    settings = {"marking": marking, "token": token, "hosts": {f"127.0.0.1:{port}"}}
    return tornado.web.Application(
        [
            (r"/", _Start, settings),
            (r"/answer/(\d+)", _Answer, settings),
            (r"/undo", _Undo, settings),
        ],
        cookie_secret=token,
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"samesite": "Strict", "httponly": True},
    )


class _Page(tornado.web.RequestHandler):
    def initialize(self, marking: Marking, token: str, hosts: set[str]) -> None:
        self.marking, self.token, self.hosts = marking, token, hosts

    def prepare(self) -> None:
        if self.request.host not in self.hosts:
            raise tornado.web.HTTPError(403, reason="Open the address that the command printed")
        given = self.get_query_argument("token", "")
        if secrets.compare_digest(given.encode(), self.token.encode()):
            self.set_signed_cookie("person", "1", httponly=True, samesite="Strict")
        elif self.get_signed_cookie("person") != b"1":
            raise tornado.web.HTTPError(403, reason="Open the address that the command printed")

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")

    def go_to(self, place: int) -> None:
        self.redirect(f"/answer/{place}" if place < len(self.marking.rows) else "/")

    def show(self, place: int, problem: str = "", status: int = 200) -> None:
        self.set_status(status)
        field_of_form = self.xsrf_form_html()
        shown = self.marking.shown(place)
        self.finish(render("marking.html.j2", xsrf=field_of_form, problem=problem, **shown))


class _Start(_Page):
    def get(self) -> None:
        place = self.marking.next_open()
        if place < len(self.marking.rows):
            self.go_to(place)
        else:
            count = len(self.marking.rows)
            self.finish(render("marked.html.j2", count=count, xsrf=self.xsrf_form_html()))


class _Answer(_Page):
    def get(self, place: str) -> None:
        if int(place) >= len(self.marking.rows):
            raise tornado.web.HTTPError(404)
        self.show(int(place))

    def post(self, text: str) -> None:
        place = int(text)
        if place >= len(self.marking.rows):
            raise tornado.web.HTTPError(404)
        try:
            self.marking.save(place, self._points(place), self.get_body_argument("comment", ""))
        except ValueError as error:
            self.show(place, str(error), 422)
            return
        self.go_to(self.marking.next_open(place + 1))

    def _points(self, place: int) -> float:
        typed = self.get_body_argument("points", "").strip().replace(",", ".")
        earned = [int(number) for number in self.get_body_arguments("criterion")]
        # The field shows the previous points; newly ticked boxes take precedence.
        if typed and not (earned and typed == self.get_body_argument("given", "")):
            try:
                return float(typed)
            except ValueError:
                raise ValueError(f"{typed!r} is not a number.") from None
        rubric = self.marking.rows[place]["rubric"]
        return sum(rubric[number][0] for number in earned if 0 <= number < len(rubric))


class _Undo(_Page):
    def post(self) -> None:
        place = self.marking.undo()
        self.go_to(self.marking.next_open() if place is None else place)
