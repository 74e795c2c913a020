"""The installer: the tool and the Python it uses, its output, and its error messages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from helpers import install
from helpers.authoring import ROOT

POSIX = pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a shell script")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Return a clone in a folder with spaces and Hangul, with a lock of two packages."""
    root = tmp_path / "내 새 폴더"
    (root / "bin").mkdir(parents=True)
    lock = "keras==3.15 \\\n    --hash=sha256:00\nnumpy==2.4 \\\n    --hash=sha256:00\n"
    (root / "requirements.lock").write_text(lock)
    monkeypatch.setattr(install, "ROOT", root)
    monkeypatch.setattr(sys, "argv", ["install.py"])
    return root


def _program(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def uv(course, monkeypatch):
    """Put a uv on the PATH that records its arguments and creates the requested environment."""

    def put(*fails: str) -> Path:
        program = _program(
            course / "bin" / "uv",
            f'echo "$@" >> "{course}/calls"',
            'if [ "$1" = venv ]; then',
            f'  mkdir -p "{course}/.venv/bin"',
            f'  ln -sf "{sys.executable}" "{course}/.venv/bin/python"',
            "else",
            *fails,
            '  echo "Installed 2 packages in 3ms" >&2; echo "noise" >&2',
            "fi",
        )
        monkeypatch.setattr(install.shutil, "which", {"uv": program}.get)
        return course / "calls"

    return put


@POSIX
def test_uv_on_the_path_installs_the_lock_and_then_the_workbook(course, uv, capsys):
    calls = uv()
    assert install.main() == 0
    made, packages, own = calls.read_text().splitlines()
    assert made.startswith("venv ") and made.endswith(str(course / ".venv"))
    assert "--require-hashes -r" in packages and "requirements.lock" in packages
    assert "--no-deps --no-build-isolation --editable" in own
    out = capsys.readouterr().out
    assert "Installing up to 2 packages into .venv/ with uv" in out
    assert "Installed 2 packages in 3ms" in out and "noise" not in out
    assert (course / ".venv" / "installed").exists()


@POSIX
def test_second_lock_goes_into_the_environment_that_is_there(course, uv, monkeypatch):
    calls = uv()
    install.main()
    (course / "requirements-test.lock").write_text("-r requirements.lock\npytest==9 \\\n")
    monkeypatch.setattr(
        sys, "argv", "install.py --lock requirements-test.lock --stamp installed-test".split()
    )
    assert install.main() == 0
    assert [line.split()[0] for line in calls.read_text().splitlines()].count("venv") == 1
    assert (course / ".venv" / "installed-test").exists()


@POSIX
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("No space left on device (os error 28)", "The disk is full."),
        ("error: Read-only file system (os error 30)", "read-only file system"),
        ("Permission denied (os error 13)", "cannot be written to"),
    ],
)
def test_failure_is_told_by_its_reason_and_leaves_no_stamp(course, uv, capsys, said, reason):
    uv(f'  echo "{said}" >&2; exit 1')
    assert install.main() == 1
    error = capsys.readouterr().err
    assert reason in error and "Traceback" not in error
    assert not (course / ".venv" / "installed").exists()


@POSIX
def test_pip_takes_over_where_uv_fails_for_a_reason_of_its_own(course, uv, monkeypatch, capsys):
    """pip may be configured for a university's index, or support a lock that this uv does not."""
    uv('  echo "dns error: failed to lookup address information" >&2; exit 1')
    ran = []
    monkeypatch.setattr(install, "_runs", lambda venv, uv: True)
    monkeypatch.setattr(install, "_run_pip", lambda command, packages: ran.append(command))
    assert install.main() == 0
    out = capsys.readouterr().out
    assert "connected to a network" in out and "Trying pip" in out and "with pip" in out
    assert "--require-hashes" in ran[0] and "--editable" in ran[1]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Failed to establish a new connection: NewConnectionError", "connected to a network"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", "does not match its checksum"),
        ("something new", "something new"),
    ],
)
def test_failure_of_pip_is_told_by_its_reason(said, reason):
    assert reason in install._reason(f"Collecting keras\nERROR: {said}\n")


