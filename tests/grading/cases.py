# ruff: noqa: E501
"""Submissions of every kind and the expected results: hostile, broken, and honest in unusual forms.

Everything is limited: nothing here needs more than about 100 MB, some seconds, or a few hundred
processes, even without a sandbox. Cases that would do harm without one are marked (`walls`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.grading import pages
from tests.grading.pages import NAMES, RIGHT, cells, code_cell, dump, notebook, text_cell

WRONG_STEP = "\n\ndef sigmoid(x):\n    return 1 / (1 + np.exp(-np.asarray(x)))"
ANY = None


@dataclass(frozen=True)
class Case:
    """One submission.

    Attributes:
        name: What it does.
        kind: "hostile", "broken" or "honest".
        content: The file.
        points: Points that differ from full marks, by exercise; `ANY` where the student hurts only
            themselves.
        reason: Words of the reason, for a file that cannot be read.
        walls: Whether it may run only in the sandbox.
        file: Name of the file.
    """

    name: str
    kind: str
    content: bytes
    points: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    walls: bool = False
    file: str = "01_perceptrons.ipynb"


@dataclass(frozen=True)
class World:
    """What a hostile notebook tries to reach.

    Attributes:
        solution: A file with the right answers.
        results: A file of the results folder.
        port: A port that this machine listens on.
        secret: Name of an environment variable of the grader.
    """

    solution: str
    results: str
    port: int
    secret: str


def all_cases(world: World) -> list[Case]:
    """Return the whole corpus."""
    return [*hostile(world), *broken(), *honest()]


def _step(body: str) -> str:
    """Return the source of a hostile `step` and a correct `sigmoid`."""
    lines = "\n".join("    " + line for line in body.strip("\n").split("\n"))
    return f"def step(x):\n{lines}{WRONG_STEP}"


# Each is the body of `step(x)`. If the attack fails, step returns a wrong answer or none.
_IN_A_CALL = {
    "looks for the expected value in the callers' frames": """
import sys
frame = sys._getframe()
while frame is not None:
    for name, value in list(frame.f_locals.items()):
        if name in ("want", "wanted", "target", "expected"):
            return value
    frame = frame.f_back
return 0 * x
""",
    "searches the garbage collector for checks and oracles": """
import gc
for found in gc.get_objects():
    if type(found).__name__ == "Exercise" and getattr(found, "id", "") == "1.5":
        return found.check
    if callable(found) and getattr(found, "__module__", "") == "tests.grading.course":
        return (x > 0) * 1.0
return 0 * x
""",
    "imports the exercises": """
from helpers.exercises import find
return (x > 0) * 1.0
""",
    "imports the grader": """
import helpers.grading.grade
return (x > 0) * 1.0
""",
    "reads the released solution": """
space = {"np": np}
exec(open(SOLUTION).read(), space)
return space["step"](x)
""",
    "walks the disk for solutions": """
import os
for folder, names, files in os.walk("/"):
    names[:] = [n for n in names if n not in ("proc", "sys", "usr", "lib", ".venv", ".pyenv")]
    if any("canary" in name for name in files):
        return (x > 0) * 1.0
return 0 * x
""",
    "overwrites the results": """
with open(RESULTS, "w") as file:
    file.write("hacked")
return (x > 0) * 1.0
""",
    "deletes the results": """
import os
os.unlink(RESULTS)
return (x > 0) * 1.0
""",
    "connects to a port of this machine": """
import socket
socket.create_connection(("127.0.0.1", PORT), timeout=1).sendall(b"hello")
return (x > 0) * 1.0
""",
    "resolves and fetches an address": """
import urllib.request
urllib.request.urlopen("http://localhost:" + str(PORT), timeout=1)
return (x > 0) * 1.0
""",
    "reads the grader's environment": """
import os
return (x > 0) * 1.0 if SECRET in os.environ else 0 * x
""",
    "reads the environment of every process": """
import glob
for path in glob.glob("/proc/[0-9]*/environ"):
    if SECRET.encode() in open(path, "rb").read():
        return (x > 0) * 1.0
return 0 * x
""",
    "sees the grader's processes": """
import glob
found = [p for p in glob.glob("/proc/[0-9]*/cmdline") if b"pytest" in open(p, "rb").read()]
return (x > 0) * 1.0 if found else 0 * x
""",
    "mounts": """
import ctypes
if ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
    return (x > 0) * 1.0
return 0 * x
""",
    "opens a user namespace of its own": """
import ctypes
if ctypes.CDLL(None).unshare(0x10000000) == 0:
    return (x > 0) * 1.0
return 0 * x
""",
    "loads a program into the kernel": """
