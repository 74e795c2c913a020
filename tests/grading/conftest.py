"""Fixtures of the grading tests: targets of attacks, and warm servers with and without sandbox."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.grading import sandbox
from helpers.grading.sandbox.limits import Limits
from tests.grading import course
from tests.grading.cases import World

SECRET = "WORKBOOK_TEST_SECRET"
LIMITS = Limits(
    cell_seconds=2.0,
    call_seconds=1.0,
    notebook_seconds=15.0,
    memory_bytes=400 * 2**20,
    files_bytes=64 * 2**20,
    processes=64,
    grace_seconds=0.5,
)


@dataclass
class Attacked:
    """The targets of hostile notebooks, and what shows that they reached them."""

    world: World
    folder: Path
    listener: socket.socket

    def untouched(self) -> bool:
        """Return whether no file was changed and nobody connected."""
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            names = sorted(path.name for path in self.folder.iterdir())
            kept = (self.folder / "grades.csv").read_text() == "marks"
            return kept and names == ["canary_solution.py", "grades.csv"]
        return False


@pytest.fixture(scope="session")
def attacked(tmp_path_factory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("world")
    (folder / "canary_solution.py").write_text("def step(x):\n    return (x > 0) * 1.0\n")
    (folder / "grades.csv").write_text("marks")
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.MonkeyPatch.context() as patch:
        listener.settimeout(0.01)
        patch.setenv(SECRET, "a secret")
        port = listener.getsockname()[1]
        world = World(str(folder / "canary_solution.py"), str(folder / "grades.csv"), port, SECRET)
        yield Attacked(world, folder, listener)


@pytest.fixture(scope="session")
def walls() -> None:
    """Skip if the sandbox does not work."""
    if problem := sandbox.missing():
        pytest.skip(f"no sandbox here: {problem}")


@pytest.fixture(scope="session")
def walled_server(walls, attacked) -> Iterator[sandbox.ForkServer]:
    with sandbox.ForkServer(warm=course.LEAN) as server:
        yield server


@pytest.fixture(scope="session")
def open_server(attacked) -> Iterator[sandbox.ForkServer]:
    if not Path("/proc/self/statm").exists():
        pytest.skip("grading, even --unsafe, needs Linux")
    with sandbox.ForkServer(walls=False, warm=course.LEAN) as server:
        yield server