def test_interruption_says_that_the_same_command_goes_on(course, monkeypatch, capsys):
    def stop(venv, lock):
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "install", stop)
    assert install.main() == 130
    assert "run the same command again to continue" in capsys.readouterr().out


Version = namedtuple("Version", "major minor micro releaselevel serial")


@pytest.mark.parametrize("minor", [10, 14])
def test_unsupported_python_without_uv_says_how_to_get_one(course, monkeypatch, capsys, minor):
    monkeypatch.setattr(sys, "version_info", Version(3, minor, 1, "final", 0))
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    monkeypatch.setattr(install.sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(course))
    assert install.main() == 1
    error = capsys.readouterr().err
    assert f"this is Python 3.{minor}" in error
    assert "apt install python3.12" in error and "uv" in error


@POSIX
def test_unsupported_python_takes_a_supported_one_that_is_there(course, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", Version(3, 14, 0, "final", 0))
    there = _program(course / "bin" / "python3.13", "echo 3 13")
    monkeypatch.setattr(install.shutil, "which", {"python3.13": there}.get)
    assert install._find_python(None) == there
    assert "Using python3.13, since Python 3.14 is not supported." in capsys.readouterr().out


def test_too_little_space_is_said_before_anything_is_made(course, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(install.shutil, "disk_usage", lambda path: usage(10**10, 10**10, 10**8))
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    assert install.main() == 1
    assert "has 0.1 GB free, and the workbook needs 2.0 GB" in capsys.readouterr().err
    assert not (course / ".venv").exists()


def test_progress_of_pip_is_a_line_per_quarter_outside_a_terminal(capsys):
    progress = install._Progress(8)
    for name in "abcdefgh":
        progress.read(f"Collecting {name}==1.0 (from -r requirements.lock (line 1))")
        progress.read(f"  Downloading {name}-1.0-py3-none-any.whl (16.2 MB)".strip())
    progress.read("Installing collected packages: a, b")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].startswith("  2 of up to 8 packages: b")
    assert "all downloaded; installing" in lines[-1]


def test_progress_counts_the_packages_of_an_included_lock(course, monkeypatch, capsys):
    (course / "requirements-test.lock").write_text("-r requirements.lock\npytest==9 \\\n")
    ran = []
    monkeypatch.setattr(install, "_python_of", lambda venv: Path(sys.executable))
    monkeypatch.setattr(install, "_runs", lambda venv, uv: True)
    monkeypatch.setattr(install, "_run_pip", lambda command, packages: ran.append(packages))
    install._install(course / ".venv", course / "requirements-test.lock", None)
    assert ran == [3, 0]
    assert "up to 1 packages" in capsys.readouterr().out


def test_installer_runs_with_the_standard_library_alone():
    """The installer runs before anything is installed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", str(ROOT / "helpers" / "install.py"), "--help"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "--lock" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-gpu.lock"])
def test_lock_names_each_package_once_with_hashes(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.findall(r"^([\w.-]+)==.*\n((?:    .*\n)*)", text, re.M)
    assert len(entries) > 100
    for package, hashes in entries:
        assert "--hash=sha256:" in hashes, package
    assert {"hatchling", "editables"} <= {package for package, _ in entries}
    assert "http" not in re.sub(r"(?m)^http\w+==", "", text), "the lock names no address"


def test_lock_of_the_tests_includes_the_first_and_agrees_with_it():
    first = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    tests = (ROOT / "requirements-test.lock").read_text(encoding="utf-8")
    assert tests.startswith("-r requirements.lock\n")
    locked, added = (dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M)) for text in (first, tests))
    assert {"pytest", "nbval", "hypothesis"} <= set(added)
    # A package may be in both if the tests need it on more systems.
    assert all(added[name] == version for name, version in locked.items() if name in added)
    assert len(set(added) & set(locked)) < 5
