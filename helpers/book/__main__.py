"""Build the book: `python -m helpers.book [--out FOLDER] [--language en]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from helpers.authoring import ROOT, repository
from helpers.book.stage import stage

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Stage the sources and run Sphinx, which treats each warning as an error."""
    parser = argparse.ArgumentParser(prog="python -m helpers.book", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / ".book" / "html", help="output folder")
    parser.add_argument("--language", default="en", help="en or ko")
    options = parser.parse_args(arguments)
    source = ROOT / ".book" / "source"
    stage(ROOT, source, repository())
    here = Path(__file__).parent
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-c", str(here), "-D", f"language={options.language}"]
    finished = subprocess.run([*command, str(source), str(options.out)], cwd=ROOT, check=False)
    if finished.returncode == 0:
        print(f"The book is at {options.out / 'index.html'}.")
    return finished.returncode


if __name__ == "__main__":
    sys.exit(main())
