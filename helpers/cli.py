"""The commands of the workbook: `workbook lab`, `doctor`, `data`, `notebooks`, `grade`, `mark`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser = _parser()
    options, options.rest = parser.parse_known_args(arguments)
    if options.rest and options.command != "lab":
        parser.error(f"{options.command} does not know {' '.join(options.rest)}")
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

    lab = commands.add_parser("lab", help="open JupyterLab; its own options may follow")
    lab.add_argument("--author", action="store_true", help="keep jupytext's and nbgrader's buttons")
    lab.set_defaults(run=_lab)

    doctor = commands.add_parser("doctor", help="tell what is installed, and what to do")
    doctor.set_defaults(run=_doctor)

    data = commands.add_parser("data", help="fetch the datasets now, or make their stand-ins")
    data.set_defaults(run=_data)

    notebooks = commands.add_parser("notebooks", help="derive notebooks from solutions/*.py")
    notebooks.add_argument("pages", nargs="*", help="for example 01 or 06_dropout; all by default")
    notebooks.add_argument(
        "--check", action="store_true", help="write nothing; fail if out of step"
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
    chapters = _root() / "chapters"
    if not chapters.is_dir():
        raise ValueError(f"There is no folder {chapters}; run this from a clone of the workbook.")
    environment = dict(os.environ)
    if not options.author:
        paths = [str(Path(__file__).parent / "lab"), environment.get("JUPYTER_CONFIG_PATH", "")]
        environment["JUPYTER_CONFIG_PATH"] = os.pathsep.join(path for path in paths if path)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={chapters}"]
    command += [f"--LabApp.default_url=/lab/tree/{_first_page(chapters)}"]
    command += options.rest
    if os.name == "posix":  # become JupyterLab, so that whoever stops this stops it
        os.execve(command[0], command, environment)
    return subprocess.call(command, env=environment)


def _first_page(chapters: Path) -> str:
    return "00_index.ipynb" if (chapters / "00_index.ipynb").exists() else ""


def _doctor(options: argparse.Namespace) -> int:
    """Print versions, the device, the data sources, and advice for whatever is missing."""
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
        rows.append(("tensorflow", "missing", False, "Run `make lab`, or see README, Install."))
    from helpers import data

    rows += [("device", _device(), True, "")]
    rows += data.status()
    bubblewrap = shutil.which("bwrap")
    advice = "Only for grading, on Linux: install the package bubblewrap."
    rows.append(("sandbox for grading", bubblewrap or "not installed", bool(bubblewrap), advice))
    width = max(len(name) for name, *_ in rows)
    for name, value, fine, what_to_do in rows:
        print(f"{'✓' if fine else '○'} {name:<{width}}  {value}")
        if not fine and what_to_do:
            print(f"  {'':<{width}}  → {what_to_do}")
    return 0


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
        print(f"{path.name} in {path.parent.name}/ is out of step; run `make notebooks`.")
    return 1 if stale else 0
