"""Install the workbook into a separate environment: `python3 helpers/install.py`.

This script runs before anything is installed, with the standard library only. It runs on Python 3.6
or later, to report which versions the workbook supports. It uses `uv` if that is on the PATH, or
else pip.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["Failed", "install", "main"]

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ((3, 11), (3, 12), (3, 13))
DOWNLOAD = {"requirements.lock": "400 MB", "requirements-test.lock": "60 MB"}
NEEDED_GB = {"requirements.lock": 2.0, "requirements-gpu.lock": 9.0}
_GET_PYTHON = {
    "linux": "`sudo apt install python3.12 python3.12-venv` (Ubuntu) or `sudo dnf install "
    "python3.12` (Fedora), or install uv (docs.astral.sh/uv), which fetches Python itself",
    "darwin": "`brew install python@3.12`, or the installer from python.org",
    "win32": "`winget install Python.Python.3.12`, or the installer from python.org",
}
# Reasons for which pip would fail as well as uv.
_DISK, _READ_ONLY = "The disk is full.", "The folder is on a read-only file system."
_NOT_WRITABLE = "A file or folder cannot be written to."
_ALSO_WITH_PIP = (_DISK, _READ_ONLY, "cannot be written to", "GB free")
# Output of pip and uv, and the reason that it indicates. The first match is reported.
_REASONS = (
    (r"No space left on device|os error 28|ENOSPC|not enough space", _DISK),
    (r"Read-only file system|os error 30", _READ_ONLY),
    (
        r"DO NOT MATCH THE HASHES|[Hh]ash mismatch",
        "A download does not match its checksum; it was damaged in transfer. Try again, if "
        "necessary on another network.",
    ),
    (
        r"name resolution|NewConnectionError|ConnectionError|ConnectTimeout|Read timed out|"
        r"Max retries exceeded|dns error|error sending request|Failed to fetch|"
        r"Network is unreachable|Could not connect|ProxyError",
        "The package index cannot be reached; is this computer connected to a network?",
    ),
    (r"Permission denied|os error 13|Access is denied", _NOT_WRITABLE),
)


class Failed(Exception):
    """The installation cannot continue; the message says why and what to do."""


def main() -> int:
    """Install the packages of a lock file, and then the workbook; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", default=".venv", help="folder of the environment")
    parser.add_argument("--lock", default="requirements.lock", help="lock file to install")
    parser.add_argument("--stamp", help="file to write when all is installed")
    options = parser.parse_args()
    venv, lock = ROOT / options.venv, ROOT / options.lock
    try:
        install(venv, lock)
        (venv / (options.stamp or "installed")).write_text("")
    except KeyboardInterrupt:
        print("\nStopped. Downloads are kept; run the same command again to continue.")
        return 130
    except Failed as reason:
        print(f"\n{reason}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\n{_about(error, venv)}", file=sys.stderr)
        return 1
    return 0


def install(venv: Path, lock: Path) -> None:
    """Create the environment `venv` if it does not exist, and install the packages of `lock`.

    Raises:
        Failed: If the installation fails; the message gives the reason.
        OSError: If the folder cannot be written to.
    """
    uv = shutil.which("uv")
    if uv:
        try:
            _install(venv, lock, uv)
            return
        except Failed as reason:
            if any(told in str(reason) for told in _ALSO_WITH_PIP):
                raise
            print(f"\n{reason}\nTrying pip, which may be set up for another package index.")
    _install(venv, lock, None)


def _install(venv: Path, lock: Path, uv: "str | None") -> None:
    """Install with `uv`, or with pip if that is None."""
    if not _python_of(venv).exists() or not _runs(venv, uv):
        python = _find_python(uv)
        _require_space(lock)
        _make(venv, python, uv)
    packages = len(_packages(lock))
    tool = "uv" if uv else "pip"
    size = DOWNLOAD.get(lock.name, "several GB")
    print(
        f"Installing up to {packages} packages into {venv.name}/ with {tool}, once: about {size} to"
    )
    print(f"download, {'less than a minute' if uv else 'two or three minutes'}.", flush=True)
    install_lock = ["--require-hashes", "-r", str(lock)]
    install_own = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    if uv:
        start = [uv, "pip", "install", "--python", str(_python_of(venv))]
        _run_uv([*start, *install_lock])
        _run_uv([*start, "--quiet", *install_own])
    else:
        start = [str(_python_of(venv)), "-m", "pip", "install", "--disable-pip-version-check"]
        listed = packages + sum(map(len, map(_packages, _included(lock))))
        _run_pip([*start, "--progress-bar", "off", *install_lock], listed)
        _run_pip([*start, "--quiet", *install_own], 0)
    print("Installed.")


def _packages(lock: Path) -> list:
    return re.findall(r"^[\w.-]+==", lock.read_text(encoding="utf-8"), re.M)


def _included(lock: Path) -> list:
    """Return the lock files that a lock includes."""
    return [lock.parent / name for name in re.findall(r"^-r (\S+)", lock.read_text("utf-8"), re.M)]


