"""Which cells of a notebook an answer needs: runs beside the student's code, knows no exercise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LINE_MAGIC = re.compile(r"^\s*(%|!|\?)|^\s*[\w.]+\?{1,2}\s*$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)(%|!).*$")
_OTHER_LANGUAGE = re.compile(r"^%%(?!time|timeit|capture|prun)")
_ONLY_SHOW = ("print", "display", "check", "hint", "progress", "len", "plt", "plotting")
_SWEEPING = ("exec", "eval", "globals", "locals", "vars", "setattr", "__import__")


@dataclass
class Cell:
    """One code cell as names: what it binds, what it needs, what it may change.

    Attributes:
        source: Its text without magics.
        tree: Its syntax tree, None where it cannot be parsed.
        binds: Names it certainly binds at top level.
        touches: Names it binds or may change in any way.
        reads: Names it needs when it runs.
        later: Names that functions defined in it need when they are called.
        checks: For each `check("id", ...)` in it, the id and the source of its answers.
        imports: Names it binds by importing; calling a function of theirs does not change them.
        changes: Names whose objects it may change.
        sweeping: Whether it may bind names that its text does not show.
        error: The syntax error, where there is one.
    """

    source: str
    tree: ast.Module | None = None
    binds: set[str] = field(default_factory=set)
    touches: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    checks: list[tuple[str, list[str]]] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    sweeping: bool = False
    error: SyntaxError | None = None


def without_magics(source: str) -> str:
    """Return a cell's source with IPython's own syntax removed, its line numbers kept.

    >>> without_magics("%matplotlib inline\\nx = 1")
    '\\nx = 1'
    """
    lines = source.split("\n")
    if _OTHER_LANGUAGE.match(lines[0].lstrip()):
        return ""
    kept = []
    for line in lines:
        if match := _ASSIGNED_MAGIC.match(line):
            kept.append(match[1] + "None")
        elif _LINE_MAGIC.match(line):
            indent = line[: len(line) - len(line.lstrip())]
            kept.append(indent + "pass" if indent else "")
        else:
            kept.append(line)
    return "\n".join(kept)


def read_cell(source: str) -> Cell:
    """Return what a cell's source binds and needs; a cell that cannot be parsed keeps its error."""
    cell = Cell(source)
    try:
        cell.tree = ast.parse(source)
    except SyntaxError:
        cell.source = without_magics(source)
        try:
            cell.tree = ast.parse(cell.source)
        except SyntaxError as error:
            cell.error = error
            return cell
    cell.binds = _follow(cell.tree.body, cell, set())
    return cell


def read_cells(sources: Iterable[str]) -> list[Cell]:
    """Return every cell of a notebook, in order; a cell too deep to be parsed counts as broken."""
    cells = []
    for source in sources:
        try:
            cells.append(read_cell(source))
        except (RecursionError, MemoryError, ValueError) as error:
            cells.append(Cell(source, error=SyntaxError(f"This cell cannot be read: {error}")))
    modules = set().union(*(cell.imports for cell in cells))
    for cell in cells:
        cell.touches |= cell.changes - modules
        if cell.sweeping:
            cell.touches.add("*")
    return cells


def needed_cells(cells: list[Cell], names: Iterable[str], end: int) -> set[int]:
    """Return the indices of the cells before `end` that the values of `names` depend on.

    A name needs its last certain binding before the place where it is read and everything that
    may have changed it since; names inside functions are read at `end`, when the functions are
    called.
    """
    chosen: set[int] = set()
    seen: set[tuple[str, int]] = set()
    queue = [(name, end) for name in names]
    while queue:
        name, before = queue.pop()
        if (name, before) in seen:
            continue
        seen.add((name, before))
        for index in range(before - 1, -1, -1):
            cell = cells[index]
            if name not in cell.touches and "*" not in cell.touches:
                continue
            if index not in chosen:
                chosen.add(index)
                queue += [(other, index) for other in cell.reads]
                queue += [(other, end) for other in cell.later]
            if name in cell.binds and name not in cell.reads:
                break
    return chosen


def anchor(cells: list[Cell], id: str, names: Iterable[str]) -> tuple[int, list[str]]:
    """Return the index after an exercise's last fitting check, and the answers named there.

    The last check cell that has a definition before it counts; without one, the notebook's end.
    """
    names = set(names)
    end, answers = len(cells), []
    defined = False
    for index, cell in enumerate(cells):
        defined = defined or bool(names & cell.touches)
        for checked, sources in cell.checks:
            if checked == id and (defined or not names):
                end, answers = index + 1, sources
            elif checked == id and not answers:
                answers = sources
    return end, answers


def _follow(statements: list[ast.stmt], cell: Cell, bound: set[str]) -> set[str]:
    """Add what `statements` need to `cell`; return the names certainly bound after them."""
    bound = set(bound)
    for statement in statements:
        if isinstance(statement, ast.If | ast.While):
            _note(statement.test, cell, bound)
            branches = [_follow(part, cell, bound) for part in (statement.body, statement.orelse)]
            bound |= branches[0] & branches[1] if isinstance(statement, ast.If) else set()
        elif isinstance(statement, ast.For | ast.AsyncFor):
            _note(statement.iter, cell, bound)
            _note(statement.target, cell, bound)
            _follow(statement.body, cell, bound | _stored(statement.target))
            _follow(statement.orelse, cell, bound)
        elif isinstance(statement, ast.With | ast.AsyncWith):
            for item in statement.items:
                _note(item.context_expr, cell, bound)
                if item.optional_vars is not None:
                    _note(item.optional_vars, cell, bound)
                    bound |= _stored(item.optional_vars)
            bound |= _follow(statement.body, cell, bound)
        elif isinstance(statement, ast.Try | ast.TryStar):
            inner = _follow(statement.body, cell, bound)
            for handler in statement.handlers:
                if handler.type is not None:
                    _note(handler.type, cell, bound)
                named = {handler.name} if handler.name else set()
                cell.touches |= named
                _follow(handler.body, cell, bound | named)
            _follow(statement.orelse, cell, inner)
            bound |= _follow(statement.finalbody, cell, bound)
        else:
            _note(statement, cell, bound)
            bound |= _certain(statement)
    return bound


