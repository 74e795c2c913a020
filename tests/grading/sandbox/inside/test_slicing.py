"""Exactly the cells that an answer needs are run."""

from __future__ import annotations

import ast

import pytest

from helpers.grading.sandbox.inside import slicing


def _needed(sources: list[str], names: list[str], id: str = "") -> set[int]:
    cells = slicing.read_cells(sources)
    end, _ = slicing.anchor(cells, id, names)
    return slicing.needed_cells(cells, names, end)


@pytest.mark.parametrize(
    ("sources", "needed"),
    [
        (["import numpy as np", "lesson = 1", "def f(x):\n    return np.exp(x)"], {0, 2}),
        (["a = 1", "b = a", "c = 5", "f = b"], {0, 1, 3}),
        (["f = 1", "f = 2"], {1}),
        (["f = []", "f.append(1)", "g = f[0]"], {0, 1}),
        (["f = {}", "f['a'] = 1"], {0, 1}),
        (["f = 1", "f += 1"], {0, 1}),
        (["a = 1", "def f():\n    return a", "a = 2"], {1, 2}),
        (["def g():\n    return 1", "def f():\n    return g()"], {0, 1}),
        (["class A:\n    k = 1", "class f(A):\n    pass"], {0, 1}),
        (["t = 1", "f = [t for t in range(3)]"], {1}),
        (["for epoch in range(3):\n    print(epoch)", "for epoch in range(2):\n    f = 1"], {1}),
        (["from numpy import *", "f = zeros(3)"], {0, 1}),
        (["exec('f = 1')", "g = 1"], {0}),
        (["try:\n    import cupy as np\nexcept E:\n    import numpy as np", "f = np"], {0, 1}),
        (["import training", "m = 1", "h = training.fit(m, 2)", "f = m"], {0, 1, 2, 3}),
        (["import plt", "x = 1", "plt.plot(x)", "f = x"], {1, 3}),
        (["x = 1", "def f(x):\n    return x"], {1}),
        (["x = 1", "def f(y=x):\n    return y"], {0, 1}),
        (["def f():\n    global k\n    k = 1", "g = 1"], {0}),
        (["with open('a') as h:\n    f = h.read()", "h = 2"], {0}),
        (["f = 1\ndel f", "f = 3"], {1}),
        (["if x:\n    f = 1", "x = 2"], {0}),
        (["x = 2", "if x:\n    f = 1\nelse:\n    f = 2"], {0, 1}),
    ],
)  # fmt: skip
def test_needed_cells_are_those_the_name_depends_on(sources, needed):
    assert _needed(sources, ["f"]) == needed


def test_anchor_is_after_the_last_check_that_has_a_definition_before_it():
    cells = slicing.read_cells(["check('1', f)", "f = 1", "check('1', f)", "f = 2"])
    assert slicing.anchor(cells, "1", ["f"]) == (3, ["f"])
    assert slicing.anchor(cells, "2", ["f"]) == (4, [])


@pytest.mark.parametrize(
    ("source", "acts"),
    [
        ("import os\nos.chdir('a')", True),
        ("import os\nos.environ['a'] = 'b'", True),
        ("import numpy as np\nnp.float = float", True),
        ("import keras\nkeras.config.set_floatx('float64')", True),
        ("get_ipython().run_line_magic('cd', 'a')", True),
        ("import keras\nkeras.utils.set_random_seed(1)\nkeras.Model().fit(x)", False),
        ("table = {}\ntable['a'] = 1", False),
    ],
)
def test_read_cells_knows_what_every_later_cell_meets(source, acts):
    assert [cell.acts for cell in slicing.read_cells([source, "f = 1"])] == [acts, False]
    assert slicing.needed_cells(slicing.read_cells([source, "f = 1"]), ["f"], 2) == (
        {0, 1} if acts else {1}
    )


@pytest.mark.parametrize(
    ("sources", "left"),
    [
        (["f = 'b'", "f = None"], ["f = 'b'", "pass"]),
        (
            ["def f():\n    return 1", "def f():\n    raise NotImplementedError('x')"],
            [None, "pass"],
        ),
        (["class f:\n    x = 1", "class f:\n\n    def a(self):\n        ..."], [None, "pass"]),
        (["f = None", "f = 'b'"], ["f = None", "f = 'b'"]),
        (["g = 'b'", "g = None"], ["g = 'b'", "g = None"]),
        (["f = 1", "f = None\nf = 2"], ["f = 1", "pass\nf = 2"]),
        (["f = 1", "def f():\n    return 2"], ["f = 1", None]),
    ],
)
def test_without_stubs_keeps_the_answer_above_its_stub(sources, left):
    cells = slicing.read_cells(sources)
    slicing.without_stubs(cells, {"f"})
    wanted = [text or source for text, source in zip(left, sources, strict=True)]
    assert [ast.unparse(cell.tree) for cell in cells] == wanted


def test_is_written_tells_an_answer_from_its_stub():
    stub = "def f():\n    raise NotImplementedError"
    assert not slicing.is_written(slicing.read_cells([stub, "g = 1"]), {"f"})
    assert slicing.is_written(slicing.read_cells([stub, "def f():\n    return 1"]), {"f"})
    assert slicing.is_written(slicing.read_cells([stub, "for f in range(3): pass"]), {"f"})


def test_read_cells_of_unreadable_code_keeps_the_error():
    cells = slicing.read_cells(["def (", "x = " + "(" * 3000 + ")" * 3000, "x = 1"])
    assert cells[0].error and cells[1].error and not cells[2].error
