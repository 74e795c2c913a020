"""The built site, in all languages, which the tests of the book share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    from helpers.book.__main__ import main

    out = tmp_path_factory.mktemp("book") / "html"
    assert main(["--out", str(out)]) == 0
    return out
