"""Grade one notebook: find its answers, run the checks here and the answers in a worker."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from helpers.answers import AnswerError
from helpers.exercises import Exercise, Outcome
from helpers.exercises.released import needed_by
from helpers.grading import proxy
from helpers.grading.sandbox import ForkServer, Worker, WorkerLost
from helpers.grading.sandbox.limits import Limits
from helpers.grading.submitted_notebook import Notebook, written_answer

__all__ = ["CheckTooLong", "grade_notebook", "seed_of", "told"]

_MAX_TEXT = 1_200
_MAX_ANSWER = 6_000
_RAISED = "Your code stopped with "
_UNDEFINED = re.compile(rf"{_RAISED}NameError: \u201cname '(\w+)' is not defined")
# In page order; then with all definitions, wherever they are; then with every cell run.
_PASSES = ((False, False), (True, False), (True, True))


def told(error: AnswerError) -> str:
    """Return the reason why an answer stopped, as a sentence of feedback."""
    return _sentence(str(error))


def _sentence(reason: str) -> str:
    """Return the grader's messages unchanged, and introduce those of the student's code."""
    return reason if reason.startswith(proxy.OWN_WORDS) else f"{_RAISED}{reason}"


class CheckTooLong(BaseException):
    """A check itself did not finish; not an `Exception`, so that no check catches it."""


def seed_of(run_seed: int, id: str, content: str) -> int:
    """Return the seed of an exercise's inputs in a run.

    Args:
        run_seed: Seed of the run.
        id: The exercise.
        content: Digest of the graded code: a changed notebook gets other inputs, so that the
            feedback on the previous ones does not help.
    """
    digest = hashlib.sha256(f"{run_seed}/{id}/{content}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def grade_notebook(
    notebook: Notebook,
    exercises: list[Exercise],
    server: ForkServer,
    limits: Limits,
    run_seed: int,
    released: Mapping[str, str] | None = None,
) -> list[dict]:
    """Return one plain result for each exercise, in the order of `exercises`.

    Args:
        notebook: The submitted notebook.
        exercises: The chapter's exercises.
        server: Server that forks the workers.
        limits: Resource limits of the notebook.
        run_seed: Seed of the run; the same seed gives the same results.
        released: Source of the released answer by exercise id, for exercises that others build on.
    """
    results = {e.id: _written(e, notebook) for e in exercises if e.check is None}
    checked = [exercise for exercise in exercises if exercise.check is not None]
    run = _Run(notebook, server, limits, run_seed)
    try:
        results |= run.grade(checked)
    finally:
        run.close()
    for exercise in checked:
        given = _earlier_to_give(exercise, checked, results, released or {})
        if given and run.first_plans.get(exercise.id, {}).get("written"):
            names = [name for e in checked if e.id in given for name in e.names]
            again = run.with_answers(exercise, "\n\n".join(given.values()), names)
            results[exercise.id] = _judged_again(exercise, given, results[exercise.id], again)
    return [results[exercise.id] for exercise in exercises]


def _earlier_to_give(
    exercise: Exercise,
    exercises: Sequence[Exercise],
    results: Mapping[str, dict],
    released: Mapping[str, str],
) -> dict[str, str]:
    """Return the released answers to exercises that this one needs and the student got wrong."""
    if results[exercise.id]["outcome"] == "correct":
        return {}
    needed = [earlier.id for earlier in needed_by(exercise, exercises)]
    wrong = [id for id in needed if results[id]["outcome"] != "correct"]
    return {id: released[id] for id in wrong if id in released}


def _judged_again(exercise: Exercise, given: Iterable[str], before: dict, again: _Run) -> dict:
    """Return the result of an answer with released earlier answers in place of the student's.

    No message of the student's code in this second run is passed on, because it could reveal the
    released answers.
    """
    try:
        result = again.grade([exercise])[exercise.id]
    finally:
        again.close()
    listed = " and ".join(given)
    word = "answers to exercises" if " and " in listed else "answer to exercise"
    note = f"Checked with the released {word} {listed} in place of yours"
    if result["points"] > before["points"]:
        is_whole = result["outcome"] == "correct"
        rest = "." if is_whole else ", and part of it is not right yet."
        return before | {
            "points": result["points"],
            "outcome": "correct" if is_whole else "not yet",
            "message": note + rest,
            "line": "",
        }
    rest = before["message"] or "No answer was found."
    return before | {"message": _clean(f"{rest} {note}, it is not correct either.", _MAX_TEXT)}


def _written(exercise: Exercise, notebook: Notebook) -> dict:
    answer = written_answer(notebook, exercise.id)
    status = "pending" if answer else "not attempted"
    message = "This answer is marked by hand." if answer else ""
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
    """Return text without control or bidirectional characters, cut to `limit` characters."""
    text = str(text)[: limit + 1].replace("\r\n", "\n").replace("\t", "    ")
    text = "".join(c if c == "\n" or c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return text if len(text) <= limit else text[:limit] + " ..."


class _Run:
    """Grades one notebook, with one worker after another."""

    def __init__(self, notebook: Notebook, server: ForkServer, limits: Limits, run_seed: int):
        self.notebook, self.server, self.limits, self.seed = notebook, server, limits, run_seed
        self.ends = time.monotonic() + limits.notebook_seconds * limits.patience
        self.content = hashlib.sha256(json.dumps(notebook.code).encode()).hexdigest()
        self.bad: dict[int, AnswerError] = {}
        self.worker: Worker | None = None
        self.plans: dict[str, dict] = {}
        self.first_plans: dict[str, dict] = {}
        self.waiting: list[Exercise] = []
        self.everything = self.at_end = False
        self.restarts = 0
        self.replaced: dict[str, list] = {"names": [], "given": []}

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
        self.worker = None

    def with_answers(self, exercise: Exercise, source: str, names: list[str]) -> _Run:
        """Return a run of the same notebook in which `source` defines `names`.

        Args:
            exercise: `source` is inserted wherever this exercise is answered.
            source: The released answers.
            names: What they define; the notebook's own definitions of these are left out.
        """
        plan = self.first_plans[exercise.id]
        places = {min(place, len(self.notebook.code)) for place in (*plan["source"], plan["end"])}
        code: list[str] = []
        given: list[int] = []
        for place, cell in enumerate([*self.notebook.code, ""]):
            if place in places:
                given.append(len(code))
                code.append(source)
            code.append(cell)
        run = _Run(
            replace(self.notebook, code=code, counts=[]), self.server, self.limits, self.seed
        )
        run.ends, run.content, run.restarts = self.ends, self.content, self.restarts
        run.replaced = {"names": names, "given": given}
        return run

    def grade(self, exercises: list[Exercise]) -> dict[str, dict]:
        """Return the results by exercise id.

        Answers are looked for in page order first. Exercises whose answer, or a name that it needs,
        was not found there are tried again as in `_PASSES`.
        """
        results: dict[str, dict] = {}
        self.waiting = list(exercises)
        for self.at_end, self.everything in _PASSES:
            self.close()
            again = []
            while self.waiting:
                plans = self._plans()
                if isinstance(plans, AnswerError):
                    stopped = Outcome("stopped", 0.0, told(plans), plans.line)
                    for exercise in self.waiting:
                        results.setdefault(exercise.id, self._result(exercise, stopped, {}))
                    return results
                self.first_plans = plans | self.first_plans
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
        return _result(exercise, outcome, answer, seed_of(self.seed, exercise.id, self.content))

    def _plans(self) -> dict[str, dict] | AnswerError:
        """Return where each waiting exercise is answered; start a worker if there is none."""
        if self.worker is not None:
            return self.plans
        if self.restarts > self.limits.restarts:
            return AnswerError("Process ended", "this notebook ended its process too many times")
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
        request |= {"order": _order_of(self.notebook), "files": _files_of(self.notebook)}
        request["replaced"] = self.replaced
        try:
            listed = proxy.request(self.worker, request)
            plans = [_plan_told(plan, number) for number, plan in enumerate(listed)]
            self.plans = {e.id: plan for e, plan in zip(self.waiting, plans, strict=True)}
        except AnswerError as error:
            self.close()
            return error
        except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError):
            self.close()
            return AnswerError("Unreadable answer", "the notebook's process sent a bad reply")
        return self.plans

    def _check(self, exercise: Exercise) -> tuple[Outcome, bool]:
        """Return the outcome of one exercise, and whether to look for its answer elsewhere."""
        outcome, elsewhere = self._attempt(exercise, False)
        plan = self.plans.get(exercise.id, {})
        if outcome.status == "not attempted" and plan.get("call") and self.worker is not None:
            other, _ = self._attempt(exercise, True)
            if other.status != "not attempted":
                return other, False
        if outcome.status == "not attempted" or elsewhere:
            return outcome, elsewhere or (plan.get("later", False) and not self.at_end)
        return outcome, self._lacks_a_helper(exercise, outcome) and not self.everything

    def _lacks_a_helper(self, exercise: Exercise, outcome: Outcome) -> bool:
        """Return whether a function stopped at an undefined name that occurs in the notebook."""
        if exercise.kind != "C" or outcome.status != "stopped":
            return False
        named = _UNDEFINED.match(outcome.message)
        return bool(named) and any(named[1] in source for source in self.notebook.code)

    def _attempt(self, exercise: Exercise, other: bool) -> tuple[Outcome, bool]:
        reached = self._reach(exercise, other)
        if isinstance(reached, Outcome):
            return reached, False
        names = [name for name in exercise.names if name in reached["missing"]]
        if names:
            plan = self.plans[exercise.id]
            elsewhere = (reached["elsewhere"] or plan["later"]) and not self.everything
            without = self._without(names, reached["failures"], plan)
            if elsewhere or len(names) == len(exercise.names):
                return without, elsewhere
        answers = [proxy.RemoteAnswer(self.worker, name) for name in exercise.names]
        try:
            with self._within():
                outcome = exercise.run(answers, seed_of(self.seed, exercise.id, self.content))
            if outcome.status == "stopped":
                outcome = replace(outcome, message=_sentence(outcome.message))
        except AnswerError as error:
            outcome = Outcome("stopped", 0.0, told(error), error.line)
        except CheckTooLong:
            self.server.close()
            outcome = Outcome("stopped", 0.0, "Time limit: the check of this answer did not end.")
        except Exception as error:
            outcome = Outcome(
                "not yet",
                0.0,
                f"The check stopped at the value that your code returned ({type(error).__name__}); "
                "ask your instructor to look at this answer.",
            )
        if self.worker.lost or not self.server.pid or self.worker.has_company:
            self.close()
        if names and outcome.status == "not attempted":
            return without, False
        return outcome, False

    def _within(self) -> contextlib.AbstractContextManager:
        """Limit a check: its own CPU time, and its wall-clock time by the notebook's end.

        Calls of the answers have their own limits.
        """
        return _within(12 * self.limits.call_seconds, max(self.ends - time.monotonic(), 1.0))

    def _reach(self, exercise: Exercise, other: bool) -> dict | Outcome:
        """Run the needed cells; a cell that ends the worker is skipped from then on."""
        while True:
            number = self.plans[exercise.id]["number"]
            asked = {"do": "reach", "number": number, "other": other}
            cell = None
            try:
                reached = self._reached(self.worker.ask(asked, self.limits.call_seconds))
                if self.everything and reached["missing"]:
                    asked["again"] = True
                    reached = self._reached(self.worker.ask(asked, self.limits.call_seconds))
                return reached
            except WorkerLost as lost:
                error, cell = proxy.lost_answer(lost), lost.cell
            except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError):
                error = AnswerError("Unreadable answer", "the notebook's process sent a bad reply")
            self.close()
            if cell is None or cell in self.bad:
                return Outcome("stopped", 0.0, told(error))
            self.bad[cell] = error
            plans = self._plans()
            if isinstance(plans, AnswerError):
                return Outcome("stopped", 0.0, told(plans))

    def _reached(self, reply: dict) -> dict:
        account = reply["ok"]
        failures = {}
        for failure in account["failures"]:
            place, error = int(failure["cell"]), proxy.error_of(failure, self.limits.cell_seconds)
            failures[place] = error
            if error.kind == "Time limit":
                self.bad[place] = error
        return {
            "missing": [str(name) for name in account["missing"]],
            "elsewhere": bool(account["elsewhere"]),
            "failures": failures | self.bad,
        }

    def _without(self, names: list[str], failures: dict[int, AnswerError], plan: dict) -> Outcome:
        """Return the outcome for missing names, with the reason."""
        wanted = " and ".join(f"`{name}`" for name in names)
        for place in [k for k in plan["source"] if k in failures] or list(failures)[:1]:
            error = failures[place]
            why = f"{wanted} could not be defined, because code cell {place + 1} stopped."
            return Outcome("stopped", 0.0, f"{why} {told(error)}", error.line)
        return Outcome("not attempted", 0.0, f"No {wanted} was found in this notebook.")


def _is_better(outcome: Outcome, before: dict) -> bool:
    """Return whether a later attempt gave a better result than the first."""
    if outcome.points != before["points"]:
        return outcome.points > before["points"]
    return before["outcome"] == "not attempted" != outcome.status


def _plan_told(plan: Any, number: int) -> dict:
    return {
        "number": number,
        "end": int(plan["end"]),
        "call": bool(plan["call"]),
        "later": bool(plan["later"]),
        "written": bool(plan["written"]),
        "source": [int(k) for k in plan["source"]][:100],
    }


def _order_of(notebook: Notebook) -> list[int] | None:
    """Return the cells in the order in which the student ran them, None if it is unknown."""
    counts = notebook.counts
    ran = [place for place, count in enumerate(counts) if count]
    if len(counts) != len(notebook.code) or not ran:
        return None
    rest = [place for place, count in enumerate(counts) if not count]
    return sorted(ran, key=lambda place: counts[place]) + rest


def _files_of(notebook: Notebook) -> dict[str, np.ndarray]:
    return {name: np.frombuffer(data, np.uint8) for name, data in notebook.attachments.items()}


@contextlib.contextmanager
def _within(processor: float, clock: float) -> Iterator[None]:
    """Raise `CheckTooLong` in the `with` block after these times (s); main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: Any) -> None:
        raise CheckTooLong()

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, processor),
        signal.SIGALRM: (signal.ITIMER_REAL, clock),
    }
    before = {number: signal.signal(number, stop) for number in timers}
    try:
        for timer, seconds in timers.values():
            signal.setitimer(timer, seconds)
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])
