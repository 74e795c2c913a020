"""Find the cells that an answer needs; runs next to the student's code, without exercises."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

__all__ = [
    "Cell",
    "anchor",
    "is_written",
    "needed_cells",
    "read_cell",
    "read_cells",
    "without",
    "without_stubs",
]

_MAGICS_THAT_ACT = ("cd", "env", "set_env", "writefile", "file", "bash", "sh", "!", "shell")
_MAGICS_THAT_BIND = ("run", "pylab", "store", "load", "reset", "macro", "load_ext", "bash", "sh")
_SETTERS = (
    "chdir filterwarnings simplefilter set_floatx seterr set_printoptions setrecursionlimit "
    "set_global_policy run_functions_eagerly set_soft_device_placement enable_numpy_behavior "
    "experimental_enable_numpy_behavior setdefault makedirs mkdir setlocale set_option apply"
).split()
_ONLY_SHOW = ("print", "display", "check", "hint", "progress", "solution", "len", "plt", "plotting")
_SWEEPING = ("exec", "eval", "globals", "locals", "vars", "setattr", "__import__")


def _plain(source: str) -> tuple[str, ast.Module]:
    return source, ast.parse(source)


@dataclass
class Cell:
    """The names in one code cell: those that it binds, needs and may change.

    Attributes:
        source: Its text as plain Python.
        tree: Its syntax tree, None if it cannot be parsed.
        binds: Names it certainly binds at top level.
        touches: Names it binds or may change in any way.
        reads: Names it needs when it runs.
        later: Names that functions defined in it need when they are called.
        checks: For each `check("id", ...)` in it, the id and the source of its answers.
        imports: Names it binds by importing; calling a function of theirs does not change them.
        changes: Names whose objects it may change.
        sweeping: Whether it may bind names that its text does not show.
        acts: Whether it changes a setting, a file or a folder that may affect any later cell.
        error: The syntax error, if there is one.
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
    acts: bool = False
    error: SyntaxError | None = None


def read_cell(source: str, parse: Callable[[str], tuple[str, ast.Module]] = _plain) -> Cell:
    """Return what a cell's source binds and needs; a cell that cannot be parsed keeps its error.

    Args:
        source: The cell.
        parse: Function that returns a cell as plain Python, as text and as a syntax tree.
    """
    cell = Cell(source)
    try:
        cell.source, cell.tree = parse(source)
    except SyntaxError as error:
        cell.error = error
        return cell
    cell.binds = _follow(cell.tree.body, cell, set())
    if cell.tree.body and isinstance(cell.tree.body[-1], ast.Expr):
        cell.touches.add("_")
    return cell


def read_cells(
    sources: Iterable[str], parse: Callable[[str], tuple[str, ast.Module]] = _plain
) -> list[Cell]:
    """Return every cell of a notebook, in order; a cell nested too deeply counts as broken."""
    cells = []
    for source in sources:
        try:
            cells.append(read_cell(source, parse))
        except (RecursionError, MemoryError, ValueError) as error:
            cells.append(Cell(source, error=SyntaxError(f"This cell cannot be read: {error}")))
    modules = set().union(*(cell.imports for cell in cells))
    for cell in cells:
        cell.touches |= cell.changes - modules
        statements = cell.tree.body if cell.tree else []
        cell.acts |= any(_sets_state(statement, modules) for statement in statements)
        if cell.sweeping:
            cell.touches.add("*")
    return cells


def without_stubs(cells: list[Cell], names: Iterable[str]) -> None:
    """Remove a stub from its cell if there is an answer of the same name above it.

    Otherwise the stub would replace an answer that a student wrote above the intended cell.
    """
    names = set(names)
    answered: set[str] = set()
    for cell in cells:
        if cell.tree is None:
            continue
        for place, statement in enumerate(cell.tree.body):
            found = _certain(statement) & names
            if found and not _is_stub(statement):
                answered |= found
            elif found and found <= answered:
                _leave_out(cell, place, found)


