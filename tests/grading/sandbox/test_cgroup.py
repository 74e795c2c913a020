"""Control groups are used if they can be written, and not needed otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.grading.sandbox.cgroup import ControlGroup


@pytest.fixture
def root(tmp_path) -> Path:
    """Return a folder that looks like cgroup v2 to this process."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        pytest.skip("this process is in no cgroup v2")
    own = tmp_path / path.lstrip("/")
    own.mkdir(parents=True, exist_ok=True)
    (own / "cgroup.controllers").write_text("cpu memory pids")
    (own / "cgroup.subtree_control").write_text("")
    return tmp_path


def test_group_limits_what_comes_after_the_warm_server(root):
    group = ControlGroup.make(root)
    (group.folder / "memory.current").write_text("600\n")
    for _ in range(2):
        group.allow(1000, 50)
        assert (group.folder / "memory.max").read_text() == "1600"
        assert (group.folder / "pids.max").read_text() == "250"
        (group.folder / "memory.current").write_text("900\n")
    group.add(42)
    assert (group.folder / "cgroup.procs").read_text() == "42"


def test_make_without_the_memory_controller_gives_none(root):
    next(root.rglob("cgroup.controllers")).write_text("hugetlb")
    assert ControlGroup.make(root) is None


def test_make_without_cgroup_v2_gives_none(tmp_path):
    assert ControlGroup.make(tmp_path) is None
