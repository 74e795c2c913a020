"""Grade one notebook: find its answers, run the checks here and the answers there."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

from helpers.answers import AnswerError
from helpers.exercises import Exercise, Outcome
from helpers.grading import proxy
from helpers.grading.sandbox import ForkServer, Worker, WorkerLost
from helpers.grading.sandbox.limits import Limits
from helpers.grading.submitted_notebook import Notebook, written_answer

_MAX_TEXT = 1_200
_MAX_ANSWER = 6_000
# As on the page; then with all definitions, wherever they stand; then with every cell run.
_PASSES = ((False, False), (True, False), (True, True))


class CheckTooLong(BaseException):
    """A check itself did not end; not an `Exception`, so no check swallows it."""


def seed_of(run_seed: int, id: str) -> int:
    """Return the seed of an exercise's inputs in a run: the same for every student."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}/{id}".encode()).digest()[:4], "little")


def grade_notebook(
    notebook: Notebook,
    exercises: list[Exercise],
    server: ForkServer,
    limits: Limits,
    run_seed: int,
) -> list[dict]:
    """Return one plain result for each exercise, in the order of `exercises`.

    Args:
        notebook: What the student handed in.
        exercises: The chapter's exercises.
        server: Where workers come from.
        limits: What the notebook may use.
        run_seed: Seed of the run; the same seed gives the same results.
    """
    results = {e.id: _written(e, notebook) for e in exercises if e.check is None}
    checked = [exercise for exercise in exercises if exercise.check is not None]
    run = _Run(notebook, server, limits, run_seed)
    try:
        results |= run.grade(checked)
    finally:
        run.close()
    return [results[exercise.id] for exercise in exercises]


def _written(exercise: Exercise, notebook: Notebook) -> dict:
    answer = written_answer(notebook, exercise.id)
    status = "pending" if answer else "not attempted"
    message = "A person marks this answer." if answer else ""
    outcome = Outcome("not attempted", 0.0, message)
    return _result(exercise, outcome, answer, None) | {
        "outcome": status,
        "rubric": [[float(points), text] for points, text in exercise.rubric],
    }


def _result(exercise: Exercise, outcome: Outcome, answer: str, seed: int | None) -> dict:
    return {
        "id": exercise.id,
        "title": exercise.title,
        "kind": exercise.kind,
        "max": float(exercise.points),
        "points": min(max(float(outcome.points), 0.0), float(exercise.points)),
        "outcome": str(outcome.status),
        "message": _clean(outcome.message, _MAX_TEXT),
        "line": _clean(outcome.line, 300),
        "answer": _clean(answer, _MAX_ANSWER),
        "seed": seed,
    }


