"""Write files atomically: even after a crash, either the old or the new file is complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["replacing", "write_text"]


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a temporary file next to `path` that replaces it when the `with` block ends.

    If the block raises, the temporary file is removed and `path` is unchanged. Missing parent
    folders are created.

    Raises:
        OSError: If the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Replace the file at `path` by `text` in UTF-8, without converting line endings."""
    with replacing(path) as file:
        file.write(text.encode("utf-8", errors="replace"))
