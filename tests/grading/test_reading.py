"""Each submission is opened in a limited process, and a problem is reported in its own line."""

from __future__ import annotations

import gzip
import io
import json
import os
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.grading import reading
from helpers.grading.reading import Document, Reader
from tests.grading.archives import packed
from tests.grading.pages import cells, dump, notebook, text_cell

PAGE = dump(cells())
FUZZ = int(os.environ.get("WORKBOOK_FUZZ", "60"))


@pytest.fixture(scope="module")
def reader():
    with Reader() as reader:
        yield reader


@pytest.fixture
def read(reader, tmp_path):
    """Return a function that reads one file in the limited process."""

    def documents(name: str, content: bytes, aliases: dict | None = None) -> list[Document]:
        path = tmp_path / "file"
        path.write_bytes(content)
        return list(reader.read(str(path), -1, name, aliases or {}))

    return documents


def _still_fine(read) -> None:
    (document,) = read("x.ipynb", PAGE)
    assert document.kind == "notebook" and document.ids["1.5"] == 2, document


def test_notebook_comes_back_with_all_that_grading_uses(read):
    (document,) = read("06.ipynb", PAGE)
    assert document.notebook.code[0].startswith("from helpers import")
    assert len(document.notebook.counts) == len(document.notebook.code)
    assert len(document.sha256) == 64 and not document.reason and not document.content


def _flagged_utf8() -> bytes:
    """Return a zip with an entry whose name is marked as UTF-8 but is not."""
    content = packed({"aé_01_x.ipynb": PAGE})
    return content.replace("é".encode(), b"\xe9\xff")


def _flipped() -> bytes:
    content = bytearray(packed({"é_01_x.ipynb": PAGE, "b.ipynb": PAGE}))
    for place in range(60, len(content), 97):
        content[place] ^= 0x55
    return bytes(content)


def _many() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(20_001):
            archive.writestr(f"{number}.txt", b"")
    return content.getvalue()


def _equal_keys() -> bytes:
    keys = ",".join(f'"{number:07d}": 0' for number in range(400_000))
    return ('{"nbformat": 4, "cells": [], "metadata": {' + keys + "}}").encode()


