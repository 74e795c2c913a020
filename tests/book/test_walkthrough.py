"""What the instructors' guide shows is what the commands print."""

from __future__ import annotations

import re
import shutil

import pytest

from helpers.book.walkthrough import OUTPUTS, STEPS, main


@pytest.mark.parametrize("name", STEPS)
def test_output_starts_with_the_command_and_the_guide_shows_it(name):
    assert (OUTPUTS / f"{name}.txt").read_text("utf-8").startswith(f"$ {STEPS[name]}\n")
    guide = (OUTPUTS.parent / "walkthrough.md").read_text(encoding="utf-8")
    assert f"outputs/{name}.txt" in guide


def test_outputs_name_no_folder_of_this_machine():
    told = "".join(path.read_text(encoding="utf-8") for path in OUTPUTS.iterdir())
    assert not re.search(r"/(home|root|tmp|work)/", told)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bwrap"), reason="grading needs bubblewrap")
def test_commands_print_the_same_again(tmp_path):
    main(tmp_path)
    for name in STEPS:
        assert _settled(tmp_path / f"{name}.txt") == _settled(OUTPUTS / f"{name}.txt")


def _settled(path):
    """Return an output without what depends on the speed of the machine."""
    lines = re.sub(r"-[0-9a-f]{8}\.html", ".html", path.read_text("utf-8")).splitlines()
    return [line for line in lines if not re.search(r"after \d+ s", line)]
