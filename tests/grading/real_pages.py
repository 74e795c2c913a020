"""The workbook's pages as submissions of every kind: unusual, saved elsewhere, hostile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from helpers.exercises import Exercise
from tests.grading.pages import code_cell, dump, notebook

Kind = Callable[[list[dict], list[Exercise]], tuple[bytes, set[str]]]


def cells_of(path: Path, listed: list[Exercise]) -> list[dict]:
    """Return the cells of a solved page without its outputs."""
    page = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [
        {**cell, "outputs": [], "metadata": {}} if cell["cell_type"] == "code" else cell
        for cell in ({**c, "source": "".join(c["source"])} for c in page)
    ]


def kinds() -> dict[str, Kind]:
    """Return the kinds by name; each turns a solved page into a file and the exercises it fails."""
    odd = {
        "as it should be": lambda page, listed: page,
        "check cells deleted": lambda page, listed: [c for c in page if not _is_check(c)],
        "check cells at the end": lambda page, listed: sorted(page, key=_is_check),
        "headings deleted": lambda page, listed: [c for c in page if c["cell_type"] == "code"],
        "every cell twice": lambda page, listed: [c for c in page for _ in range(2)],
        "stubs below the answers": _stubs_below,
        "magics and Colab lines in every answer": _with_lines,
        "timed answers": _timed,
        "answers in one cell at the end": _at_the_end,
        "imports in the last cell": lambda page, listed: sorted(page, key=_is_import),
        "files saved by Colab": _by_colab,
    }
    saved = {
        "nbformat 3": _format_3,
        "UTF-16": lambda page: dump(page).decode().encode("utf-16"),
        "Windows line ends and a byte order mark": lambda page: (
            b"\xef\xbb\xbf" + dump(page).replace(b"\n", b"\r\n")
        ),
        "nothing but cells": lambda page: json.dumps({"cells": page}).encode(),
    }
    hostile = {
        "an answer ends the process": "import os\nos._exit(0)",
        "an answer never ends": "while True:\n    pass",
        "an answer kills its process": "import os\nos.kill(os.getpid(), 9)",
        "an answer raises a forged verdict": (
            "class Correct(Exception): pass\nraise Correct('full marks')"
        ),
        "an answer looks for the check": (
            "import gc, sys\nfrom helpers.exercises import find\nsys.exit(find)"
        ),
    }
    found: dict[str, Kind] = {}
    for name, change in odd.items():
        found[name] = lambda page, listed, change=change: (dump(change(page, listed)), set())
    for name, save in saved.items():
        found[name] = lambda page, listed, save=save: (save(page), set())
    for name, body in hostile.items():
        found[name] = lambda page, listed, body=body: _attacked(page, listed, body)
    return found


def _is_check(cell: dict) -> bool:
    return cell["cell_type"] == "code" and cell["source"].startswith("check(")


def _is_import(cell: dict) -> bool:
    return cell["cell_type"] == "code" and cell["source"].startswith("from helpers import")


def _is_answer(cell: dict, listed: list[Exercise]) -> bool:
    names = [name for exercise in listed for name in exercise.names]
    return cell["cell_type"] == "code" and any(
        f"def {name}(" in cell["source"] or f"class {name}" in cell["source"] for name in names
    )


def _stubs_below(page: list[dict], listed: list[Exercise]) -> list[dict]:
    changed = []
    for cell in page:
        changed.append(cell)
        for exercise in listed:
            if _is_answer(cell, [exercise]) and "### BEGIN SOLUTION" in cell["source"]:
                stubs = (
                    f"def {name}(*arguments):\n    raise NotImplementedError('{exercise.id}')"
                    for name in exercise.names
                )
                changed.append(code_cell("\n\n".join(stubs)))
    return changed


def _with_lines(page: list[dict], listed: list[Exercise]) -> list[dict]:
    above = (
        "%matplotlib inline\n!pip install -q seaborn\nimport seaborn as sns\n"
        "from google.colab import drive\ndrive.mount('/content/drive')\n"
        "files = !ls\nassert len(files) > 10**6\n"
    )
    return [{**c, "source": above + c["source"]} if _is_answer(c, listed) else c for c in page]


def _timed(page: list[dict], listed: list[Exercise]) -> list[dict]:
    return [{**c, "source": "%%time\n" + c["source"]} if _is_answer(c, listed) else c for c in page]


def _at_the_end(page: list[dict], listed: list[Exercise]) -> list[dict]:
    answers = [c["source"] for c in page if _is_answer(c, listed)]
    rest = [c for c in page if not _is_answer(c, listed)]
    return [*rest, code_cell("\n\n\n".join(answers))]


def _by_colab(page: list[dict], listed: list[Exercise]) -> dict:
    lines = [
        {**c, "source": c["source"].splitlines(keepends=True), "metadata": {"id": f"x{n}"}}
        for n, c in enumerate(page)
    ]
    for cell in lines:
        cell.pop("id", None)
    return notebook(lines, minor=0, colab={"provenance": []}, accelerator="GPU")


def _format_3(page: list[dict]) -> bytes:
    old = [
        {"cell_type": "code", "input": c["source"], "language": "python", "outputs": []}
        if c["cell_type"] == "code"
        else {"cell_type": "markdown", "source": c["source"]}
        for c in page
    ]
    sheets = [{"cells": old, "metadata": {}}]
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}).encode()


def _attacked(page: list[dict], listed: list[Exercise], body: str) -> tuple[bytes, set[str]]:
    """Return the page with the first exercise's answers replaced by an attack."""
    first = listed[0]
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    attack = "\n\n".join(f"def {name}(*args, **kwargs):\n{lines}" for name in first.names)
    changed: list[dict] = []
    for cell in page:
        is_check = _is_check(cell) and cell["source"].startswith(f'check("{first.id}"')
        changed += [code_cell(attack), cell] if is_check else [cell]
    return dump(changed), {first.id}
