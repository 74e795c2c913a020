# ruff: noqa: E501
"""Unusual but honest notebooks from students' platforms and habits; all get full marks."""

from __future__ import annotations

import json

from tests.grading.pages import RIGHT, cells, code_cell, dump, notebook, text_cell

_MSE = RIGHT["1.7"]
_BOTH = RIGHT["1.5"]
_WRONG = "def step(x):\n    return 0 * x\n\ndef sigmoid(x):\n    return 0 * x"

# A cell before the answers that must not affect their points.
BEFORE = {
    "JupyterLite: pyodide": "import pyodide_js\nawait pyodide_js.loadPackage('numpy')\nfrom js import document\nfrom pyodide.http import open_url\ndata = open_url('https://example.com/x.csv')",
    "Databricks: a file system command": "%fs ls /databricks-datasets",
    "Databricks: text in a code cell": "%md\n# My notes\nIt isn't Python at all: don't run.",
    "Databricks: a restart": "dbutils.library.restartPython()\ndisplay(spark.read.table('t'))",
    "SageMaker: a session": "import sagemaker, boto3\nrole = sagemaker.get_execution_role()\nbucket = boto3.Session().region_name",
    "Colab: is it Colab": "import sys\nIN_COLAB = 'google.colab' in sys.modules\nif IN_COLAB:\n    !pip install -q seaborn\nelse:\n    print('local')",
    "Colab: a TPU": "import tensorflow as tf\nresolver = tf.distribute.cluster_resolver.TPUClusterResolver()\ntf.config.experimental_connect_to_cluster(resolver)",
    "Kaggle: a download": "!kaggle datasets download -d zalando-research/fashionmnist\n!unzip -q fashionmnist.zip -d data\nimport kagglehub\npath = kagglehub.dataset_download('x/y')",
    "a number asked until it is one": "while True:\n    try:\n        n = int(input('How many? '))\n        break\n    except ValueError:\n        print('Please enter a number.')",
    "installs from Python": "import subprocess, sys, os\nsubprocess.check_call([sys.executable, '-m', 'pip', 'install', '-q', 'seaborn'])\nos.system('pip install torch')",
    "a GPU asked of a program": "import subprocess\nprint(subprocess.check_output(['nvidia-smi']).decode())",
    "a window of matplotlib": "import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\nplt.ion()\nplt.figure()\nplt.show()",
    "matplotlib in a window by a magic": "%matplotlib qt\n%matplotlib notebook\nimport matplotlib.pyplot as plt\nplt.switch_backend('Qt5Agg')",
    "seeds of everything": "import random, os\nos.environ['TF_DETERMINISTIC_OPS'] = '1'\nimport torch\ntorch.manual_seed(42)\ntorch.backends.cudnn.deterministic = True\nnp.random.seed(42)",
    "a skipped cell with a wrong answer": "%%script false --no-raise-error\n" + _WRONG,
    "a picture that was not handed in": "from IPython.display import Image, IFrame, YouTubeVideo\nImage('figures/xor.png')",
    "a variable from another notebook": "%store -r table\n%history -n 1-3\n%load_ext dotenv\n%dotenv",
    "parameters of papermill": "# Parameters\nalpha = 0.1\nratio = None\n# injected-parameters\nalpha = 0.6",
    "a process pool of joblib": "from joblib import Parallel, delayed\nsquares = Parallel(n_jobs=-1)(delayed(lambda v: v * v)(v) for v in range(4))",
    "names cleaned up": "%reset -f\nimport numpy as np\nfrom helpers import check",
    "rich output": "from rich import print\nfrom rich.progress import track\nfor n in track(range(3)):\n    print(n)",
    "a timer that goes on": "import threading\ndef later():\n    t = threading.Timer(0.2, later)\n    t.daemon = True\n    t.start()\nlater()",
    "a class with a metaclass": "class Meta(type):\n    def __call__(cls, *a, **k):\n        return super().__call__(*a, **k)\nclass Thing(metaclass=Meta):\n    def __getattr__(self, name):\n        return name\nthing = Thing()",
    "output thrown away": "import sys, os\nsys.stdout = open(os.devnull, 'w')\nsys.stderr = sys.stdout",
}  # fmt: skip

