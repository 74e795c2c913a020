"""Convert a cell with IPython syntax to plain Python; runs next to the student's code.

IPython's transformer parses the cell. Magics that run Python (`%time`, `%%capture`) are replaced by
the code they run, so that its names can be analysed; the others remain calls of the shell.
"""

from __future__ import annotations

import ast
import re

__all__ = [
    "parse",
]

_RUN_THEIR_CODE = ("time", "capture", "prun", "memit")
_ONLY_MEASURE = ("timeit", "mprun", "lprun")
_OTHER_LANGUAGES = (
    "! R bash cmd cython file fortran html javascript js julia latex markdown perl powershell pypy "
    "python python2 python3 ruby script sh sql svg system sx writefile timeit"
).split()
_WITHOUT_PERCENT = re.compile(r"(cd|conda|ls|mamba|mkdir|pip|pwd|rm|uv|env)\b[^=(]*$")
_PROMPT = re.compile(r"\s*(In \[\d+\]: |>>> )")
_OPTIONS = re.compile(r"^(\s*-\w+( [\d.]+)?\b)+ ")
# Syntax that only IPython accepts: an escape at the start of a line, `x = !ls`, `np.exp?`, an
# indent, commands without a percent sign. The transformer is slow on long lines.
_IPYTHONS_OWN = re.compile(
    rf"^[ \t]*[%!?,;/>]|=[ \t]*[%!]|\?[ \t]*$|\A\s*(?:{_WITHOUT_PERCENT.pattern})|\A\s+\S|^In \[",
    re.M,
)
_LONG = 20_000
_MAX_DEPTH = 8


def parse(source: str) -> tuple[str, ast.Module]:
    """Return a cell as plain Python, as text and as its syntax tree.

    The text has the lines of the cell if IPython keeps them.

    Raises:
        SyntaxError: If IPython cannot run it.

    >>> text, tree = parse("%time x = f()")
    >>> ast.unparse(tree)
    'x = f()'
    """
    return _parse(source, 0)


def _parse(source: str, depth: int) -> tuple[str, ast.Module]:
    if not _PROMPT.match(source):
        try:
            return source, ast.parse(source)
        except SyntaxError:
            if not _IPYTHONS_OWN.search(source) or max(map(len, source.split("\n"))) > _LONG:
                raise
    if depth > _MAX_DEPTH:
        raise SyntaxError("The magics of this cell are nested too deeply.")
    text = _transform(source)
    if _WITHOUT_PERCENT.match(text.strip()):
        text = _transform("%" + text.strip())
    tree = ast.parse(text)
    if (found := _cell_magic(tree)) is not None:
        return _opened(*found, text, tree, depth)
    return text, ast.fix_missing_locations(_Opener(depth).visit(tree))


def _transform(source: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except SyntaxError:
        raise
    except Exception as error:
        raise SyntaxError(f"This cell cannot be read: {error}") from None


def _cell_magic(tree: ast.Module) -> tuple[str, str, str] | None:
    """Return name, line and body if the whole cell is one cell magic."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    words = _magic(tree.body[0].value, "run_cell_magic")
    return tuple(words) if words and len(words) == 3 else None


def _magic(node: ast.AST, method: str) -> list[str] | None:
    """Return the words of a call such as `get_ipython().run_line_magic("time", "x = f()")`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    shell = node.func.value
    named = isinstance(shell, ast.Call) and getattr(shell.func, "id", "") == "get_ipython"
    if not named or node.func.attr != method:
        return None
    words = [a.value for a in node.args if isinstance(a, ast.Constant)]
    return words if words and all(isinstance(word, str) for word in words) else None


def _opened(
    name: str, line: str, body: str, text: str, tree: ast.Module, depth: int
) -> tuple[str, ast.Module]:
    """Return the code that a cell magic runs, one line below the magic itself."""
    if name in _ONLY_MEASURE and name not in _RUN_THEIR_CODE:
        return "", ast.Module([], [])
    if name in _OTHER_LANGUAGES:
        return text, tree
    try:
        inner, opened = _parse(body, depth + 1)
    except SyntaxError:
        if name in _RUN_THEIR_CODE:
            raise
        return text, tree
    ast.increment_lineno(opened, 1)
    if name == "capture":
        for word in line.split():
            if word.isidentifier():
                opened.body += ast.parse(f"{word} = get_ipython().captured()").body
    elif name not in _RUN_THEIR_CODE:
        known = ast.parse(f"if get_ipython().find_cell_magic({name!r}): pass\nelse: pass")
        known.body[0].body, known.body[0].orelse = tree.body, opened.body or [ast.Pass()]
        opened = known
    return "\n" + inner, ast.fix_missing_locations(opened)


class _Opener(ast.NodeTransformer):
    """Replace line magics that run Python by what they run."""

    def __init__(self, depth: int):
        self.depth = depth

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        words = _magic(node.value, "run_line_magic")
        if words and words[0] in _RUN_THEIR_CODE:
            found = self._statements(words[1] if len(words) > 1 else "", node)
            return found or ast.copy_location(ast.Pass(), node)
        if words and words[0] in _ONLY_MEASURE:
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        words = _magic(node, "run_line_magic")
        if words and words[0] == "time" and len(words) > 1:
            found = self._statements(words[1], node)
            if len(found) == 1 and isinstance(found[0], ast.Expr):
                return found[0].value
        return self.generic_visit(node)

    def _statements(self, source: str, place: ast.AST) -> list[ast.stmt]:
        source = _OPTIONS.sub("", source)
        statements = _parse(source, self.depth + 1)[1].body
        for statement in statements:
            for inner in ast.walk(statement):
                if hasattr(inner, "lineno"):
                    ast.copy_location(inner, place)
        return statements
