"""What is visible in a sandbox: bubblewrap's arguments, and the files that are copied into it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from helpers import data

__all__ = ["STUDENT_MODULES", "command", "copy_students_side", "environment", "shown"]

# The parts of helpers that students may import, with their dependencies. The rest is hidden.
STUDENT_MODULES = (
    "__init__.py answers.py autograd.py backend.py data files.py models.py numeric.py plotting "
    "training"
).split()
_INSIDE = Path(__file__).parent / "inside"
_UNPRIVILEGED = 65534
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")


def copy_students_side(folder: Path) -> None:
    """Copy the modules that students import or that run inside; no exercises or checks."""
    package = Path(importlib.util.find_spec("helpers").origin).parent
    (folder / "helpers").mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in STUDENT_MODULES:
        if (package / name).is_dir():
            shutil.copytree(package / name, folder / "helpers" / name, ignore=ignore)
        else:
            shutil.copy(package / name, folder / "helpers" / name)
    for path in sorted(_INSIDE.glob("*.py")):
        if path.name != "__init__.py":
            shutil.copy(path, folder / path.name)
    for path in _font_lists():
        shutil.copy(path, folder / path.name)
    (folder / "passwd").write_text(f"student:x:{_inner_user()}:{_inner_user()}::/tmp:/bin/false\n")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _font_lists() -> list[Path]:
    """Return matplotlib's lists of this system's fonts, which take up to 20 s to make."""
    try:
        import matplotlib

        return sorted(Path(matplotlib.get_cachedir()).glob("fontlist-*.json"))
    except (ImportError, OSError):
        return []


def command(folder: Path, hidden: list[Path], python: list[str]) -> list[str]:
    """Return the command that runs `python` in a sandbox.

    Args:
        folder: Folder that `copy_students_side` filled.
        hidden: Folders that must not be visible inside, even if they are below a visible one.
        python: The command to run inside.
    """
    inner = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "x"]
    view = _view(folder, hidden)
    private = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--remount-ro", "/dev"]
    private += _folders(folder, hidden, below="/tmp")  # these were hidden by the private /tmp
    course = ["--ro-bind", str(folder), str(folder)]
    if os.getuid() != 0:
        return [*inner, *view, *private, *course, "--remount-ro", "/", "--", *python]
    # Root mounts the folders, which may need its privileges, and then becomes nobody.
    drop = ["setpriv", f"--reuid={_UNPRIVILEGED}", f"--regid={_UNPRIVILEGED}"]
    drop += ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    outer = ["bwrap", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    outer += ["--cap-add", "CAP_SETPCAP", *view, *course]
    outer += ["--dev", "/dev", "--bind", "/proc", "/proc"]
    view_again = ["--ro-bind", "/", "/"]
    return [*outer, "--", *drop, *inner, *view_again, *private, *course, "--", *python]


def _inner_user() -> int:
    return os.getuid() or _UNPRIVILEGED


def _view(folder: Path, hidden: list[Path]) -> list[str]:
    """Return bubblewrap's arguments for the folders that are visible inside, all read-only."""
    view: list[str] = []
    for path in _SYSTEM:
        if os.path.islink(path):
            view += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            view += ["--ro-bind", path, path]
    view += ["--dir", "/etc", "--ro-bind", str(folder / "passwd"), "/etc/passwd"]
    for name in _SETTINGS:
        view += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return view + _folders(folder, hidden)


def shown() -> list[Path]:
    """Return the folders of Python, its packages and the data."""
    folders = [Path(path) for path in _python_folders()]
    return folders + [path for path in _data_folders().values() if path]


def _folders(folder: Path, hidden: list[Path], below: str = "/") -> list[str]:
    """Return bubblewrap's arguments for Python, its packages and the data that are `below`."""
    listed = [path for path in shown() if path.is_relative_to(below)]
    view: list[str] = []
    made: set[Path] = set()
    for path in [*listed, folder]:
        for parent in reversed(path.parents):
            if parent not in made and str(parent) != "/" and not str(parent).startswith("/usr"):
                made.add(parent)
                view += ["--dir", str(parent)]
    for path in listed:
        view += ["--ro-bind", str(path), str(path)]
    for path in [*hidden, *_installed_course(listed)]:
        visible = [*listed, Path("/usr")] if below == "/" else listed
        if any(path.is_relative_to(other) for other in visible):
            view += ["--tmpfs", str(path)]
    return view


def _python_folders() -> list[str]:
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found = [path for path in {*prefixes, *_package_folders()} if os.path.isdir(path)]
    tops = [p for p in found if not any(p != q and Path(p).is_relative_to(q) for q in found)]
    return sorted(path for path in tops if not Path(path).is_relative_to("/usr") and path != "/")


def _package_folders() -> list[str]:
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]


def _installed_course(listed: list[Path]) -> list[Path]:
    package = Path(importlib.util.find_spec("helpers").origin).parent
    return [package] if any(package.is_relative_to(path) for path in [*listed, "/usr"]) else []


def _data_folders() -> dict[str, Path | None]:
    """Return the folders of the pages' data, by the environment variable that names each."""
    named = os.environ.get("WORKBOOK_DATA")
    folders = {
        "WORKBOOK_DATA": Path(named).expanduser().resolve() if named else None,
        "WORKBOOK_CACHE": data.cache_folder().resolve(),
    }
    return {name: path if path and path.is_dir() else None for name, path in folders.items()}


def environment(folder: Path, walls: bool) -> dict[str, str]:
    """Return the environment variables inside, few of which come from the grader."""
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    one += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    variables = dict.fromkeys(one, "1") | {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",
        "PYTHONPATH": os.pathsep.join([str(folder), *_package_folders()]),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp" if walls else str(folder),
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": "/tmp/.keras",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "WORKBOOK_OFFLINE": "1",
        "WORKBOOK_CACHE": "/tmp/workbook-cache",
    }
    for name in ("TF_ENABLE_ONEDNN_OPTS", "WORKBOOK_DEBUG"):
        if name in os.environ:
            variables[name] = os.environ[name]
    return variables | {name: str(path) for name, path in _data_folders().items() if path}