# Answers in forms that ran on the student's machine: by exercise, one source or several cells.
ANSWERS = {
    "Databricks: %python above the answer": {"1.5": "%python\n" + _BOTH},
    "a decorator of a package that is missing": {"1.7": "from numba import njit\n@njit\n" + _MSE},
    "a decorator with options of a package that is missing": {"1.7": "import numba\n@numba.jit(nopython=True, cache=True)\n" + _MSE},
    "a decorator imported in another cell": {"1.7": ["from beartype import beartype", "@beartype\n" + _MSE]},
    "hints of a package that is missing": {"1.7": "import torch\n" + _MSE.replace("(y, t)", "(y: torch.Tensor, t: torch.Tensor) -> torch.Tensor")},
    "a class with hints of a package that is missing": {"1.9": "from jaxtyping import Float\nclass Square:\n    x: Float\n    def forward(self, x: Float) -> Float:\n        self.x = x\n        return x * x\n    def backward(self, g: Float = 1.0):\n        return 2 * self.x * g"},
    "a skipped wrong try below the answer": {"1.5": [_BOTH, "%%script echo skipped\n" + _WRONG]},
    "a wrong try in a raw cell": {"1.5": _BOTH},
    "annotated values": {"1.3": "choice_1_3: str = 'b'", "1.8": "sweep: dict[float, float] = {n: float(n) for n in range(3)}"},
    "Literal and Final": {"1.3": "from typing import Final, Literal\nchoice_1_3: Final[Literal['a', 'b', 'c']] = 'b'"},
    "an enumeration's value": {"1.3": "from enum import Enum\nclass Choice(str, Enum):\n    A = 'a'\n    B = 'b'\nchoice_1_3 = Choice.B.value"},
    "a dataclass with slots": {"1.9": "from dataclasses import dataclass, field\n@dataclass(slots=True, kw_only=True)\nclass Square:\n    x: float = 0.0\n    seen: list = field(default_factory=list)\n    def forward(self, x):\n        self.x = x\n        return x ** 2\n    def backward(self, g):\n        return 2 * self.x * g"},
    "singledispatch": {"1.7": "from functools import singledispatch\n@singledispatch\ndef mean_squared_error(y, t):\n    if len(y) != len(t): raise ValueError('lengths')\n    return float(np.mean((np.asarray(y) - np.asarray(t)) ** 2))\n@mean_squared_error.register\ndef _(y: list, t):\n    return mean_squared_error(np.array(y), t)"},
    "a task group with a time limit": {"1.8": "import asyncio\nasync def measure(n):\n    await asyncio.sleep(0)\n    return float(n)\nasync with asyncio.timeout(5):\n    async with asyncio.TaskGroup() as group:\n        tasks = [group.create_task(measure(n)) for n in range(3)]\nsweep = {n: task.result() for n, task in enumerate(tasks)}"},
    "to_thread": {"1.8": "import asyncio\nsweep = {n: await asyncio.to_thread(float, n) for n in range(3)}"},
    "a queue between threads": {"1.8": "import queue, threading\nwork, sweep = queue.Queue(), {}\ndef worker():\n    while (n := work.get()) is not None:\n        sweep[n] = float(n)\nthread = threading.Thread(target=worker)\nthread.start()\nfor n in range(3):\n    work.put(n)\nwork.put(None)\nthread.join()"},
    "a process with a queue": {"1.8": "import multiprocessing as mp\ndef work(q):\n    q.put({n: float(n) for n in range(3)})\nq = mp.Queue()\np = mp.Process(target=work, args=(q,))\np.start()\nsweep = q.get()\np.join()"},
    "a process pool of futures": {"1.8": "from concurrent.futures import ProcessPoolExecutor\ndef half(n):\n    return n / 2\nwith ProcessPoolExecutor(2) as pool:\n    sweep = dict(zip(range(3), pool.map(half, range(3))))"},
    "a script run by another Python": {"1.8": ["%%writefile sweep.py\nimport json\nprint(json.dumps({n: n / 2 for n in range(3)}))", "import json\nlines = !python sweep.py\nsweep = json.loads(lines[0])"]},
    "a notebook's progress bar in the answer": {"1.10": "from tqdm.notebook import tqdm, trange\ndef descend(gradient, start, rate, steps):\n    w = start\n    for _ in trange(steps):\n        w = w - rate * gradient(w)\n    return w"},
    "a progress bar of Keras's kind": {"1.8": "import sys, time\nsweep = {}\nfor n in range(3):\n    sys.stdout.write(f'\\r{n + 1}/3 [{\"=\" * n}>]')\n    sys.stdout.flush()\n    sweep[n] = float(n)"},
    "a window of matplotlib in the answer": {"1.8": "import matplotlib\nmatplotlib.use('Qt5Agg')\nimport matplotlib.pyplot as plt\nsweep = {n: float(n) for n in range(3)}\nplt.plot(list(sweep), list(sweep.values()))\nplt.pause(0.01)\nplt.get_current_fig_manager().window.showMaximized()"},
    "a seed in the answer": {"1.10": "import random\ndef descend(gradient, start, rate, steps):\n    np.random.seed(0)\n    random.seed(0)\n    w = start + 0 * np.random.normal(size=start.shape)\n    for _ in range(steps):\n        w -= rate * gradient(w)\n    return w"},
    "printed and stored": {"1.3": "print(choice_1_3 := 'b')"},
    "an assignment in a with": {"1.8": "with np.errstate(all='ignore'), open('log.txt', 'w') as log:\n    sweep = {n: float(n) for n in range(3)}\n    print(sweep, file=log)"},
    "an assignment in a try": {"1.8": "try:\n    import cudf\n    sweep = cudf.run()\nexcept Exception as error:\n    print(error)\n    sweep = {n: float(n) for n in range(3)}\nfinally:\n    print('done')"},
    "odd white space": {"1.7": _MSE.replace("    return", "\x0c\n    note = 'a\u2028b\u0085c\x1cd'\n    return")},
    "a line end of old Macs": {"1.7": _MSE.replace("\n", "\r")},
    "continued lines": {"1.8": "sweep = \\\n    {n: \\\n     float(n) for n \\\n     in range(3)}"},
    "functions defined by a loop": {"1.5": "for name, rule in {'step': lambda x: (x > 0) * 1.0, 'sigmoid': lambda x: 1 / (1 + np.exp(-x))}.items():\n    globals()[name] = rule"},
    "functions taken from a namespace": {"1.5": "from types import SimpleNamespace\nmine = SimpleNamespace(step=lambda x: (x > 0) * 1.0, sigmoid=lambda x: 1 / (1 + np.exp(-x)))\nvars().update(vars(mine))"},
    "an answer that calls itself through the namespace": {"1.7": "def mean_squared_error(y, t, top=True):\n    if top:\n        return globals()['mean_squared_error'](y, t, False)\n    if len(y) != len(t): raise ValueError('lengths')\n    return np.mean((y - t) ** 2)"},
    "a stop in the middle": {"1.8": ["sweep = {n: float(n) for n in range(3)}", "raise SystemExit('Stop here')", "class StopExecution(Exception):\n    def _render_traceback_(self):\n        return []\nraise StopExecution"]},
    "an answer with a counter of calls": {"1.5": "calls = {'step': 0}\ndef counted(f):\n    def inner(x):\n        calls[f.__name__] = calls.get(f.__name__, 0) + 1\n        return f(x)\n    return inner\n@counted\ndef step(x):\n    return np.heaviside(x, 0)\n@counted\ndef sigmoid(x):\n    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))"},
}  # fmt: skip


