"""Marks entered in LibreOffice are read back for the right answers."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.grading.results import tables
from helpers.grading.results.marks import MarksFile
from helpers.grading.results.store import EXPLANATIONS, Store
from tests.grading.results.results import record, report

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
# Texts that a spreadsheet reads as a number, date, time, truth value, percentage or formula.
IDS = (
    "Kim", "0012345", "12345", "1e3", "12e30", "=lee", "+1", "김민수", "3-4", "2026-01-02", "12:30",
    "TRUE", "50%", "1,234", "007", "7", "MAR1", "5 May", "12345678901234567890", "1.10", "1.1",
    "1/2", "$5", "12.", "a;b", "#N/A", "١٢", "José ",
)  # fmt: skip
# Language of the cells (LCID), and the separator and encoding of the saved file.
AS_SAVED = {
    "English, commas": ("1033", "44,34,76"),
    "Korean, commas": ("1042", "44,34,76"),
    "German, semicolons": ("1031", "59,34,76"),
    "English, tabs": ("1033", "9,34,76"),
}
pytestmark = pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")


def _convert(folder: Path, *options: str) -> None:
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = [SOFFICE, profile, "--headless", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


@pytest.mark.parametrize("saved", AS_SAVED)
def test_marks_survive_libreoffice(tmp_path, saved):
    language, written = AS_SAVED[saved]
    made = report(*(record(id, f"Name of {id}") for id in IDS))
    store = Store(tmp_path / "out")
    tables.write(made, store, {})
    text = "Text - txt - csv (StarCalc)"
    # The cells are read with "detect special numbers", with which LibreOffice changes the most.
    opened = f"--infilter={text}:44,34,76,1,,{language},false,true"
    source = str(store.folder / EXPLANATIONS)
    _convert(tmp_path, opened, "--convert-to", "ods", "--outdir", str(tmp_path), source)
    ods = str(tmp_path / "explanations.ods")
    _convert(tmp_path, "--convert-to", f"csv:{text}:{written},1,,0,false,true,false",
             "--outdir", str(tmp_path / "saved"), ods)  # fmt: skip
    path = tmp_path / "saved" / EXPLANATIONS
    content = path.read_bytes().decode("utf-8-sig")
    delimiter = chr(int(written.split(",")[0]))
    rows = list(csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter))
    assert len(rows) == len(IDS) and rows[0]["name"].startswith("Name of")
    for number, row in enumerate(rows):
        row["points"] = "1,5" if number % 2 else "1"
        row["comment"] = f"For {row['name']}"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    marks, errors = MarksFile(path, made.allowed_marks()).marks()
    assert errors == []
    assert {k.rpartition("/")[0]: m["comment"] for k, m in marks.items()} == {
        id: f"For Name of {id}".strip() for id in IDS
    }