HOSTILE = {
    "200 kB of newlines": ("x.ipynb", b"{" + b"\n" * 200_000),
    "2 MB of blanks and newlines": ("x.ipynb", b"{" + b" \n" * 1_000_000),
    "newlines that are no JSON": ("x.ipynb", b"\n" * 2_000_000 + b"<"),
    "20,001 empty files": ("hw.zip", _many()),
    "a name that is not the UTF-8 it says": ("hw.zip", _flagged_utf8()),
    "flipped bytes": ("hw.zip", _flipped()),
    "half a zip": ("hw.zip", packed({"a.ipynb": PAGE})[:-40]),
    "a zip bomb": ("hw.zip", packed({"a.ipynb": bytes(60 * 2**20)})),
    "many bombs": ("hw.zip", packed({f"{k}.txt": b"x" * 900_000 for k in range(500)})),
    "a zip in a zip in a zip": (
        "hw.zip",
        packed({"b.zip": packed({"c.zip": packed({"x.ipynb": PAGE})})}),
    ),
    "JSON nested deep": ("x.ipynb", b'{"cells":' + b"[" * 5_000_000),
    "cells nested deep": (
        "x.ipynb",
        b'{"nbformat": 4, "cells": [' + b'{"a":' * 40_000 + b"1" + b"}" * 40_000 + b"]}",
    ),
    "many keys": ("x.ipynb", _equal_keys()),
    "sources without end": (
        "x.ipynb",
        dump(notebook([text_cell("y" * 150_000) for _ in range(100)])),
    ),
    "a gzip archive": ("hw.tar.gz", gzip.compress(PAGE)),
    "a picture": ("photo.jpg", b"\xff\xd8\xff\xe0" + bytes(1000)),
    "a PDF": ("hw.pdf", b"%PDF-1.7" + bytes(1000)),
    "a list of things to do": ("notes.md", b"# Homework\n"),
    "an empty zip": ("hw.zip", packed({})),
    "infinity as a version": ("x.ipynb", b'{"nbformat": 1e999, "cells": [1]}'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_ends_in_its_own_line(name, read):
    documents = read(*HOSTILE[name])
    assert documents and len(documents) <= reading.MAX_DOCUMENTS + 2
    assert any(document.reason for document in documents)
    for document in documents:
        assert document.kind == "notebook" or document.reason
        assert len(document.reason) <= 600 and document.reason.isprintable()
    _still_fine(read)


def test_a_process_that_grows_or_loops_ends_in_a_line(read, monkeypatch, tmp_path):
    """The limits hold even if the reading code itself is exploited."""
    for source in ("x = bytearray(8 * 2**30)", "while True: pass"):
        hole = tmp_path / "sitecustomize.py"
        hole.write_text(
            "import sys, importlib.util\n"
            "def hole(content):\n    " + source + "\n"
            "def patch():\n    from helpers.grading import reading\n"
            "    sys.modules['__main__'].read = hole\n"
            "    sys.modules['__main__'].PROCESSOR_SECONDS = 1\n"
            "import threading\nthreading.Timer(0.5, patch).start()\n"
        )
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
        with Reader() as own:
            path = tmp_path / "x"
            path.write_bytes(PAGE)
            list(own.read(str(path), -1, "x.ipynb", {}))
            time.sleep(1.5)
            (document,) = own.read(str(path), -1, "x.ipynb", {})
            assert document.kind == "problem" and document.reason


def _colab() -> dict:
    page = notebook(cells(), minor=0, accelerator="GPU", gpuClass="standard")
    page["metadata"]["colab"] = {
        "provenance": [{"file_id": "1x", "timestamp": 17}],
        "gpuType": "T4",
    }
    for number, cell in enumerate(page["cells"]):
        cell.pop("id", None)
        cell["metadata"] = {
            "id": f"aB{number}",
            "outputId": "3f-e",
            "colab": {"base_uri": "https://x"},
        }
        cell["source"] = cell["source"].splitlines(keepends=True)
    return page


def _kaggle() -> dict:
    page = notebook(cells(), minor=4)
    page["metadata"]["kaggle"] = {"accelerator": "none", "dataSources": [], "isGpuEnabled": False}
    page["metadata"]["papermill"] = {"duration": 11.9, "exception": None}
    for cell in page["cells"]:
        cell.pop("id", None)
        cell["metadata"] = {"_uuid": "8f2839f2", "_cell_guid": "b1076dfc", "trusted": True}
        if cell["cell_type"] == "code":
            cell["execution"] = {"iopub.status.busy": "2026-03-02T09:00:00Z"}
    return page


def _deepnote() -> dict:
    page = notebook(cells(), minor=0)
    page["metadata"] |= {
        "deepnote_notebook_id": "51c",
        "deepnote_execution_queue": [],
        "orig_nbformat": 2,
    }
    for cell in page["cells"]:
        cell["metadata"] = {"cell_id": "00001-x", "deepnote_cell_type": "code", "tags": []}
        cell["block_group"] = "00001"
    page["cells"].append({"cell_type": "markdown", "source": "Created in deepnote.com",
                          "metadata": {"created_in_deepnote_cell": True}})  # fmt: skip
    return page


def _vscode() -> bytes:
    page = notebook(cells(), minor=2)
    page["metadata"] = {"orig_nbformat": 4, "language_info": {"name": "python"},
                        "kernelspec": {"display_name": "Python 3.12.1 ('.venv')"}}  # fmt: skip
    for cell in page["cells"]:
        cell["metadata"] = {"vscode": {"languageId": "python"}}
        cell["execution_count"] = None
    return b"\xef\xbb\xbf" + json.dumps(page, indent=1).replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "content",
    [json.dumps(_colab()), json.dumps(_kaggle()), json.dumps(_deepnote(), indent=2), _vscode()],
    ids=["Colab", "Kaggle", "Deepnote", "VS Code"],
)
def test_notebook_as_its_editor_writes_it_is_read_whole(read, content):
    (document,) = read("x.ipynb", content if isinstance(content, bytes) else content.encode())
    assert document.kind == "notebook", document.reason
    assert document.notebook.code == [c["source"] for c in cells() if c["cell_type"] == "code"]
    assert document.ids["1.5"] == 2


@pytest.mark.parametrize(
    "version", [4, "4", 4.0, "4.0", "4.5", " 4 ", None, ""], ids=lambda value: repr(value)
)
def test_nbformat_in_any_spelling_is_read(read, version):
    (document,) = read("x.ipynb", dump(notebook(cells()) | {"nbformat": version}))
    assert document.kind == "notebook", document.reason


def test_control_characters_never_leave_the_reader(read):
    page = notebook(cells()) | {"nbformat": "\x1b[31mred\x07\u202e\ud800"}
    content = json.dumps(page).encode()
    (document,) = read("x.ipynb", content)
    assert "format ?[31mred???" in document.reason and document.reason.isascii()


def test_lone_surrogates_become_something_that_can_be_written(read):
    page = cells()
    page[1]["source"] += "\n# \ud800 \udfff"
    page[2]["metadata"] = {"nbgrader": {"grade_id": "\ud801x"}}
    (document,) = read("x.ipynb", json.dumps(notebook(page)).encode())
    assert document.kind == "notebook"
    json.dumps([document.notebook.code, document.notebook.texts], ensure_ascii=False).encode()


def test_former_ids_become_the_present_ones(read):
    page = cells()
    for cell in page:
        cell["source"] = (
            cell["source"].replace('check("1.5"', 'check( "+1.1"').replace("1.4", "9.9")
        )
    (document,) = read("x.ipynb", dump(page), {"+1.1": "1.5", "9.9": "1.4", "1": "7"})
    assert any('check( "1.5", step, sigmoid)' in source for source in document.notebook.code)
    assert any("Answer 1.4" in text for text, _ in document.notebook.texts)
    assert document.ids["1.5"] and document.ids["1.4"] and "9.9" not in document.ids


def test_files_beside_the_notebook_come_with_their_content(read):
    files = {"hw/01_x.ipynb": PAGE, "hw/tools.py": b"k = 1", "hw/big.csv": os.urandom(2**21)}
    found = {document.file: document for document in read("hw.zip", packed(files))}
    assert found["hw/01_x.ipynb"].kind == "notebook"
    assert found["hw/tools.py"].kind == "other" and found["hw/tools.py"].content == "ayA9IDE="
    assert found["hw/big.csv"].content == ""


def _changed(content: bytes, flips: list[tuple[float, int]]) -> bytes:
    changed = bytearray(content)
    for place, value in flips:
        changed[min(int(place * len(changed)), len(changed) - 1)] = value
    return bytes(changed)


_flips = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12
)


@given(_flips, st.sampled_from(["x.ipynb", "x.ipynb3", "hw.zip", "hw.zip"]), st.integers(0, 400))
@settings(
    max_examples=FUZZ,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_flipped_bytes_end_in_lines(reader, tmp_path_factory, flips, name, cut):
    """WORKBOOK_FUZZ=5000 tests thousands."""
    whole = packed({"é/01_x.ipynb": PAGE, "tools.py": b"k = 1"}) if name == "hw.zip" else PAGE
    path = Path(tmp_path_factory.getbasetemp()) / "flipped"
    content = _changed(whole, flips)
    path.write_bytes(content[: len(content) - cut] if cut < 100 else content)
    documents = list(reader.read(str(path), -1, name, {}))
    assert documents
    for document in documents:
        assert document.kind == "notebook" or document.reason
        document.reason.encode()
