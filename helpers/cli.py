"""The commands of the workbook: `workbook lab`, `update`, `doctor`, `data`, `grade` and more."""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import subprocess
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = _parser()
    options, options.rest = parser.parse_known_args(arguments)
    if options.rest and options.command != "lab":
        parser.error(f"{options.command} has no argument {' '.join(options.rest)}")
    try:
        return options.run(options) or 0
    except (ValueError, OSError) as error:
        print(f"workbook {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nworkbook {options.command}: stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = commands.add_parser(
        "lab", help="open your copy of the pages in JupyterLab, whose options may follow"
    )
    lab.add_argument("--verbose", action="store_true", help="show the server's log")
    lab.add_argument(
        "--author", action="store_true", help="open chapters/, with jupytext and nbgrader's buttons"
    )
    lab.set_defaults(run=_lab)

    update = commands.add_parser("update", help="create or update your copy of the pages")
    update.set_defaults(run=_update)

    doctor = commands.add_parser("doctor", help="report what is installed and how to fix problems")
    doctor.set_defaults(run=_doctor)

    data = commands.add_parser("data", help="download the datasets now, or generate stand-ins")
    data.set_defaults(run=_data)

    notebooks = commands.add_parser("notebooks", help="derive notebooks from solutions/*.py")
    notebooks.add_argument("pages", nargs="*", help="for example 01 or 06_dropout; all by default")
    notebooks.add_argument(
        "--check", action="store_true", help="write nothing; fail if out of date"
    )
    notebooks.add_argument("--no-execute", action="store_true", help="keep the stored outputs")
    notebooks.add_argument(
        "--renumber", action="store_true", help="number the exercises in the order of the page"
    )
    notebooks.set_defaults(run=_notebooks)

    try:
        from helpers.grading.commands import add_commands
    except ModuleNotFoundError:
        return parser
    add_commands(commands)
    return parser


def _root() -> Path:
    return Path(__file__).resolve().parent.parent


def _lab(options: argparse.Namespace) -> int:
    chapters = _chapters()
    environment = dict(os.environ)
    if options.author:
        folder, first = chapters, "00_index.ipynb"
    else:
        folder, first = _up_to_date_copy(chapters), "00_index.ipynb"
        paths = [str(Path(__file__).parent / "lab"), environment.get("JUPYTER_CONFIG_PATH", "")]
        environment["JUPYTER_CONFIG_PATH"] = os.pathsep.join(path for path in paths if path)
        # With a given token, the server does not print a paragraph about the address.
        environment.setdefault("JUPYTER_TOKEN", secrets.token_hex(24))
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    if (folder / first).exists():
        command.append(f"--LabApp.default_url=/lab/tree/{first}")
    if not (options.author or options.verbose):
        command.append("--Application.log_level=ERROR")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in options.rest:
        command.append("--allow-root")
        print("You are root. JupyterLab accepts connections from this machine only, with a token.")
    command += options.rest
    sys.stdout.flush()
    if os.name == "posix":  # replace this process, so that signals reach JupyterLab
        os.execve(command[0], command, environment)
    return subprocess.call(command, env=environment)


def _chapters() -> Path:
    chapters = _root() / "chapters"
    if not chapters.is_dir():
        raise ValueError(f"There is no folder {chapters}; run this from a clone of the workbook.")
    return chapters


def _up_to_date_copy(chapters: Path) -> Path:
    """Return the folder with the student's copy of the pages, updated if possible."""
    from helpers.lab.students_copy import FOLDER, bring_up_to_date

    named = os.environ.get("WORKBOOK_PAGES")
    work = Path(named).expanduser().resolve() if named else _root() / FOLDER
    try:
        changes = bring_up_to_date(chapters, work)
    except OSError as error:
        reason = error.strerror or str(error)
        if not (work / "00_index.ipynb").exists():
            raise ValueError(
                f"Your copy of the pages cannot be created in {work}: {reason}. "
                "Set WORKBOOK_PAGES to a folder that you can write to."
            ) from None
        print(f"Your pages in {work} were not updated: {reason}. They have not changed.")
    else:
        if str(changes):
            print(changes)
    return work


def _update(options: argparse.Namespace) -> int:
    del options
    print(f"Your pages are in {_up_to_date_copy(_chapters())}.")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    """Print versions, the device, the data sources, and advice for what is missing."""
    del options
    supported = sys.version_info[:2] >= (3, 11)
    rows = [("Python", platform.python_version(), supported, "Install Python 3.11, 3.12 or 3.13.")]
    for package in ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pandas", "jupyterlab"):
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            if package.startswith("tensorflow"):
                continue
            version = "missing"
        rows.append((package, version, version != "missing", "Run `make lab`."))
    if not any(name.startswith("tensorflow") for name, *_ in rows):
        rows.append(("tensorflow", "missing", False, "Run `make lab`, or see the README."))
    from helpers import data

    rows += [("device", _device(), True, "")]
    rows += data.status()
    rows.append(_sandbox())
    width = max(len(name) for name, *_ in rows)
    for name, value, fine, what_to_do in rows:
        print(f"{'✓' if fine else '○'} {name:<{width}}  {value}")
        if not fine and what_to_do:
            print(f"  {'':<{width}}  → {what_to_do}")
    return 0


def _sandbox() -> tuple[str, str, bool, str]:
    """Return the row about the sandbox, after starting it to see whether it works."""
    name = "sandbox for grading"
    try:
        from helpers.grading import sandbox
    except ImportError:
        return name, "not part of this copy", True, ""
    reason = sandbox.missing()
    if not reason:
        return name, "works", True, ""
    return name, "does not start; students do not need it", False, reason


def _device() -> str:
    try:
        from helpers import training
    except ImportError as error:
        return f"unknown: {error}"
    return training.device()


def _data(options: argparse.Namespace) -> int:
    del options
    from helpers import data

    for load in (data.load_house_prices, data.load_fashion_mnist, data.load_mnist):
        print(load())
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    try:
        from helpers import authoring, files, numbering
    except ModuleNotFoundError as error:
        raise ValueError(
            f"Deriving notebooks needs {error.name}, which authors install with `make test`."
        ) from None
    if options.renumber:
        for page in authoring.pages(options.pages):
            for old, new in numbering.renumber(page.name, page.root).items():
                print(f"{page.name}: exercise {old} is now {new}")
        return 0
    if not options.check:
        numbering.update_counts(_root())
    stale = []
    for page in authoring.pages(options.pages):
        if options.check:
            stale += authoring.out_of_step(page)
        elif options.no_execute:
            for path, text in authoring.derive(page).items():
                files.write_text(path, text)
        else:
            seconds = authoring.execute(page)
            print(f"{page.name}: executed in {seconds:.0f} s")
    for path in stale:
        print(f"{path.name} in {path.parent.name}/ is out of date; run `make notebooks`.")
    return 1 if stale else 0
