"""Settings every test shares."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory, monkeypatch):
    """Keep the student's progress of this machine out of the tests, and the tests out of it."""
    monkeypatch.setenv("WORKBOOK_STATE", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("WORKBOOK_QUIET", "1")