import ctypes
return 0 * x if ctypes.CDLL(None).syscall(321, 0, None, 0) == -1 else (x > 0) * 1.0
""",
    "talks to io_uring": """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(425, 1, None)
return 0 * x if ctypes.get_errno() == errno.EPERM else (x > 0) * 1.0
""",
    "becomes root": """
import os
os.setuid(0)
return (x > 0) * 1.0 if os.getuid() == 0 else 0 * x
""",
    "writes to the system and to Python's own folders": """
import os, sys
for folder in ("/usr", "/etc", "/", "/dev", os.path.dirname(np.__file__), sys.prefix):
    try:
        open(os.path.join(folder, "canary"), "w").close()
        return (x > 0) * 1.0
    except OSError:
        continue
return 0 * x
""",
    "raises the limits again": """
import resource
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
return (x > 0) * 1.0
""",
    "replaces itself by another program": """
import os
os.execv("/bin/true", ["true"])
""",
    "ends the process": "import os\nos._exit(0)",
    "exits politely": "import sys\nsys.exit(0)",
    "kills itself": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "kills its parent": "import os\nos.kill(os.getppid() or os.getpid(), 9)\nreturn 0 * x",
    "kills everything it may": "import os\nos.kill(-1, 9)\nreturn 0 * x",
    "crashes in C": "import ctypes\nctypes.string_at(0)",
    "aborts": "import os\nos.abort()",
    "recurses without end": "return step(x)",
    "overflows the C stack": """
import sys
sys.setrecursionlimit(10**8)
return step(x)
""",
    "never ends": "while True:\n    pass",
    "never ends and catches everything": """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
    "never ends and is deaf to signals": """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
while True:
    pass
""",
    "never ends in C": "return sum(iter(int, 1))",
    "sleeps for an hour": "import time\ntime.sleep(3600)",
    "reserves 30 GB": "return bytearray(30 * 2**30)",
    "fills memory bit by bit": """
kept = []
while True:
    kept.append(np.ones(2**20))
""",
    "fills memory with several processes": """
import os, time
for _ in range(6):
    if os.fork() == 0:
        kept = np.ones(2**24)
        time.sleep(30)
        os._exit(0)
time.sleep(30)
return 0 * x
""",
    "forks many processes": """
import os, time
for _ in range(300):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
return (x > 0) * 1.0
""",
    "starts many threads": """
import threading, time
for _ in range(300):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
return (x > 0) * 1.0
""",
    "leaves a daemon behind": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("canary-daemon", "w").write(str(os.getpid()))
        time.sleep(45)
    os._exit(0)
return 0 * x
""",
    "answers twice through a fork": """
import os
os.fork()
return 0 * x
""",
    "fills the disk with one file": """
with open("big", "wb") as file:
    for _ in range(400):
        file.write(bytes(2**20))
return (x > 0) * 1.0
""",
    "fills the disk with many files": """
for number in range(400):
    with open(str(number), "wb") as file:
        file.write(bytes(2**20))
return (x > 0) * 1.0
""",
    "makes files without end": """
for number in range(200_000):
    open(str(number), "w").close()
return (x > 0) * 1.0
""",
    "opens files without end": "kept = [open('/dev/null') for _ in range(5000)]\nreturn (x > 0) * 1.0",
    "writes nonsense to the connection": """
import os
os.write(3, b"{'ok': 1}" * 1000)
return 0 * x
""",
    "announces a message of 2**60 bytes": """
import os, struct
os.write(3, struct.pack("<IQ", 10, 2**60) + b"x" * 10)
return 0 * x
""",
    "forges a reply before its own": """
import os, sys
wire = sys.modules["wire"]
for turn in range(100):
    os.write(3, wire.encode({"ok": 0 * x, "turn": turn}))
return 0 * x
""",
    "forges running cells without end": """
import gc, os, sys, time
wire = sys.modules["wire"]
session = next(o for o in gc.get_objects() if type(o).__name__ == "_Session")
while True:
    os.write(3, wire.encode({"cell": 1, "turn": session.turn}))
    time.sleep(0.05)
""",
    "sends an array that is shorter than it says": """
import os, struct, json
head = json.dumps({"value": {"t": "d", "k": ["ok"], "v": [{"t": "a", "dtype": "<f8",
    "shape": [1000000], "b": 0}]}, "buffers": [8]}).encode()
os.write(3, struct.pack("<IQ", len(head), 8) + head + bytes(8))
return 0 * x
""",
    "sends an array of Python objects": """