def moved() -> dict[str, list[dict]]:
    """Return pages whose cells were split, merged, disabled or copied."""
    page = cells()
    answer = next(k for k, cell in enumerate(page) if cell["source"] == _BOTH)
    first, second = _BOTH.split("\n\n")
    split = [
        *page[:answer],
        code_cell(first),
        text_cell("Now the sigmoid."),
        code_cell(second),
        *page[answer + 1 :],
    ]
    merged = [
        *page[:answer],
        code_cell(f"{_BOTH}\n\n{page[answer + 1]['source']}"),
        *page[answer + 2 :],
    ]
    off = [
        *page[: answer + 1],
        {"cell_type": "raw", "metadata": {}, "source": _WRONG},
        *page[answer + 1 :],
    ]
    fenced = [
        *page[: answer + 1],
        text_cell(f"My first try was\n```python\n{_WRONG}\n```"),
        *page[answer + 1 :],
    ]
    pasted = [{**cell, "metadata": {}} for cell in page]
    attached = [text_cell("![sketch](attachment:sketch.png)"), *page]
    attached[0]["attachments"] = {"sketch.png": {"image/png": "iVBORw0KGgo="}}
    again = [
        *page,
        code_cell(_WRONG.replace("0 * x", "x")),
        code_cell("print(step(np.array([1.0])))"),
    ]
    return {
        "an answer split by a text": split,
        "an answer merged with its check": merged,
        "a wrong try turned off as a raw cell": off,
        "a wrong try in a text": fenced,
        "copied into a new notebook": pasted,
        "a sketch attached": attached,
        "an answer's names used again below": again,
        "all names deleted at the end": [*page, code_cell("%reset -f"), code_cell("import numpy as np")],
    }  # fmt: skip