def _note(node: ast.AST, cell: Cell, bound: set[str]) -> None:
    reads = _Reads()
    reads.visit(node)
    cell.reads |= reads.now - bound
    cell.later |= reads.later
    cell.touches |= reads.stores
    cell.changes |= reads.changes
    cell.sweeping |= reads.sweeping
    cell.checks += reads.checks
    if isinstance(node, ast.Import | ast.ImportFrom):
        cell.imports |= _certain(node)


def _certain(statement: ast.AST) -> set[str]:
    """Return the names a simple statement binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    if isinstance(statement, ast.Assign):
        return set().union(*map(_stored, statement.targets))
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return _stored(statement.target)
    return set()


def _stored(target: ast.AST) -> set[str]:
    nodes = ast.walk(target)
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


class _Reads(ast.NodeVisitor):
    """Collect the names of one top-level statement."""

    def __init__(self):
        self.now: set[str] = set()
        self.later: set[str] = set()
        self.stores: set[str] = set()
        self.changes: set[str] = set()
        self.checks: list[tuple[str, list[str]]] = []
        self.sweeping = False
        self._local: list[set[str]] = []

    def visit_Name(self, node: ast.Name) -> None:
        inner = self._local[-1] if self._local else None
        if isinstance(node.ctx, ast.Load):
            if inner is None:
                self.now.add(node.id)
            elif not any(node.id in scope for scope in self._local):
                self.later.add(node.id)
            self.sweeping |= node.id in _SWEEPING
        elif inner is None:
            self.stores.add(node.id)
            if isinstance(node.ctx, ast.Del):
                self.now.add(node.id)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if not self._local:
            self.stores.add(node.name)
        for outside in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if outside is not None:
                self.visit(outside)
        for annotation in [*_arguments(node.args), node]:
            hint = getattr(annotation, "annotation", None) or getattr(annotation, "returns", None)
            if hint is not None:
                self.visit(hint)
        self._inside(node.args, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outside in (*node.args.defaults, *node.args.kw_defaults):
            if outside is not None:
                self.visit(outside)
        self._inside(node.args, [node.body])

    def _inside(self, arguments: ast.arguments, body: list) -> None:
        bound = {argument.arg for argument in _arguments(arguments)}
        shared: set[str] = set()
        for node in (inner for part in body for inner in ast.walk(part)):
            if isinstance(node, ast.Global):
                shared.update(node.names)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                bound |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        self.changes |= shared
        self._local.append(bound - shared)
        for part in body:
            self.visit(part)
        self._local.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not self._local:
            self.stores.add(node.name)
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)
        own = {inner.name for inner in node.body if hasattr(inner, "name")}
        own |= {
            name.id
            for inner in node.body
            for name in ast.walk(inner)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        hidden = {name for name in own if name not in self.now}
        before = set(self.now)
        outer_stores = set(self.stores)
        for part in node.body:
            self.visit(part)
        if not self._local:
            self.now = before | (self.now - hidden)
            self.stores = outer_stores

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        if not self._local:
            self.stores |= {(a.asname or a.name).partition(".")[0] for a in node.names}

    visit_ImportFrom = visit_Import

    def _comprehension(self, node: ast.AST) -> None:
        targets = set().union(*(_stored(part.target) for part in node.generators))
        if self._local:
            self._local.append(targets)
            self.generic_visit(node)
            self._local.pop()
            return
        now, stores = set(self.now), set(self.stores)
        self.generic_visit(node)
        self.now = now | (self.now - targets)
        self.stores = stores | (self.stores - targets)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        root = _root(node.target)
        if root and not self._local:
            self.now.add(root)
            self.changes.add(root)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._may_change(node)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._may_change(node)
        self.generic_visit(node)

    def _may_change(self, node: ast.Attribute | ast.Subscript) -> None:
        root = _root(node)
        if root and not self._local and not isinstance(node.ctx, ast.Load):
            self.changes.add(root)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A bare call such as `table.append(row)` or `update(weights)` may change what it names."""
        if isinstance(node.value, ast.Call) and not self._local:
            self._call_may_change(node.value, isinstance(node.value.func, ast.Name))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """`history = training.fit(model, x, y)` may change `model`."""
        if isinstance(node.value, ast.Call) and not self._local:
            self._call_may_change(node.value, False)
        self.generic_visit(node)

    def _call_may_change(self, call: ast.Call, every_argument: bool) -> None:
        root = _root(call.func)
        name = call.func.attr if isinstance(call.func, ast.Attribute) else root
        if root in _ONLY_SHOW or name in _ONLY_SHOW:
            return
        if isinstance(call.func, ast.Attribute):
            self.changes.add(root)
        arguments = call.args if every_argument else call.args[:1]
        self.changes |= {part.id for part in arguments if isinstance(part, ast.Name)}

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0] if node.args else None
        if name == "check" and isinstance(first, ast.Constant) and isinstance(first.value, str):
            answers = [a for a in node.args[1:] if not isinstance(a, ast.Starred)]
            self.checks.append((first.value, [ast.unparse(answer) for answer in answers]))
        self.generic_visit(node)


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return listed + [extra for extra in (arguments.vararg, arguments.kwarg) if extra]


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
