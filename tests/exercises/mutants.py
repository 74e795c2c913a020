"""Mutate every released answer of a page and list the mutants that its check accepts.

Run from the repository's root: `python -m tests.exercises.mutants 03`, or with exercises:
`python -m tests.exercises.mutants 03 3.9 3.14 --seeds 0 1 2`. The page is executed cell by cell,
as in a notebook. Each answer is changed in one place (an operator, a constant, an axis, the order
of arguments, a dropped line) and checked. A mutant that is still "correct" under every seed is a
survivor: it is either equivalent to the answer, or the check has a gap.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import io
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jupytext

from helpers.authoring import pages
from helpers.exercises import Exercise, find

_OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
_COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_NAMES = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "argmax": "argmin",
    "argmin": "argmax",
    "maximum": "minimum",
    "minimum": "maximum",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "zeros": "ones",
    "ones": "zeros",
    "reduce_sum": "reduce_mean",
    "reduce_mean": "reduce_sum",
    "exp": "log",
    "log": "exp",
    "sigmoid": "tanh",
    "tanh": "sigmoid",
    "relu": "tanh",
    "normal": "uniform",
    "argsort": "sort",
    "std": "var",
    "var": "std",
    "prod": "sum",
    "outer": "multiply",
    "vstack": "hstack",
    "hstack": "vstack",
    "append": "extend",
    "pop": "append",
}
_SECONDS = 20.0


@dataclass
class Tally:
    """The results for the mutants of one exercise."""

    mutants: int = 0
    refused: int = 0
    too_slow: int = 0
    survivors: list[str] = field(default_factory=list)


class _TooSlow(BaseException):
    """A mutant exceeded its time; no answer's `except Exception` catches it."""


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield (what was changed, the changed source) for each mutation of `source`."""
    tree = ast.parse(source)
    lines = source.splitlines()
    for number, node in enumerate(ast.walk(tree)):
        for words, change in _changes(node):
            changed = copy.deepcopy(tree)
            twin = next(found for i, found in enumerate(ast.walk(changed)) if i == number)
            change(twin)
            text = ast.unparse(ast.fix_missing_locations(changed))
            if text != ast.unparse(tree):
                place = getattr(node, "lineno", None)
                line = lines[place - 1].strip() if place else ""
                yield f"{words}: {line}", text


def _changes(node: ast.AST) -> Iterator[tuple[str, Any]]:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for new in _OPERATORS.get(type(node.op), ()):
            yield f"{type(node.op).__name__} to {new.__name__}", _setter("op", new())
    if isinstance(node, ast.BinOp):
        for side in ("left", "right"):
            yield f"{side} operand alone", _become(side)
        if not isinstance(node.op, ast.Add | ast.Mult):
            yield "operands exchanged", _exchange
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for new in _COMPARISONS.get(type(node.ops[0]), ()):
            yield f"{type(node.ops[0]).__name__} to {new.__name__}", _setter("ops", [new()])
    if isinstance(node, ast.BoolOp):
        new = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{type(node.op).__name__} to {new.__name__}", _setter("op", new())
    if isinstance(node, ast.UnaryOp):
        yield f"{type(node.op).__name__} dropped", _become("operand")
    if isinstance(node, ast.IfExp | ast.If):
        yield "condition turned", _turn
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        for value in _other_values(node.value):
            yield f"{node.value!r} to {value!r}", _setter("value", value)
    if isinstance(node, ast.Tuple | ast.List) and 1 < len(node.elts) < 6:
        yield "order reversed", _setter("elts", list(reversed(node.elts)))
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield ".T dropped", _become("value")
    yield from _call_changes(node)
    yield from _dropped_lines(node)


def _call_changes(node: ast.AST) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, ast.Call):
        return
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in _NAMES:
        yield f"{name} to {_NAMES[name]}", _rename
    if len(node.args) == 2:
        yield f"arguments of {name} exchanged", _setter("args", list(reversed(node.args)))
    if len(node.args) == 1 and not node.keywords and name != "range":
        yield f"{name}(...) dropped", lambda twin: _replace(twin, twin.args[0])
    if not node.args and isinstance(node.func, ast.Attribute) and name in ("copy", "numpy"):
        yield f".{name}() dropped", lambda twin: _replace(twin, twin.func.value)
    if name == "range" and len(node.args) == 1:
        for words, new in (("one fewer", ast.Sub()), ("one more", ast.Add())):
            yield f"range with {words}", _longer(new)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg != "strict":
            yield f"{keyword.arg}= dropped", _without_keyword(place)


def _dropped_lines(node: ast.AST) -> Iterator[tuple[str, Any]]:
    for body in ("body", "orelse"):
        statements = getattr(node, body, None)
        if not isinstance(statements, list):
            continue
        for place, statement in enumerate(statements):
            constant = isinstance(getattr(statement, "value", None), ast.Constant)
            docstring = constant and isinstance(statement, ast.Expr)
            kept = ast.FunctionDef | ast.ClassDef | ast.Pass
            if not isinstance(statement, kept) and not docstring:
                words = ast.unparse(statement).splitlines()[0]
                yield f"dropped `{words}`", _without_statement(body, place)


def _other_values(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    found = [value + 1, value - 1, value * 2, -value]
    return [other for other in dict.fromkeys(found) if other != value]


def _setter(name: str, value: Any) -> Any:
    return lambda twin: setattr(twin, name, copy.deepcopy(value))


def _become(side: str) -> Any:
    return lambda twin: _replace(twin, getattr(twin, side))


def _replace(twin: ast.AST, other: ast.AST) -> None:
    """Turn `twin` into `other` in place, so that its parent need not be known."""
    twin.__class__ = other.__class__
    twin.__dict__ = other.__dict__


def _exchange(twin: ast.BinOp) -> None:
    twin.left, twin.right = twin.right, twin.left


def _turn(twin: ast.AST) -> None:
    twin.test = ast.UnaryOp(ast.Not(), twin.test)


def _rename(twin: ast.Call) -> None:
    name = "attr" if isinstance(twin.func, ast.Attribute) else "id"
    setattr(twin.func, name, _NAMES[getattr(twin.func, name)])


def _longer(operator: ast.operator) -> Any:
    def change(twin: ast.Call) -> None:
        twin.args[0] = ast.BinOp(twin.args[0], operator, ast.Constant(1))

    return change


def _without_keyword(place: int) -> Any:
    return lambda twin: twin.keywords.pop(place)


def _without_statement(body: str, place: int) -> Any:
    def change(twin: ast.AST) -> None:
        getattr(twin, body)[place] = ast.Pass()

    return change


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(cells: list[str], scope: dict[str, Any], exercise: Exercise, seeds: list[int]) -> Tally:
    """Check every mutant of an exercise's answer cells, each in a copy of the page's names."""
    tally = Tally()
    for place, cell in enumerate(cells):
        for words, changed in mutants(cell):
            tally.mutants += 1
            tried = [*cells[:place], changed, *cells[place + 1 :]]
            try:
                with _time_limit(_SECONDS):
                    correct = _is_correct(tried, dict(scope), exercise, seeds)
            except _TooSlow:
                tally.too_slow += 1
                continue
            if correct:
                tally.survivors.append(words)
            else:
                tally.refused += 1
    return tally


def _is_correct(
    cells: list[str], scope: dict[str, Any], exercise: Exercise, seeds: list[int]
) -> bool:
    try:
        for cell in cells:
            _run(cell, scope)
    except Exception:
        return False
    targets = [scope.get(name) for name in exercise.names]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return all(
            exercise.run(exercise.local_answers(targets), seed).status == "correct"
            for seed in seeds
        )


def _run(source: str, scope: dict[str, Any]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(source, "<page>", "exec"), scope)


def survey(page: str, wanted: list[str], seeds: list[int]) -> dict[str, Tally]:
    """Run a page and check the mutants of its answers.

    Args:
        page: The start of a page's name, such as "03".
        wanted: Exercises to mutate; all of the page if empty.
        seeds: Seeds of the checks; a mutant survives only if it passes under each.
    """
    (found,) = pages([page])
    notebook = jupytext.reads(found.source.read_text(encoding="utf-8"), fmt="py:percent")
    scope: dict[str, Any] = {"__name__": "__main__"}
    tallies, answer, before = {}, [], None
    for cell in notebook.cells:
        if cell.cell_type != "code" or "proof" in cell.metadata.get("tags", []):
            continue
        if "### BEGIN SOLUTION" in cell.source:
            before = before if answer else dict(scope)
            answer.append(cell.source)
        if checked := re.match(r'check\("([^"]+)"', cell.source):
            if answer and (not wanted or checked[1] in wanted) and find(checked[1]).kind != "Q":
                start = time.perf_counter()
                tally = judge(answer, before, find(checked[1]), seeds)
                tallies[checked[1]] = tally
                _report(checked[1], tally, time.perf_counter() - start)
            answer = []
            continue
        if not re.match(r"(progress|hint)\(", cell.source):
            _run(cell.source, scope)
    return tallies


def _report(id: str, tally: Tally, seconds: float) -> None:
    slow = f", {tally.too_slow} too slow" if tally.too_slow else ""
    print(
        f"{id}: {tally.mutants} mutants, {tally.refused} refused{slow}, "
        f"{len(tally.survivors)} survive ({seconds:.0f} s)",
        flush=True,
    )
    for words in tally.survivors:
        print(f"    {words}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__.splitlines()[0])
    parser.add_argument("page", help="start of a page's name, such as 03")
    parser.add_argument("exercises", nargs="*", help="such as 3.9; default all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.environ["WORKBOOK_QUIET"] = "1"
    with tempfile.TemporaryDirectory() as state:
        os.environ["WORKBOOK_STATE"] = state
        os.chdir(pages([options.page])[0].source.parent)
        tallies = survey(options.page, options.exercises, options.seeds)
    total = sum(tally.mutants for tally in tallies.values())
    left = sum(len(tally.survivors) for tally in tallies.values())
    print(f"{total} mutants, {left} survive ({100 * left / max(total, 1):.1f} %)")
    sys.exit(0)


if __name__ == "__main__":
    main()