def _python_of(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _runs(venv: Path, uv: "str | None") -> bool:
    """Return whether the environment is complete and its Python still exists."""
    command = [str(_python_of(venv)), "-c", "import sys; print(*sys.version_info[:2])"]
    status, said = _output(command)
    if status or said.split()[-2:] not in [[*map(str, version)] for version in SUPPORTED]:
        return False
    return bool(uv) or _output([command[0], "-m", "pip", "--version"])[0] == 0


def _output(command: list) -> tuple:
    """Return the exit status of a short command and what it printed."""
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, encoding="utf-8", errors="replace", **pipe)
    return done.returncode, done.stdout


def _find_python(uv: "str | None") -> str:
    """Return a Python that the workbook supports.

    Raises:
        Failed: If there is none; the message says how to get one.
    """
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    for version in ((3, 12), (3, 13), (3, 11)):
        name = "python{}.{}".format(*version)
        command = [shutil.which(name) or name, "-c", "import sys; print(*sys.version_info[:2])"]
        try:
            said = _output(command)[1]
        except OSError:
            continue
        if said.split()[-2:] == [str(number) for number in version]:
            print(f"Using {name}, since {_version()} is not supported.")
            return command[0]
    if uv:
        print(f"Letting uv fetch Python 3.12, since {_version()} is not supported.")
        return "3.12"
    advice = _GET_PYTHON.get(sys.platform, "see python.org")
    raise Failed(
        f"The workbook needs Python 3.11, 3.12 or 3.13, but this is {_version()}. Install a "
        f"supported version with {advice}."
    )


def _version() -> str:
    return f"Python {sys.version_info[0]}.{sys.version_info[1]}"


def _require_space(lock: Path) -> None:
    free, needed = shutil.disk_usage(ROOT).free / 1e9, NEEDED_GB.get(lock.name, 2.0)
    if free < needed:
        raise Failed(
            f"The disk of {ROOT} has {free:.1f} GB free, and the workbook needs {needed:.1f} GB."
        )


def _make(venv: Path, python: str, uv: "str | None") -> None:
    """Create an empty environment, replacing one from an interrupted attempt."""
    if not os.access(ROOT, os.W_OK):
        raise Failed(
            f"The folder {ROOT} cannot be written to. Clone the workbook into a folder of your own."
        )
    if uv:
        _run_uv([uv, "venv", "--quiet", "--clear", "--python", python, str(venv)])
        return
    status, said = _output([python, "-m", "venv", "--clear", str(venv)])
    if not status:
        return
    if "ensurepip" in said:
        version = "python3-venv" if python == sys.executable else f"{Path(python).name}-venv"
        raise Failed(
            "This Python has no pip for new environments. On Debian and Ubuntu: "
            f"`sudo apt install {version}`, and then `make lab` again."
        )
    raise Failed(_reason(said))


def _run_uv(command: list) -> None:
    """Run uv, which shows its own progress in a terminal."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
    said = []
    with process:
        for line in process.stderr:
            said.append(line)
            if re.match(r"\s*(Using|Resolved|Prepared|Installed|Download(ing|ed))\b", line):
                print(f"  {line.strip()}", flush=True)
    if process.returncode:
        raise Failed(_reason("".join(said)))


def _run_pip(command: list, packages: int) -> None:
    """Run pip and show its progress, in one line of a terminal or a line per quarter."""
    progress = _Progress(packages)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    said = []
    with process:
        for line in process.stdout:
            said.append(line)
            progress.read(line.strip())
    progress.end()
    if process.returncode:
        raise Failed(_reason("".join(said)))


class _Progress:
    """The progress of an installation by pip, read from its output."""

    def __init__(self, packages: int):
        self.packages, self.found, self.quarter = packages, set(), 0
        self.terminal = sys.stdout.isatty()

    def read(self, line: str) -> None:
        package = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line)
        file = re.match(r"Downloading (\S+?)-\S+ (\(\d+(?:\.\d+)? [MG]B\))", line)
        if package:
            self.found.add(package[1])
            self.show(package[1])
        elif file:
            self.show(f"{file[1]} {file[2]}")
        elif line.startswith("Installing collected packages"):
            self.say("  all downloaded; installing, about a minute", always=True)

    def show(self, what: str) -> None:
        if not self.packages:
            return
        self.say(f"  {len(self.found)} of up to {self.packages} packages: {what}")

    def say(self, text: str, always: bool = False) -> None:
        quarter = 4 * len(self.found) // max(self.packages, 1)
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{text[:width]:<{width}}", end="", flush=True)
        elif always or quarter > self.quarter:
            self.quarter = quarter
            print(text, flush=True)

    def end(self) -> None:
        if self.terminal and self.packages:
            print()


def _reason(said: str) -> str:
    """Return why an installation failed, from what the installer printed."""
    for pattern, reason in _REASONS:
        found = re.search(pattern, said)
        if found:
            line = next(line for line in said.splitlines() if found[0].splitlines()[0] in line)
            # pip's warnings before it fails are long and add nothing to the reason.
            return reason if "WARNING" in line else f"{reason}\n  {line.strip()[:300]}"
    return "The installation failed:\n" + "\n".join(said.strip().splitlines()[-12:])


def _about(error: OSError, venv: Path) -> str:
    reason = error.strerror or str(error)
    return f"The environment {venv} cannot be created: {reason}."


if __name__ == "__main__":
    raise SystemExit(main())