def without(cells: list[Cell], names: set[str], given: set[int]) -> None:
    """Remove every definition of `names` from all cells except `given`."""
    for index, cell in enumerate(cells):
        if index in given or cell.tree is None:
            continue
        for place, statement in enumerate(cell.tree.body):
            found = _certain(statement)
            if found and found <= names:
                _leave_out(cell, place, found)


def _leave_out(cell: Cell, place: int, names: set[str]) -> None:
    """Replace a statement that binds `names` by one that does nothing."""
    cell.tree.body[place] = ast.copy_location(ast.Pass(), cell.tree.body[place])
    kept = set().union(*map(_certain, cell.tree.body))
    cell.binds -= names - kept
    cell.touches -= names - kept


def is_written(cells: list[Cell], names: Iterable[str]) -> bool:
    """Return whether any of the names is more than a stub."""
    names = set(names)
    for cell in cells:
        defined = names & cell.touches
        for statement in cell.tree.body if cell.tree else ():
            found = _certain(statement) & names
            if found and not _is_stub(statement):
                return True
            defined -= found
        if defined:
            return True
    return False


def _is_stub(statement: ast.stmt) -> bool:
    """Return whether a definition is only a placeholder for an answer."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        value = statement.value
        return isinstance(value, ast.Constant) and value.value in (None, Ellipsis)
    if isinstance(statement, ast.ClassDef):
        inner = [part for part in statement.body if not _says_nothing(part)]
        methods = [part for part in inner if isinstance(part, ast.FunctionDef)]
        return bool(methods) and all(map(_is_stub, methods)) and methods == inner
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        inner = [part for part in statement.body if not _says_nothing(part)]
        return not inner or (isinstance(inner[0], ast.Raise) and _raises_not_implemented(inner[0]))
    return False


def _says_nothing(statement: ast.stmt) -> bool:
    is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_constant or isinstance(statement, ast.Pass)


def _raises_not_implemented(statement: ast.Raise) -> bool:
    raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _sets_state(statement: ast.stmt, modules: set[str]) -> bool:
    """Return whether a statement quickly changes a folder or setting that affects later cells."""
    if isinstance(statement, ast.Assign):
        places = [t for t in statement.targets if isinstance(t, ast.Attribute | ast.Subscript)]
        return any(_root(place) in modules for place in places)
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    call = statement.value.func
    name = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
    if _root(call) == "get_ipython":
        first = statement.value.args[0] if statement.value.args else None
        word = getattr(first, "value", "")
        return name == "system" or (name.startswith("run_") and word in _MAGICS_THAT_ACT)
    return _root(call) in modules and name in _SETTERS


def needed_cells(cells: list[Cell], names: Iterable[str], end: int) -> set[int]:
    """Return the indices of the cells before `end` that the values of `names` depend on.

    A name needs its last certain binding before the place where it is read and everything that
    may have changed it since; names inside functions are read at `end`, when the functions are
    called. Cells that change a setting or a folder are needed by everything.
    """
    chosen = {index for index in range(end) if cells[index].acts}
    seen: set[tuple[str, int]] = set()
    queue = [(name, end) for name in names]
    queue += [(name, index) for index in chosen for name in cells[index].reads]
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
    """Return the index after an exercise's last check, and the answers named there.

    The last check cell with a definition before it counts, or else the end of the notebook.
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
        self.sweeping |= node.attr == "user_ns"
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
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and not self._local:
            self._call_may_change(call, isinstance(call.func, ast.Name))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """`history = training.fit(model, x, y)` may change `model`."""
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and not self._local:
            self._call_may_change(call, False)
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
        if name in ("run_line_magic", "run_cell_magic"):
            self.sweeping |= isinstance(first, ast.Constant) and first.value in _MAGICS_THAT_BIND
        self.sweeping |= name in ("run_cell", "ex", "push") and _root(node) == "get_ipython"
        self.generic_visit(node)


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return listed + [extra for extra in (arguments.vararg, arguments.kwarg) if extra]


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
