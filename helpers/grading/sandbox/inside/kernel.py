"""Run cells as Jupyter's kernel does: one namespace, one event loop, statement by statement.

One difference is intentional: a cell continues after a statement that raises, since what it needs
(Colab's modules, a GPU, a file in the cloud) was available on the student's machine.
"""

from __future__ import annotations
import __future__

import ast
import asyncio
import builtins
import contextlib
import io
import linecache
import os
import random
import sys
import types
from asyncio import events
from collections.abc import Iterable
from typing import Any

import shell

__all__ = [
    "Kernel",
    "does_nothing",
    "future_features",
]

_FUTURE = {name: getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}
_SETTLE_SECONDS = 1.0
_END_A_CELL = (MemoryError,)


def does_nothing(*arguments: Any, **named: Any) -> None:
    """Replace check, hint, solution, progress and display, which grading does not need."""


class _Loop(asyncio.SelectorEventLoop):
    """The kernel's event loop; `run_until_complete` also works in a cell, as with nest_asyncio."""

    def run_until_complete(self, future: Any) -> Any:
        outer = events._get_running_loop()
        if self.is_running():
            return super().run_until_complete(future)
        events._set_running_loop(None)
        try:
            return super().run_until_complete(future)
        finally:
            events._set_running_loop(outer)


class Kernel:
    """One notebook's namespace and event loop."""

    def __init__(self):
        self.module = types.ModuleType("__main__")
        self.features: set[str] = set()
        self._count = 0
        self._loop = _Loop()
        self._abandoned: set[asyncio.Task] = set()
        self._not_here: set[str] = set()

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's global names."""
        return self.module.__dict__

    def prepare(self, text: str, files: dict[str, bytes]) -> None:
        """Set up the names of a new notebook, fixed seeds, and the files next to it.

        Args:
            text: All code of the notebook.
            files: Content of each file, by its path relative to the notebook.
        """
        self.names.update(
            __builtins__=builtins,
            __vsc_ipynb_file__=os.path.join(os.getcwd(), "notebook.ipynb"),
            display=does_nothing,
            check=does_nothing,
            hint=does_nothing,
            progress=does_nothing,
            solution=does_nothing,
            In=[""],
            Out={},
        )
        sys.modules["__main__"] = self.module
        shell.install(self.module)
        builtins.input = lambda prompt="": ""
        sys.breakpointhook = does_nothing
        sys.path.insert(0, os.getcwd())
        os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
        asyncio.set_event_loop(self._loop)
        asyncio.run = self._run_coroutine
        for path, content in files.items():
            _write_beside(path, content)
        random.seed(0)
        sys.modules["numpy"].random.seed(0)
        if "tensorflow" in sys.modules and ("tensorflow" in text or "keras" in text):
            sys.modules["tensorflow"].random.set_seed(0)

    def run(self, name: str, source: str, tree: ast.Module) -> BaseException | None:
        """Run a cell to its end; return the first error of its statements, or None.

        Args:
            name: Name of the cell in tracebacks.
            source: Its text, for tracebacks and `inspect.getsource`.
            tree: Its syntax tree, which is run.
        """
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        first = None
        self._count += 1
        self.names["In"].append(source) if isinstance(self.names.get("In"), list) else None
        with contextlib.redirect_stdout(io.StringIO()):
            for place, statement in enumerate(tree.body):
                is_last = place == len(tree.body) - 1
                try:
                    self._statement_or_its_core(name, statement, is_last)
                except _END_A_CELL as error:
                    return first or error
                except Exception as error:
                    first = first or error
                    if isinstance(error, ImportError):
                        self._not_here |= _imported(statement)
            self._settle()
        return first

    def _statement_or_its_core(self, name: str, statement: ast.stmt, is_last: bool) -> None:
        """Run a statement; run a definition without unavailable decorators and hints if needed.

        Packages such as numba or beartype may be on the student's machine but not here.
        """
        try:
            self._statement(name, statement, is_last)
        except NameError as error:
            core = _core(statement, self._not_here) if error.name in self._not_here else None
            if core is None:
                raise
            self._statement(name, core, is_last)

    def _statement(self, name: str, statement: ast.stmt, is_last: bool) -> None:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        for feature in self.features:
            flags |= _FUTURE.get(feature, 0)
        shown = is_last and isinstance(statement, ast.Expr)
        tree = ast.Expression(statement.value) if shown else ast.Module([statement], [])
        program = compile(tree, name, "eval" if shown else "exec", flags, dont_inherit=True)
        events._set_running_loop(self._loop)
        try:
            result = eval(program, self.names)
            if program.co_flags & 0x80:  # a coroutine: the statement awaits
                result = self._loop.run_until_complete(result)
        finally:
            events._set_running_loop(None)
        if shown and result is not None:
            self.names["_"] = result
            if isinstance(self.names.get("Out"), dict):
                self.names["Out"][self._count] = result

    def _run_coroutine(self, coroutine: Any, **options: Any) -> Any:
        """Replace `asyncio.run`, which fails while the kernel's loop runs."""
        return self._loop.run_until_complete(coroutine)

    def _settle(self) -> None:
        """Let tasks continue between cells; one that does not end soon is not awaited again."""
        waiting = asyncio.all_tasks(self._loop) - self._abandoned
        if waiting:
            self._loop.run_until_complete(asyncio.wait(waiting, timeout=_SETTLE_SECONDS))
            self._abandoned |= {task for task in waiting if not task.done()}


def _imported(statement: ast.stmt) -> set[str]:
    """Return the names that an import would have bound."""
    if not isinstance(statement, ast.Import | ast.ImportFrom):
        return set()
    return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}


def _core(statement: ast.stmt, absent: set[str]) -> ast.stmt | None:
    """Return a definition without the decorators and hints that need an absent name."""
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    for node in ast.walk(statement):
        if hasattr(node, "decorator_list"):
            node.decorator_list = [d for d in node.decorator_list if not _names(d) & absent]
        for hint in ("annotation", "returns"):
            found = getattr(node, hint, None)
            if found is not None and _names(found) & absent:
                kept = ast.Constant(None) if isinstance(node, ast.AnnAssign) else None
                setattr(node, hint, kept and ast.copy_location(kept, found))
    return statement


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def future_features(trees: Iterable[ast.Module | None]) -> list[set[str]]:
    """Return for each cell the `__future__` features that it and the cells above it enable."""
    switched_on: set[str] = set()
    found = []
    for tree in trees:
        for node in tree.body if tree else ():
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                switched_on = switched_on | {alias.name for alias in node.names}
        found.append(switched_on)
    return found


def _write_beside(path: str, content: bytes) -> None:
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return
    with contextlib.suppress(OSError, ValueError):
        if len(parts) > 1:
            os.makedirs(os.path.join(*parts[:-1]), exist_ok=True)
        with open(os.path.join(*parts), "wb") as file:
            file.write(content)
