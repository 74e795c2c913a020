"""Build the book: `python -m helpers.book [--language ko] [--pdf 1]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from helpers.authoring import ROOT, repository
from helpers.book import catalogues
from helpers.book.languages import LANGUAGES
from helpers.book.paper import print_page
from helpers.book.stage import stage
from helpers.exercises import CHAPTERS

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Stage the sources and run Sphinx, which treats each warning as an error."""
    parser = argparse.ArgumentParser(prog="python -m helpers.book", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / ".book" / "html", help="output folder")
    parser.add_argument(
        "--language",
        choices=[*LANGUAGES, "all"],
        default="all",
        help="build one language only; by default all, with Korean in the folder ko",
    )
    parser.add_argument(
        "--catalogues", action="store_true", help="update the translations without building"
    )
    parser.add_argument(
        "--pdf", type=int, metavar="CHAPTER", help="print a chapter, such as 1, to a PDF"
    )
    parser.add_argument(
        "--answers", action="store_true", help="include hints and answers in the PDF"
    )
    options = parser.parse_args(arguments)
    if options.pdf:
        return _print_chapter(options)
    work = ROOT / ".book"
    stage(ROOT, work / "source", repository())
    if options.catalogues:
        return _update_catalogues(work)
    chosen = list(LANGUAGES) if options.language == "all" else [options.language]
    for language in chosen:
        out = options.out if language == "en" else options.out / language
        if failed := _build(work, out, language, chosen):
            return failed
        print(f"The book is at {out / 'index.html'}.")
    return 0


def _build(work: Path, out: Path, language: str, built: list[str]) -> int:
    if language != "en":
        catalogues.derived(language, work / "source", work / "locale")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-c", str(Path(__file__).parent), "-D", f"language={language}"]
    command += ["-d", str(work / "doctrees" / language)]
    command += ["-D", f"workbook_languages={','.join(built)}"]
    return subprocess.run([*command, str(work / "source"), str(out)], cwd=ROOT).returncode


def _print_chapter(options: argparse.Namespace) -> int:
    """Print a chapter of the site, which is built first if necessary."""
    if not 1 <= options.pdf <= len(CHAPTERS):
        print(f"There is no chapter {options.pdf}; choose 1 to {len(CHAPTERS)}.")
        return 2
    language = "en" if options.language == "all" else options.language
    page = f"chapters/{options.pdf:02}_{CHAPTERS[options.pdf - 1]}.html"
    site = options.out if language == "en" else options.out / language
    if not (site / page).exists():
        built = main(["--out", str(options.out), "--language", language])
        if built:
            return built
    name = f"{options.pdf:02}_{CHAPTERS[options.pdf - 1]}-{language}"
    target = options.out.parent / f"{name}{'-answers' if options.answers else ''}.pdf"
    try:
        print_page(site / page, target, options.answers)
    except RuntimeError as error:
        print(error)
        return 1
    print(f"The chapter is at {target}.")
    return 0


def _update_catalogues(work: Path) -> int:
    for language in LANGUAGES:
        if language != "en":
            for name, count in catalogues.update(
                language, work / "source", work / "gettext"
            ).items():
                print(f"{language} {name}: {count} to translate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
