"""Print a page of the built book as a PDF, with headless Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["print_page"]

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
# Milliseconds of Chromium's virtual time, which is more than enough to typeset all formulas.
_SETTLED_MS = 60_000


def print_page(page: Path, target: Path, answers: bool = False) -> None:
    """Write a page as a PDF for printing: A4, numbered, without navigation.

    Args:
        page: An HTML page of the built site.
        target: The PDF to write.
        answers: Whether to print the hints and answers, which are folded on the site.

    Raises:
        RuntimeError: If Chromium is not installed or writes no file.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise RuntimeError(
            f"A PDF needs Chromium or Chrome; none of {', '.join(_PROGRAMS)} is installed."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = page.with_name(f".{page.stem}.print.html")  # in the same folder, so that its links work
    copy.write_text(_for_paper(page.read_text(encoding="utf-8"), answers), encoding="utf-8")
    try:
        with tempfile.TemporaryDirectory(prefix="print-", ignore_cleanup_errors=True) as profile:
            command = [program, "--headless=new", "--disable-gpu", "--no-first-run"]
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                command.append("--no-sandbox")  # Chromium refuses to run as root otherwise
            command += ["--disable-dev-shm-usage", f"--user-data-dir={profile}"]
            command += ["--no-pdf-header-footer", f"--virtual-time-budget={_SETTLED_MS}"]
            command += [f"--print-to-pdf={target.resolve()}", copy.resolve().as_uri()]
            target.unlink(missing_ok=True)
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    finally:
        copy.unlink()
    if not target.exists():
        raise RuntimeError(f"{program} did not write the PDF: {done.stderr[-1000:]}")


def _for_paper(text: str, answers: bool) -> str:
    """Return a page whose folded parts `print.css` shows or hides."""
    kind = "with-answers" if answers else "without-answers"
    text = re.sub(r"<html\b", f'<html class="{kind}"', text, count=1)
    return re.sub(r"<details\b(?! open)", "<details open", text) if answers else text