def saved() -> dict[str, dict | bytes]:
    """Return a correct page as other programs save it."""
    page = cells()
    whole = notebook(page)
    no_ids = {**whole, "cells": [{k: v for k, v in c.items() if k != "id"} for c in whole["cells"]]}
    odd_ids = {
        **whole,
        "cells": [{**c, "id": n if n % 2 else "x" * 200} for n, c in enumerate(whole["cells"])],
    }
    bare_code = [
        {k: v for k, v in c.items() if k not in ("outputs", "execution_count", "metadata")}
        for c in whole["cells"]
    ]
    nulls = [{**c, "metadata": None, "outputs": None} for c in whole["cells"]]
    nulls.insert(1, {"cell_type": "code", "source": None, "metadata": {}, "outputs": []})
    lines = {"output_type": "stream", "name": "stdout", "text": ["a line\n"] * 20_000}
    huge = [{**c, "outputs": [lines, lines]} if c["cell_type"] == "code" else c for c in page]
    state = {
        "application/vnd.jupyter.widget-state+json": {
            "version_major": 2,
            "version_minor": 0,
            "state": {
                f"{n:032x}": {
                    "model_name": "HBoxModel",
                    "state": {"children": [f"IPY_MODEL_{n}"] * 9},
                }
                for n in range(3000)
            },
        }
    }
    sheets = [
        {
            "cells": [
                {"cell_type": "heading", "level": 2, "source": ["Notes"]},
                {"cell_type": "html", "source": "<b>x</b>"},
            ],
            "metadata": {},
        },
        {"cells": [_old(c) for c in page], "metadata": {}},
    ]
    databricks = [
        {
            **c,
            "metadata": {
                "application/vnd.databricks.v1+cell": {
                    "cellMetadata": {"byteLimit": 2048000},
                    "inputWidgets": {},
                    "nuid": f"{n:036x}",
                    "showTitle": False,
                    "title": "",
                }
            },
        }
        for n, c in enumerate(page)
    ]
    nteract = [
        {
            **c,
            "metadata": {
                "nteract": {"transient": {"deleting": False}},
                "jupyter": {"source_hidden": False},
                "papermill": {"duration": 0.01, "status": "completed"},
                "tags": ["parameters"],
            },
        }
        for c in page
    ]
    return {
        "saved by Databricks": notebook(databricks, minor=0, **{"application/vnd.databricks.v1+notebook": {"dashboards": [], "language": "python", "notebookName": "hw", "widgets": {}}}),
        "saved by nteract": notebook(nteract, minor=4, nteract={"version": "0.28.0"}, papermill={"parameters": {}, "version": "2.6"}),
        "saved by marimo": notebook(page, minor=5, marimo={"app_config": {}}, marimo_version="0.9"),
        "saved by Hex": notebook([{**c, "metadata": {"hex": {"cellId": f"{n}"}}} for n, c in enumerate(page)], minor=4, hex_info={"author": "x", "version": "draft"}),
        "no cell ids in format 4.5": no_ids,
        "cell ids of other kinds": odd_ids,
        "cells of type and source alone": {**whole, "cells": bare_code},
        "nulls where lists belong": {**whole, "cells": nulls},
        "no minor version": {k: v for k, v in whole.items() if k != "nbformat_minor"},
        "two worksheets of format 3": {"metadata": {"name": "hw", "celltoolbar": "None"}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets},
        "format 2": {"metadata": {"name": "hw"}, "nbformat": 2, "worksheets": [{"cells": [_old(c) for c in page]}]},
        "outputs of 10 MB in lines": notebook(huge),
        "widget state of 3000 models": notebook(page, widgets=state),
        "a byte order mark twice": b"\xef\xbb\xbf\xef\xbb\xbf" + dump(page),
        "UTF-16 without a mark": dump(page).decode().encode("utf-16-le"),
        "lines ended by CRLF in lists": dump([{**c, "source": [f"{line}\r\n" for line in c["source"].split("\n")]} for c in page]),
        "white space around the file": b"\n\n  " + dump(page) + b"\n\x00\n",
        "exported as a script": _script(page, "# In[{}]:\n\n\n"),
        "exported as a script of Databricks": _script(page, "# COMMAND ----------\n", "# Databricks notebook source\n", "# MAGIC %md\n# MAGIC "),
        "NaN in an output": json.dumps(notebook([{**c, "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"application/json": {"loss": float("nan"), "best": float("-inf")}}}]} if c["cell_type"] == "code" else c for c in page])).encode(),
    }  # fmt: skip


def _old(cell: dict) -> dict:
    if cell["cell_type"] != "code":
        return {"cell_type": "markdown", "source": cell["source"]}
    return {"cell_type": "code", "input": cell["source"], "language": "python", "outputs": []}


def _script(page: list[dict], mark: str, head: str = "#!/usr/bin/env python\n# coding: utf-8\n\n", text: str = "# ") -> bytes:  # fmt: skip
    """Return a page as nbconvert or Databricks writes it as a script."""
    parts = [head]
    for number, cell in enumerate(page, 1):
        if cell["cell_type"] == "code":
            parts.append(f"{mark.format(number)}{cell['source']}\n\n\n")
        elif text == "# ":
            parts.append("".join(f"# {line}\n" for line in cell["source"].split("\n")) + "\n")
        else:
            body = cell["source"].replace("\n", "\n# MAGIC ")
            parts.append(f"{mark}{text}{body}\n\n")
    return "".join(parts).encode()
