"""Find the files of a dataset: a named folder, the cache, a download, or the offline stand-in."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pooch
import requests

from helpers.data import synthetic

__all__ = [
    "DataError",
    "Origin",
    "cache_folder",
    "cached_files",
    "contents_of",
    "named_files",
    "named_folder",
    "reachable_mirrors",
    "stand_in",
    "stand_in_file",
]

_PROBE_SECONDS = 4.0
_CSV_ROWS = {"kaggle_house_pred_train.csv": 1460, "kaggle_house_pred_test.csv": 1459}

pooch.get_logger().setLevel(logging.WARNING)


class DataError(OSError, ValueError):
    """Data that cannot be loaded; the message says what is wrong, where, and what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Origin:
    """Where the real files of a dataset are, and the SHA-256 of each."""

    name: str
    folder: str
    megabytes: int
    mirrors: tuple[str, ...]
    files: dict[str, str]


def cache_folder() -> Path:
    """Return the folder for downloads and stand-ins.

    It is the user's cache folder, unless `WORKBOOK_CACHE` names another one.
    """
    named = os.environ.get("WORKBOOK_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("workbook"))


def contents_of(origin: Origin) -> tuple[dict[str, bytes], str]:
    """Return the bytes of each file, verified, and whether they are real or the stand-in."""
    folder = named_folder()
    if folder is not None:
        return named_files(origin, folder), "real"
    contents = cached_files(origin)
    missing = [name for name, content in contents.items() if content is None]
    if not missing:
        return contents, "real"
    if os.environ.get("WORKBOOK_OFFLINE") == "1":
        reason = "WORKBOOK_OFFLINE=1 is set"
    elif not (mirrors := reachable_mirrors(origin)):
        reason = "no network"
    else:
        try:
            contents |= {name: _download(origin, name, mirrors) for name in missing}
            return contents, "real"
        except _Unavailable as error:
            reason = str(error)
    print(f"{origin.name}: {reason}, so the offline stand-in is used.")
    return stand_in(origin), "stand-in"


def named_folder() -> Path | None:
    named = os.environ.get("WORKBOOK_DATA")
    return Path(named).expanduser() if named else None


def named_files(origin: Origin, folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise DataError(
            f"WORKBOOK_DATA names {folder}, which is not a folder: correct it, or unset it to "
            "download the data."
        )
    contents = {}
    for name, sha256 in origin.files.items():
        path = folder / origin.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}): put the file of {origin.name} there, "
                "or unset WORKBOOK_DATA to download it."
            ) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(
                f"{path} {_what_is_wrong(name, content)}: replace it with the original file, or "
                "unset WORKBOOK_DATA to download it."
            )
        contents[name] = content
    return contents


def _what_is_wrong(name: str, content: bytes) -> str:
    """Return how a file with a wrong SHA-256 differs from the original."""
    if name in _CSV_ROWS:
        lines = content.decode("utf-8", errors="replace").splitlines() or [""]
        header = lines[0].split(",")
        lost = [column for column in synthetic.HOUSE_COLUMNS if column not in header]
        if name == "kaggle_house_pred_test.csv":
            lost = [column for column in lost if column != "SalePrice"]
        if lost:
            return f"lacks the column{'s' * (len(lost) > 1)} {', '.join(lost[:5])}"
        if len(lines) - 1 < _CSV_ROWS[name]:
            return f"has {len(lines) - 1} rows of {_CSV_ROWS[name]}"
    return f"is truncated or altered ({len(content):,} bytes with another SHA-256)"


def cached_files(origin: Origin) -> dict[str, bytes | None]:
    """Return the verified bytes of each cached file, None if it is absent or damaged."""
    return {
        name: _verified(cache_folder() / origin.folder / name, sha256)
        for name, sha256 in origin.files.items()
    }


def _verified(path: Path, sha256: str) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


class _Unavailable(Exception):
    """No mirror provided the file."""


_no_network = threading.Event()


def reachable_mirrors(origin: Origin) -> list[str]:
    """Return the mirrors, fastest first, or an empty list if no mirror answers.

    All mirrors are probed in parallel, and one answer is enough, so this takes at most
    `_PROBE_SECONDS`. After a failure, this process does not probe again.
    """
    if _no_network.is_set():
        return []
    answered: list[str] = []
    one_answered = threading.Event()

    def ask(mirror: str) -> None:
        try:
            url = mirror + next(iter(origin.files))
            requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=False)
        except requests.RequestException:
            pass
        else:
            answered.append(mirror)
            one_answered.set()

    threads = [threading.Thread(target=ask, args=(m,), daemon=True) for m in origin.mirrors]
    deadline = time.monotonic() + _PROBE_SECONDS
    for thread in threads:
        thread.start()
    while any(t.is_alive() for t in threads) and time.monotonic() < deadline:
        if one_answered.wait(0.02):
            break
    if not answered:
        _no_network.set()
        return []
    first = list(answered)
    return first + [mirror for mirror in origin.mirrors if mirror not in first]


def _download(origin: Origin, name: str, mirrors: list[str]) -> bytes:
    """Fetch one file into the cache, atomically, and return its verified bytes."""
    target = cache_folder() / origin.folder / name
    failures = []
    with _writing(target) as folder:
        for mirror in mirrors:
            try:
                path = pooch.retrieve(
                    mirror + name,
                    known_hash=f"sha256:{origin.files[name]}",
                    fname=name,
                    path=folder,
                    downloader=pooch.HTTPDownloader(timeout=(_PROBE_SECONDS, 30)),
                )
            except requests.RequestException:
                failures.append("the download was interrupted")
            except ValueError:
                failures.append("the mirror's file is truncated or altered")
            else:
                content = Path(path).read_bytes()
                _move(Path(path), target)
                return content
    raise _Unavailable(f"{failures[-1]} ({name})")


def stand_in(origin: Origin) -> dict[str, bytes]:
    """Return the stand-in's files from the cache; generate and store them if necessary."""
    path = stand_in_file(origin)
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in origin.files}
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error):
        pass
    contents = dict(zip(origin.files, synthetic.make(origin.folder), strict=True))
    try:
        with _writing(path) as folder:
            packed = Path(folder) / path.name
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, content in contents.items():
                    archive.writestr(name, content)
            _move(packed, path)
    except DataError as error:
        print(f"{error} Until then the stand-in is generated again each time.")
    return contents


def stand_in_file(origin: Origin) -> Path:
    return cache_folder() / "stand-ins" / f"{origin.folder}-{synthetic.VERSION}.zip"


@contextmanager
def _writing(target: Path) -> Iterator[str]:
    """Provide a temporary folder next to `target`; raise `DataError` if it cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as folder:
            yield folder
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{target} cannot be written ({error.strerror or error}): free space or allow "
            f"writing there, or set WORKBOOK_CACHE to another folder."
        ) from None


def _move(source: Path, target: Path) -> None:
    """Move a finished file into place; another process may have been faster."""
    try:
        os.replace(source, target)
    except PermissionError:
        # Windows cannot replace a file that another process is reading; its bytes are the same.
        if not target.exists():
            raise