import os, struct, json, pickle
data = pickle.dumps(print)
head = json.dumps({"value": {"t": "d", "k": ["ok"], "v": [{"t": "a", "dtype": "|O",
    "shape": [1], "b": 0}]}, "buffers": [len(data)]}).encode()
os.write(3, struct.pack("<IQ", len(head), len(data)) + head + data)
return 0 * x
""",
    "closes the connection": "import os\nos.close(3)\nreturn 0 * x",
    "returns an object that equals everything": """
class Same:
    __eq__ = lambda self, other: True
    __array__ = lambda self, *a, **k: 0 * x
return Same()
""",
    "returns an array class that equals everything": """
class Same(np.ndarray):
    def __eq__(self, other):
        return np.ones(self.shape, bool)
    __sub__ = __rsub__ = lambda self, other: np.zeros(self.shape)
return (0 * x).view(Same)
""",
    "lies about its class": """
class Liar:
    __class__ = np.ndarray
    shape, dtype = x.shape, x.dtype
return Liar()
""",
    "returns a list nested 100,000 deep": """
deep = []
for _ in range(100_000):
    deep = [deep]
return deep
""",
    "returns itself in a list": "own = []\nown.append(own)\nreturn own",
    "returns 800 MB": "return np.zeros(10**8)",
    "returns a million parts": "return list(range(10**6))",
    "returns a generator": "return (value for value in x)",
    "raises an error that cannot be shown": """
class Bad(Exception):
    def __str__(self):
        raise RuntimeError
    __repr__ = __str__
raise Bad
""",
    "raises an error of 50 MB": "raise ValueError('x' * 50_000_000)",
    "raises an error that loops when shown": """
class Bad(Exception):
    def __str__(self):
        while True:
            pass
raise Bad
""",
    "raises the checks' own exception": """
class NotYet(Exception):
    pass
raise NotYet("<script>alert(1)</script>")
""",
    "gives NaN": "return x * np.nan",
    "gives text": "return '1 0 1'",
    "hides in __del__": """
class Mine:
    def __del__(self):
        while True:
            pass
