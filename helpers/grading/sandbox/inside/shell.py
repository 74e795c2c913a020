"""What `get_ipython()` returns in the sandbox: IPython's shell, created on first use.

Commands for package managers and the network are skipped: there is no network inside.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import types
from typing import Any

__all__ = [
    "command_output",
    "install",
]

_NO_NETWORK = re.compile(
    r"^\s*(sudo\s+)?(python3?\s+-m\s+)?(apk|apt|apt-get|aria2c|brew|conda|curl|dnf|gcloud|gdown|git|"
    r"gsutil|kaggle|mamba|micromamba|npm|pip3?|uv|wget|yum)\b"
)
_COMMAND_SECONDS = 30
_DO_NOTHING = (
    "autoreload colors conda config debug mamba matplotlib micromamba pdb pip reload_ext "
    "tensorboard tensorflow_version uv watermark xmode"
).split()
_BY_A_PROGRAM = {
    "!": "/bin/sh",
    "bash": "/bin/bash",
    "python": sys.executable,
    "python3": sys.executable,
    "sh": "/bin/sh",
    "shell": "/bin/bash",
}
_PYLAB = (
    "import numpy\nimport matplotlib\nfrom matplotlib import pylab, mlab, pyplot\n"
    "np = numpy\nplt = pyplot\nfrom pylab import *\nfrom numpy import *\n"
)
_made: list[Any] = []


def install(module: types.ModuleType) -> None:
    """Make `get_ipython` and IPython's functions return a shell for the names of `module`."""

    def get_ipython() -> Any:
        if not _made:
            _made.append(_make(module))
        return _made[0]

    module.get_ipython = get_ipython
    for name in ("IPython", "IPython.core.getipython"):
        if name in sys.modules:
            sys.modules[name].get_ipython = get_ipython


def command_output(command: str) -> str:
    """Run a shell command of the student and return its output."""
    if _NO_NETWORK.match(command):
        return ""
    done = subprocess.run(
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_COMMAND_SECONDS,
    )
    return done.stdout.decode(errors="replace")


def _make(module: types.ModuleType) -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import CapturedIO
    from IPython.utils.text import SList
    from traitlets.config import Config

    class Shell(InteractiveShell):
        """IPython's shell with a time limit for commands, and without a front end."""

        def system(self, cmd: str) -> None:
            print(command_output(self.var_expand(cmd, depth=1)))

        system_raw = system_piped = system

        def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
            text = command_output(self.var_expand(cmd, depth=depth + 1))
            return SList(text.splitlines()) if split else text

        def enable_gui(self, gui: Any = None) -> None:
            pass

        def captured(self) -> CapturedIO:
            """Return what the current cell printed, as `%%capture` stores it."""
            printed = sys.stdout.getvalue() if isinstance(sys.stdout, io.StringIO) else ""
            return CapturedIO(io.StringIO(printed), io.StringIO(), [])

    config = Config()
    config.HistoryManager.enabled = False
    os.environ.setdefault("IPYTHONDIR", os.path.join(os.getcwd(), ".ipython"))
    kept = {name: value for name, value in module.__dict__.items() if name == "display"}
    getter = module.get_ipython
    with contextlib.redirect_stdout(io.StringIO()):
        shell = Shell.instance(config=config, user_module=module, user_ns=module.__dict__)
    module.__dict__.update(kept, get_ipython=getter)
    module.__dict__.pop("exit", None)
    module.__dict__.pop("quit", None)
    _replace_magics(shell)
    return shell


def _replace_magics(shell: Any) -> None:
    def nothing(line: str = "", cell: str = "") -> None:
        """Do nothing: this needs a front end or the network."""

    magics = shell.magics_manager.magics
    magics["line"] |= dict.fromkeys(_DO_NOTHING, nothing)

    measure = shell.find_line_magic("timeit")

    def timeit_once(line: str) -> Any:
        """Measure one round: the grader needs no average."""
        return measure("-n1 -r1 " + re.sub(r"-[nr]\s?\d+\s", "", line))

    def pylab(line: str) -> None:
        """Import the names of NumPy and Matplotlib."""
        exec(_PYLAB, shell.user_ns)

    magics["line"] |= {"timeit": timeit_once, "pylab": pylab}
    magics["cell"] |= {name: _script(shell, program) for name, program in _BY_A_PROGRAM.items()}


def _script(shell: Any, program: str) -> Any:
    def run(line: str, cell: str) -> None:
        """Run the cell with another program; store its output in the variable after `--out`."""
        done = subprocess.run(
            [program],
            input=cell.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_SECONDS,
        )
        if named := re.search(r"--out[ =](\w+)", line):
            shell.user_ns[named[1]] = done.stdout.decode(errors="replace")

    return run
