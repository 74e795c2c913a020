"""Zips and folders to hand in, complete and broken."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path


def packed(files: dict[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    """Return a zip with these files; those in `links` are marked as symbolic links."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (2026, 3, 2, 10, 15, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            if name in links:
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, data)
    return content.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