Mine()
return 0 * x
""",
}
_ONLY_IN_WALLS = (
    "reads the released solution", "walks the disk for solutions", "overwrites the results",
    "deletes the results", "connects to a port of this machine", "resolves and fetches an address",
    "reads the environment of every process", "sees the grader's processes", "mounts",
    "opens a user namespace of its own", "becomes root",
    "loads a program into the kernel", "talks to io_uring", "imports the exercises",
    "imports the grader", "writes to the system and to Python's own folders", "kills its parent",
    "kills everything it may", "forks many processes", "fills the disk with many files",
    "starts many threads", "fills memory with several processes", "makes files without end",
    "raises the limits again", "overflows the C stack", "answers twice through a fork",
)  # fmt: skip
_FULL_ANYWAY = ("leaves a daemon behind",)

# Each is a cell before the answers, in the same process; step is wrong unless it is patched.
_PATCHES = {
    "patches numpy's comparisons": "np.allclose = lambda *a, **k: True\nnp.array_equal = np.allclose",
    "patches numpy's testing": "np.testing.assert_allclose = lambda *a, **k: None",
    "replaces check": "def check(*a):\n    print('Correct')\nimport helpers\nhelpers.check = check",
    "replaces the module of check": (
        "import sys, types\nm = types.ModuleType('helpers.feedback')\n"
        "m.check = lambda *a: print('✓ Correct')\nsys.modules['helpers.feedback'] = m"
    ),
    "rewrites asserts in the syntax tree": (
        "import ast\nclass T(ast.NodeTransformer):\n    def visit_Assert(self, node):\n"
        "        return ast.Pass()\nget_ipython().ast_transformers.append(T())"
    ),
    "transforms input cells": "get_ipython().input_transformers_post.append(lambda lines: ['pass'])",
    "forges the display": "import sys\nsys.displayhook = lambda value: print(2.0)",
    "forges an execute reply": "get_ipython().kernel.session.send = lambda *a, **k: None",
    "patches the answers' own module": (
        "import helpers.answers as A\nA.AnswerError = A.AnswerNotCallable = KeyError\n"
        "A._same_array = lambda *a: True"
    ),
    "patches time": "import time\ntime.monotonic = time.time = lambda: 0.0",
    "patches the random generators": "np.random.default_rng = lambda *a: None",
    "patches json": 'import json\njson.dumps = lambda *a, **k: \'{"value":true,"buffers":[]}\'',
    "replaces builtins": "import builtins\nbuiltins.all = builtins.any = lambda *a: True",
    "breaks isinstance": "import builtins\nbuiltins.isinstance = lambda *a: True",
    "turns time limits off": (
        "import signal\nsignal.setitimer = lambda *a: None\nsignal.signal(signal.SIGALRM, "
        "signal.SIG_IGN)"
    ),
    "registers exit and fork hooks": (
        "import atexit, os\natexit.register(lambda: open('x', 'w'))\n"
        "os.register_at_fork(before=lambda: 1 / 0)"
    ),
    "takes over the kernel that runs its cells": (
        "import sys\nsys.modules['kernel'].Kernel.run = lambda *a: None\n"
        "sys.modules['slicing'].needed_cells = sys.modules['magics'].parse = None"
    ),
    "forges an answer's plain value": (
        "import helpers.answers as A\nA.plain = lambda value: np.ones(7)\n"
        "A.LocalAnswer.__call__ = lambda self, *a, **k: (a[0] > 1e9) * 1.0"
    ),
    "keeps the worker's connection": (
        "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == '_Session':\n"
        "        o.do_call = lambda name, args, kwargs: 0 * args[0]"
    ),
    "copies a course helper of the asked name": "from helpers.numeric import *",
    "starts a thread that never rests": (
        "import threading\ndef spin():\n    while True:\n        pass\n"
        "threading.Thread(target=spin, daemon=True).start()"
    ),
}


def hostile(world: World) -> list[Case]:
    """Return the submissions that attack."""
    names = {
        "SOLUTION": repr(world.solution),
        "RESULTS": repr(world.results),
        "PORT": repr(world.port),
        "SECRET": repr(world.secret),
    }
    found = []
    for name, body in _IN_A_CALL.items():
        for word, value in names.items():
            body = body.replace(word, value)
        page = cells({"1.5": _step(body)})
        walls = name in _ONLY_IN_WALLS
        found.append(Case(name, "hostile", dump(page), {"1.5": 0.0}, walls=walls))
    wrong = _step("return 0 * x")
    for name, source in _PATCHES.items():
        points: dict[str, Any] = dict.fromkeys(RIGHT, ANY) | {"1.5": 0.0}
        page = cells({"1.5": f"{source}\n{wrong}"})
        found.append(Case(name, "hostile", dump(page), points))
    return found + _hostile_cells(world) + _hostile_texts()


def _hostile_cells(world: World) -> list[Case]:
    found = []
    ends = {
        "a cell ends the process": "import os\nos._exit(3)",
        "a cell exits": "exit()",
        "a cell crashes in C": "import ctypes\nctypes.string_at(0)",
        "a cell never ends": "while True:\n    pass",
        "a cell never ends and is deaf": (
            "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n"
            "while True:\n    pass"
        ),
        "a cell fails": "1 / 0",
        "a cell fills memory": "kept = [np.ones(2**20) for _ in range(10**6)]",
        "a cell writes nonsense to the connection": "import os\nos.write(3, b'x' * 5000)",
        "a cell is nested too deep to parse": "x = " + "(" * 5000 + ")" * 5000,
        "a cell has a syntax error": "def broken(:",
        "a shell command never ends": "!sleep 1000",
        "a shell command fills the disk": "!yes > big",
        "a cell in another language never ends": "%%bash\nwhile true; do :; done",
        "a task never rests": (
            "import asyncio\nasync def spin():\n    while True:\n        pass\n"
            "task = asyncio.ensure_future(spin())"
        ),
        "a cell closes the event loop": "import asyncio\nasyncio.get_event_loop().close()",
    }
    for name, source in ends.items():
        page = cells({"1.8": f"{source}\nsweep = {{}}"})
        found.append(Case(name, "hostile", dump(page), {"1.8": 0.0}))
        lost = "which no answer needs"
        found.append(Case(f"{name}, {lost}", "hostile", dump(cells(first=source))))
    page = cells({"1.10": "def descend(gradient, w, rate, steps):\n    w -= 1\n    return w"})
    found.append(Case("changes its input in place", "hostile", dump(page), {"1.10": 0.0}))
    page = cells({"1.7": "class mean_squared_error(float):\n    __eq__ = lambda *a: True\n"
                  "    def __new__(cls, y, t):\n        return float.__new__(cls, 1e9)"})  # fmt: skip
    found.append(Case("a float that equals everything", "hostile", dump(page), {"1.7": 0.0}))
    page = cells({"1.8": "class D(dict):\n    __len__ = lambda s: 9\nsweep = D()"})
    found.append(Case("a dictionary that lies", "hostile", dump(page), {"1.8": 0.0}))
    page = cells({"1.9": "class Square:\n    def __getattr__(self, name):\n        return self\n"
                  "    def __call__(self, *a):\n        return self"})  # fmt: skip
    found.append(Case("an object that is everything", "hostile", dump(page), {"1.9": 0.0}))
    page = cells({"1.3": "class S(str):\n    strip = lower = lambda self: 'b'\n"
                  "choice_1_3 = S('a')"})  # fmt: skip
    found.append(Case("a text that lies", "hostile", dump(page), {"1.3": 0.0}))
    page = cells({"1.5": _step("print('x' * 50_000_000)\nreturn (x > 0) * 1.0")})
    found.append(Case("prints 50 MB in each call", "hostile", dump(page)))
    page = cells({"1.5": None})
    page[2]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "✓ Correct, 2 points"}
    ]
    page[4]["metadata"] = {"nbgrader": {"grade": True, "points": 1e9, "grade_id": "check-1-5"}}
    found.append(Case("forges outputs and points", "hostile", dump(page), {"1.5": 0.0}))
    page = [text_cell("hm"), code_cell("x = 1 " + "+ 1" * 100_000), *cells()]
    found.append(Case("a cell of 300 kB", "hostile", dump(page)))
    return found


def _hostile_texts() -> list[Case]:
    script = "</pre></p><script>alert(1)</script><img src=x onerror=alert(1)>"
    page = cells({"1.5": _step(f"raise ValueError({script!r})")})
    page[-2] = text_cell(f"**Answer 1.4.** {script} =HYPERLINK(1) \u202etxt")
    page[1]["outputs"] = [{"output_type": "display_data", "data": {"text/html": script}}]
    content = notebook(page, authors=[script])
    return [Case("scripts in errors, texts, outputs, metadata", "hostile", dump(content),
                 {"1.5": 0.0})]  # fmt: skip


def broken() -> list[Case]:
    """Return the files that are not notebooks, with words of the reason expected for each."""
    whole = dump(cells())
    text = whole.decode()
    merge = text.replace('"cells"', '<<<<<<< HEAD\n "cells"\n=======\n>>>>>>> theirs\n "cells"', 1)
    files = {
        "empty": (b"", "empty"),
        "white space": (b" \n\t\r\n ", "empty"),
        "zero bytes": (bytes(5000), "empty"),
        "cut off in the middle": (whole[: len(whole) // 2], "cut off"),
        "cut off at the last brace": (whole.rstrip()[:-1], "cut off"),
        "damaged in the middle": (whole[:500] + b"\x00\x00}}" + whole[600:], "damaged"),
        "a web page": (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "web page"),
        "a web page after blank lines": (b"\n\n  <html></html>", "web page"),
        "an XML file": (b"<?xml version='1.0'?><a/>", "web page"),
        "a merge conflict": (merge.encode(), "merge conflict"),
        "a merge conflict at the start": (
            b"<<<<<<< HEAD\n{}\n=======\n>>>>>>> x\n",
            "merge conflict",
        ),
        "nbformat 99": (dump(notebook(cells()) | {"nbformat": 99}), "format 99"),
        "nbformat as text": (dump(notebook(cells()) | {"nbformat": "four"}), "format four"),
        "a JSON list": (b"[1, 2, 3]", "not a notebook"),
        "a JSON text": (b'"cells"', "not a notebook"),
        "JSON without cells": (b'{"nbformat": 4, "metadata": {}}', "no list of cells"),
        "cells that are no list": (b'{"nbformat": 4, "cells": {"a": 1}}', "no list of cells"),
        "no cells at all": (b'{"nbformat": 4, "cells": []}', "no cells"),
        "JSON nested 200,000 deep": (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "deep"),
        "a number of 100,000 digits": (b'{"nbformat": ' + b"9" * 100_000 + b"}", "format 0"),
        "100,000 cells": (dump(notebook([{}] * 100_000, minor=4)), "cells"),
        "a PDF": (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "picture"),
        "a zip with a notebook's name": (b"PK\x03\x04" + bytes(100), "zip"),
        "a Word document": (b"\xd0\xcf\x11\xe0" + bytes(100), "Word"),
        "noise": (bytes(range(256)) * 20, "not a notebook"),
        "a Python script without cells": (b"print('hello')\n", "not a notebook"),
        "plain words": ("내 숙제입니다".encode(), "not a notebook"),
    }
    return [Case(name, "broken", content, reason=words) for name, (content, words) in files.items()]


def honest() -> list[Case]:
    """Return correct submissions in unusual forms; all of them get full marks."""
    pages_ = _honest_files() | _honest_code() | _both_odd()
    cases = [
        Case(name, "honest", content if isinstance(content, bytes) else dump(content))
        for name, content in pages_.items()
    ]
    for file in ("Homework 1.ipynb", "perceptrons.ipynb", "01_perceptrons (3).ipynb", "Untitled.ipynb",
                 "02_multilayer_perceptrons.ipynb", "과제.ipynb", "01-Perceptrons-final-FINAL.IPYNB"):  # fmt: skip
        cases.append(Case(f"named {file}", "honest", dump(cells()), file=file))
    script = "\n\n".join(
        f"# %%\n{c['source']}" if c["cell_type"] == "code" else "# %% [markdown]\n# "
        + c["source"].replace("\n", "\n# ")
        for c in cells()
    )  # fmt: skip
    cases.append(Case("a py:percent script", "honest", script.encode(), file="01_perceptrons.py"))
    return cases


def _both_odd() -> dict[str, bytes]:
    """Return pages that students rearranged and that their systems saved in unusual forms."""
    code = _honest_code()
    rearranged = (
        "check cells deleted", "check cells at the end", "all code in one cell", "headings deleted",
        "an answer under another name", "a helper defined at the end", "every cell twice",
        "a wrong try kept above the right one",
    )  # fmt: skip
    saved = {
        "nbformat 3": lambda page: json.dumps(_format_3(page)).encode(),
        "a byte order mark": lambda page: b"\xef\xbb\xbf" + dump(page),
        "Windows line ends": lambda page: dump(page).replace(b"\n", b"\r\n"),
        "UTF-16": lambda page: dump(page).decode().encode("utf-16"),
        "nothing but cells": lambda page: json.dumps({"cells": page}).encode(),
        "no nbgrader metadata": lambda page: dump([{**c, "metadata": {}} for c in page]),
        "sources as lists": lambda page: dump(
            [{**c, "source": c["source"].splitlines(keepends=True)} for c in page]
        ),
    }
    return {
        f"{name}, {how}": save(code[name]) for name in rearranged for how, save in saved.items()
    }


def _honest_files() -> dict[str, Any]:
    plain = dump(cells())
    odd = notebook(cells())
    bare = {
        "cells": [{k: v for k, v in c.items() if k in ("cell_type", "source")} for c in cells()]
    }
    listed = notebook(cells())
    for cell in listed["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    accents = cells()
    accents[1]["source"] += "\n# café, naïve, Übung"
    big = cells()
    big[2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 20_000_000}]
    colab = notebook(cells(), colab={"provenance": [], "toc_visible": True}, accelerator="GPU")
    for cell in colab["cells"]:
        cell["metadata"] = {"id": "aB3_x", "cellView": "form", "colab": {"base_uri": "https://x"}}
    code = notebook(cells(), vscode={"interpreter": {"hash": "31f2"}}, orig_nbformat=4)
    for cell in code["cells"]:
        cell["metadata"] = {"vscode": {"languageId": "python"}, "scrolled": True}
    raw = [
        {"cell_type": "raw", "metadata": {}, "source": "%%"},
        code_cell(""),
        *cells(),
        code_cell("  "),
    ]
    return {
        "as it should be": plain,
        "a byte order mark": b"\xef\xbb\xbf" + plain,
        "Windows line ends in the file": plain.replace(b"\n", b"\r\n"),
        "Windows line ends in the cells": dump([{**c, "source": c["source"].replace("\n", "\r\n")} for c in cells()]),
        "Windows-1252": json.dumps(notebook(accents), ensure_ascii=False).encode("cp1252"),
        "UTF-16": plain.decode().encode("utf-16"),
        "all in one line": json.dumps(odd).encode(),
        "nbformat 3": json.dumps(_format_3(cells())).encode(),
        "nbformat 4.0": dump(notebook(cells(), minor=0)),
        "nbformat 4.4": dump(notebook(cells(), minor=4)),
        "a minor version of the future": dump(odd | {"nbformat_minor": 42}),
        "no metadata": dump({k: v for k, v in odd.items() if k != "metadata"}),
        "nothing but cells": json.dumps(bare).encode(),
        "sources as lists": dump(listed),
        "an unknown kernel": dump(odd | {"metadata": {"kernelspec": {"name": "conda-env-x"}}}),
        "another language's kernel": dump(odd | {"metadata": {"kernelspec": {"language": "julia"}}}),
        "from Colab": dump(colab),
        "from VS Code": dump(code),
        "20 MB of outputs": dump(big),
        "raw and empty cells": dump(raw),
        "cells that are no cells": dump(odd | {"cells": [None, 3, *odd["cells"], "x"]}),
        "the same cell ids": dump(odd | {"cells": [{**c, "id": "x"} for c in odd["cells"]]}),
    }  # fmt: skip


def _format_3(page: list[dict]) -> dict:
    old = []
    for cell in page:
        if cell["cell_type"] == "code":
            old.append({"cell_type": "code", "input": cell["source"], "language": "python",
                        "outputs": [], "prompt_number": 1, "collapsed": False})  # fmt: skip
        else:
            old.append({"cell_type": "markdown", "source": cell["source"]})
    sheets = [{"cells": old, "metadata": {}}]
    return {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}


def _honest_code() -> dict[str, list[dict]]:
    page = cells()
    checks = [c for c in page if c["source"].startswith("check(")]
    others = [c for c in page if not c["source"].startswith("check(")]
    codes = [c["source"] for c in page if c["cell_type"] == "code" and c not in checks]
    renamed = cells({"1.5": RIGHT["1.5"].replace("def step", "def my_step")})
    renamed[5]["source"] = 'check("1.5", my_step, sigmoid)'
    inline = cells({"1.5": RIGHT["1.5"].replace("def step", "def my_step")})
    inline[5]["source"] = 'check("1.5", lambda x: my_step(x), sigmoid)'
    stub = "def step(x):\n    raise NotImplementedError\n\ndef sigmoid(x):\n    raise NotImplementedError"
    below = cells({"1.5": stub})
    below.insert(6, code_cell(RIGHT["1.5"]))
    later = cells({"1.5": "def step(x):\n    return helper(x)" + WRONG_STEP})
    later.append(code_cell("def helper(x):\n    return (x > 0) * 1.0"))
    twice = cells({"1.5": _step("return 0 * x")})
    twice[6:6] = [code_cell(RIGHT["1.5"]), code_cell('check("1.5", step, sigmoid)')]
    deleted_later = [*cells(), code_cell("del step, sigmoid")]
    reused = [*cells(), code_cell("def step(x):\n    return 'another lesson'")]
    return {
        "check cells deleted": others,
        "check cells at the end": others + checks,
        "check cells first": checks + others,
        "check cells twice": [c for c in page for _ in range(2 if c in checks else 1)],
        "every cell twice": [c for c in page for _ in range(2)],
        "all code in one cell": [code_cell("\n".join(codes))],
        "one line a cell": [code_cell(s) for s in codes[0].split("\n")] + page[2:],
        "an answer under another name": renamed,
        "an answer in the check call": inline,
        "the stub kept, the answer below": below,
        "a helper defined at the end": later,
        "a wrong try kept above the right one": twice,
        "names deleted at the end": deleted_later,
        "a name used again later": reused,
        "headings deleted": [c for c in page if c["cell_type"] == "code"],
        "check with single quotes": [
            {**c, "source": c["source"].replace('"', "'")} if c in checks else c for c in page
        ],
        "edited check ids": [
            {**c, "source": "check('nonsense', 1)"} if c in checks else c for c in page
        ],
        **{name: cells(first=source) for name, source in _HONEST_FIRST.items()},
        **{name: cells({id: source}) for name, (id, source) in _HONEST_ANSWERS.items()},
    }


_HONEST_FIRST = {
    "magics": "%matplotlib inline\n%load_ext autoreload\n!pip install numpy\nimport numpy as np\nnp?",
    "a shell cell": "%%bash\necho $HOME\nexit 1",
    "an html cell": "%%html\n<b>hello</b>",
    "a timed cell": "%%time\nimport numpy as np\nslow = np.ones(3)",
    "shell output in a variable": "files = !ls\nlines = %timeit -o 1",
    "waiting at top level": "import asyncio\nawait asyncio.sleep(0)",
    "warnings": "import warnings\nwarnings.warn('careful')\nimport sys\nprint('x', file=sys.stderr)",
    "warnings as errors": "import warnings\nwarnings.simplefilter('error')",
    "a closed stdout": "import sys\nsys.stdout.close()",
    "another working folder": "import os\nos.chdir('/')",
    "asking for input": "name = input('Your name? ')",
    "an error in a lesson": "undefined_name + 1",
    "a missing module": "import a_module_that_is_not_there",
    "logging": "import logging\nlogging.basicConfig(level=0)\nlogging.error('x')",
    "display and IPython": (
        "from IPython.display import display, HTML\ndisplay(HTML('<b>x</b>'))\n"
        "get_ipython().run_line_magic('matplotlib', 'inline')"
    ),
    "a figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "print options": "np.set_printoptions(precision=2)\nnp.seterr(all='raise')",
    "everything from numpy": "from numpy import *",
    "names of builtins taken": "list = [1]\nsum = 3\nmax = 'x'\nid = 7",
    "a recursion limit": "import sys\nsys.setrecursionlimit(3000)",
    "a Korean name": "학습률 = 0.1\nprint(학습률)",
}
_HONEST_ANSWERS = {
    "defined through globals": (
        "1.8",
        "globals()['sweep'] = {1: 0.1, 2: 0.2, 3: 0.3}",
    ),
    "defined by exec": ("1.3", "exec('choice_1_3 = \"b\"')"),
    "defined in a branch": (
        "1.3",
        "if True:\n    choice_1_3 = 'b'\nelse:\n    choice_1_3 = 'a'",
    ),
    "defined under __main__": (
        "1.7",
        "if __name__ == '__main__':\n    " + RIGHT["1.7"].replace("\n", "\n    "),
    ),
    "a lambda": ("1.5", "step = lambda x: (x > 0) * 1\nsigmoid = lambda x: 1 / (1 + np.exp(-x))"),
    "an object that can be called": (
        "1.7",
        "class Mean:\n    def __call__(self, y, t):\n        if y.shape != t.shape:\n"
        "            raise ValueError('shape')\n        return ((y - t) ** 2).mean()\n"
        "mean_squared_error = Mean()",
    ),
    "a partial function": (
        "1.5",
        "from functools import partial\nstep = partial(np.heaviside, x2=0.0) if False else "
        "lambda x: np.heaviside(x, 0.0)\nsigmoid = lambda x: 0.5 * (1 + np.tanh(x / 2))",
    ),
    "lists instead of arrays": (
        "1.5",
        "import math\ndef step(x):\n    return [int(v > 0) for v in x]\n"
        "def sigmoid(x):\n    return [1 / (1 + math.exp(-v)) for v in x]",
    ),
    "float32": (
        "1.5",
        "def step(x):\n    return (x > 0).astype('float32')\n"
        "def sigmoid(x):\n    return (1 / (1 + np.exp(-x))).astype('float32')",
    ),
    "an array of one element": (
        "1.7",
        "def mean_squared_error(y, t):\n    if y.shape != t.shape:\n        raise ValueError\n"
        "    return np.array([np.mean((y - t) ** 2)])",
    ),
    "a subclass of ValueError": (
        "1.7",
        "class Lengths(ValueError):\n    pass\ndef mean_squared_error(y, t):\n"
        "    if y.shape != t.shape:\n        raise Lengths\n    return np.mean((y - t) ** 2)",
    ),
    "a decorator": (
        "1.7",
        "import functools\ndef traced(f):\n    @functools.wraps(f)\n    def inner(*a):\n"
        "        print(a)\n        return f(*a)\n    return inner\n\n@traced\n" + RIGHT["1.7"],
    ),
    "type hints": (
        "1.7",
        RIGHT["1.7"].replace("(y, t)", "(y: np.ndarray, t: np.ndarray) -> float"),
    ),
    "a dataclass": (
        "1.9",
        "from dataclasses import dataclass\n@dataclass\nclass Square:\n    x: float = 0.0\n"
        "    def forward(self, x):\n        self.x = x\n        return x**2\n"
        "    def backward(self, g):\n        return 2 * self.x * g",
    ),
    "a table": ("1.8", "import pandas as pd\nsweep = pd.Series([0.1, 0.2, 0.3]).to_dict()"),
    "built by a loop": (
        "1.8",
        "sweep = {}\nfor rate in (0.1, 0.2, 0.3):\n    sweep[rate] = rate ** 2\nsweep.update({1: 1.0})",
    ),
    "numbers of numpy": ("1.8", "sweep = {r: np.float64(r) for r in np.arange(4)}"),
    "tabs": ("1.10", RIGHT["1.10"].replace("    ", "\t")),
    "a file written and read": (
        "1.3",
        "open('a.txt', 'w').write('b')\nchoice_1_3 = open('a.txt').read()",
    ),
    "a thread": (
        "1.3",
        "import threading\nfound = []\nt = threading.Thread(target=lambda: found.append('b'))\n"
        "t.start()\nt.join()\nchoice_1_3 = found[0]",
    ),
    "a child process": (
        "1.3",
        "import subprocess, sys\nrun = subprocess.run([sys.executable, '-c', 'print(\"b\")'], "
        "capture_output=True, text=True)\nchoice_1_3 = run.stdout.strip()",
    ),
    "a temporary folder": (
        "1.3",
        "import tempfile, pathlib\nwith tempfile.TemporaryDirectory() as d:\n"
        "    pathlib.Path(d, 'x').write_text('b')\n    choice_1_3 = pathlib.Path(d, 'x').read_text()",
    ),
}
assert set(NAMES) == set(RIGHT) and pages.EXPLANATION
