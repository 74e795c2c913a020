"""Settings for all tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory, monkeypatch):
    """Isolate the tests from the student's progress that is stored on this machine."""
    monkeypatch.setenv("WORKBOOK_STATE", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("WORKBOOK_QUIET", "1")
