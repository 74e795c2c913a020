"""Cells with IPython syntax are converted to the Python that they run."""

from __future__ import annotations

import ast

import pytest

from helpers.grading.sandbox.inside import magics


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("%time x = f()", "x = f()"),
        ("%%time\nx = 1\n%time y = 2", "x = 1\ny = 2"),
        ("%%time\n\ndef f():\n    return 1", "def f():\n    return 1"),
        ("%%capture\n%%time\nx = 1", "x = 1"),
        ("%%capture out\nx = 1", "x = 1\nout = get_ipython().captured()"),
        ("%prun -q -l 5 x = 1", "x = 1"),
        ("y = %time f(3)", "y = f(3)"),
        ("if x:\n    %time y = 1", "if x:\n    y = 1"),
        ("%timeit f()", "pass"),
        ("%%timeit\nf()", ""),
        ("y = (7\n% 4)", "y = 7 % 4"),
        ("y = 7 % 3", "y = 7 % 3"),
        ("d[k] = !ls", "d[k] = get_ipython().getoutput('ls')"),
        ("!pip install \\\n  numpy\nx = 1", "get_ipython().system('pip install    numpy')\nx = 1"),
        ("pip install numpy", "get_ipython().run_line_magic('pip', 'install numpy')"),
        ("np.exp?", "get_ipython().run_line_magic('pinfo', 'np.exp')"),
        ("    x = 1\n    y = 2", "x = 1\ny = 2"),
        (">>> x = 1", "x = 1"),
        ("In [3]: x = 1", "x = 1"),
        ("%%bash\nls", "get_ipython().run_cell_magic('bash', '', 'ls\\n')"),
        (
            "%%mine a\nx = 1",
            "if get_ipython().find_cell_magic('mine'):\n"
            "    get_ipython().run_cell_magic('mine', 'a', 'x = 1\\n')\nelse:\n    x = 1",
        ),
    ],
)
def test_parse_cell_gives_the_python_it_runs(source, python):
    assert ast.unparse(magics.parse(source)[1]) == python


@pytest.mark.parametrize("source", ["def (", "%%time\nx = (", "print 'hello'"])
def test_parse_what_python_cannot_read_raises_a_syntax_error(source):
    with pytest.raises(SyntaxError):
        magics.parse(source)


def test_parse_timed_cell_keeps_the_lines_of_the_cell():
    text, tree = magics.parse("%%time\nx = 1\ny = 2")
    assert [statement.lineno for statement in tree.body] == [2, 3]
    assert text.splitlines()[1:] == ["x = 1", "y = 2"]