def _clean(text: Any, limit: int) -> str:
    """Return text without control or direction characters, and not too long."""
    text = str(text)[: limit + 1].replace("\r\n", "\n").replace("\t", "    ")
    text = "".join(c if c == "\n" or c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return text if len(text) <= limit else text[:limit] + " ..."


class _Run:
    """The workers that one notebook goes through."""

    def __init__(self, notebook: Notebook, server: ForkServer, limits: Limits, run_seed: int):
        self.notebook, self.server, self.limits, self.seed = notebook, server, limits, run_seed
        self.ends = time.monotonic() + limits.notebook_seconds
        self.bad: dict[int, AnswerError] = {}
        self.worker: Worker | None = None
        self.plans: dict[str, dict] = {}
        self.waiting: list[Exercise] = []
        self.everything = self.at_end = False
        self.restarts = 0

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
        self.worker = None

    def grade(self, exercises: list[Exercise]) -> dict[str, dict]:
        """Return the results by id: in the notebook's order first, then where answers hide."""
        results: dict[str, dict] = {}
        self.waiting = list(exercises)
        for self.at_end, self.everything in _PASSES:
            self.close()
            again = []
            while self.waiting:
                plans = self._plans()
                if isinstance(plans, AnswerError):
                    stopped = Outcome("stopped", 0.0, str(plans), plans.line)
                    for exercise in self.waiting:
                        results.setdefault(exercise.id, self._result(exercise, stopped, {}))
                    return results
                exercise = min(self.waiting, key=lambda e: plans[e.id]["end"])
                outcome, hidden = self._check(exercise)
                before = results.get(exercise.id)
                if before is None or _is_better(outcome, before):
                    plan = self.plans.get(exercise.id, {})
                    results[exercise.id] = self._result(exercise, outcome, plan)
                if hidden:
                    again.append(exercise)
                self.waiting.remove(exercise)
            self.waiting = again
        return results

    def _result(self, exercise: Exercise, outcome: Outcome, plan: dict) -> dict:
        places = [k for k in plan.get("source", []) if 0 <= k < len(self.notebook.code)]
        answer = "\n\n".join(self.notebook.code[k] for k in places[-3:])
        return _result(exercise, outcome, answer, seed_of(self.seed, exercise.id))

    def _plans(self) -> dict[str, dict] | AnswerError:
        """Return where each waiting exercise is answered, with a living worker behind it."""
        if self.worker is not None:
            return self.plans
        if self.restarts > self.limits.restarts:
            return AnswerError("Process ended", "this notebook ended too many workers")
        if time.monotonic() > self.ends:
            limit = f"{self.limits.notebook_seconds:g} s"
            return AnswerError("Time limit", f"this notebook used up its {limit}")
        self.restarts += 1
        self.worker = self.server.worker(self.limits, self.ends)
        asked = [
            {
                "id": exercise.id,
                "names": list(exercise.names),
                "may_change_input": bool(exercise.may_change_input),
                "at_end": self.at_end,
            }
            for exercise in self.waiting
        ]
        request = {"do": "load", "cells": self.notebook.code, "exercises": asked}
        request |= {"skip": list(self.bad), "everything": self.everything}
        try:
            told = proxy.request(self.worker, request)
            plans = [_plan_told(plan, number) for number, plan in enumerate(told)]
            self.plans = {e.id: plan for e, plan in zip(self.waiting, plans, strict=True)}
        except AnswerError as error:
            self.close()
            return error
        except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError):
            self.close()
            return AnswerError("Unreadable answer", "the notebook's process gave no plan")
        return self.plans

    def _check(self, exercise: Exercise) -> tuple[Outcome, bool]:
        """Return what came of one exercise, and whether to look for its answer elsewhere."""
        outcome, elsewhere = self._attempt(exercise, False)
        plan = self.plans.get(exercise.id, {})
        if outcome.points == 0 and plan.get("call") and self.worker is not None:
            other, _ = self._attempt(exercise, True)
            if outcome.status == "not attempted" or elsewhere or other.points:
                return other, False
        if outcome.status == "not attempted" or elsewhere:
            return outcome, elsewhere or (plan.get("later", False) and not self.at_end)
        return outcome, outcome.message.startswith("NameError") and not self.everything

    def _attempt(self, exercise: Exercise, call: bool) -> tuple[Outcome, bool]:
        reached = self._reach(exercise, call)
        if isinstance(reached, Outcome):
            return reached, False
        names = [name for name in exercise.names if name in reached["missing"]]
        if names:
            plan = self.plans[exercise.id]
            elsewhere = (reached["elsewhere"] or plan["later"]) and not self.everything
            return self._without(names, reached["failures"], plan), elsewhere
        answers = [proxy.RemoteAnswer(self.worker, name) for name in exercise.names]
        left = max(self.ends - time.monotonic(), 1.0)
        try:
            with _within(min(left, 12 * self.limits.call_seconds)):
                outcome = exercise.run(answers, seed_of(self.seed, exercise.id))
        except AnswerError as error:
            outcome = Outcome("stopped", 0.0, str(error), error.line)
        except CheckTooLong:
            self.server.close()
            outcome = Outcome("stopped", 0.0, "Time limit: the check of this answer did not end.")
        except Exception as error:
            outcome = Outcome(
                "not yet",
                0.0,
                f"The check could not be finished with what came back ({type(error).__name__}); "
                "ask your instructor to look at this answer.",
            )
        if self.worker.lost or not self.server.pid or self.worker.has_company:
            self.close()
        return outcome, False

    def _reach(self, exercise: Exercise, call: bool) -> dict | Outcome:
        """Run the needed cells; a cell that takes the worker with it is left out from then on."""
        while True:
            number = self.plans[exercise.id]["number"]
            asked = {"do": "reach", "number": number, "call": call}
            cell = None
            try:
                return self._reached(self.worker.ask(asked, self.limits.call_seconds))
            except WorkerLost as lost:
                error, cell = proxy.lost_answer(lost), lost.cell
            except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError):
                error = AnswerError("Unreadable answer", "the notebook's process gave no account")
            self.close()
            if cell is None or cell in self.bad:
                return Outcome("stopped", 0.0, str(error))
            self.bad[cell] = error
            plans = self._plans()
            if isinstance(plans, AnswerError):
                return Outcome("stopped", 0.0, str(plans))

    def _reached(self, reply: dict) -> dict:
        told = reply["ok"]
        failures = {}
        for failure in told["failures"]:
            place, error = int(failure["cell"]), proxy.error_of(failure, self.limits.cell_seconds)
            failures[place] = error
            if error.kind == "Time limit":
                self.bad[place] = error
        return {
            "missing": [str(name) for name in told["missing"]],
            "elsewhere": bool(told["elsewhere"]),
            "failures": failures | self.bad,
        }

    def _without(self, names: list[str], failures: dict[int, AnswerError], plan: dict) -> Outcome:
        """Return the outcome where a name is missing, with the reason why."""
        wanted = " and ".join(f"`{name}`" for name in names)
        for place in [k for k in plan["source"] if k in failures] or list(failures)[:1]:
            error = failures[place]
            return Outcome(
                "stopped",
                0.0,
                f"{wanted} could not be defined, since code cell {place + 1} stopped. {error}",
                error.line,
            )
        return Outcome("not attempted", 0.0, f"No {wanted} was found in this notebook.")


def _is_better(outcome: Outcome, before: dict) -> bool:
    """Tell whether a second look found more than the first."""
    if outcome.points != before["points"]:
        return outcome.points > before["points"]
    return before["outcome"] == "not attempted" != outcome.status


def _plan_told(plan: Any, number: int) -> dict:
    return {
        "number": number,
        "end": int(plan["end"]),
        "call": bool(plan["call"]),
        "later": bool(plan["later"]),
        "source": [int(k) for k in plan["source"]][:100],
    }


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise `CheckTooLong` in the block after `seconds`, where the process allows it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: Any) -> None:
        raise CheckTooLong()

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
