"""Load the three data sets: from a folder, the cache, a download, or the offline stand-in."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import os
import struct
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import platformdirs
import pooch
import requests

from helpers.data import synthetic

if TYPE_CHECKING:
    import pandas as pd

_PROBE_SECONDS = 4.0
_CSV_ROWS = {"kaggle_house_pred_train.csv": 1460, "kaggle_house_pred_test.csv": 1459}

pooch.get_logger().setLevel(logging.WARNING)


class DataError(OSError, ValueError):
    """Data that cannot be loaded; the message says what is wrong, where, and what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """Grey images with labels, split into training and test rows; the arrays are read-only.

    Attributes:
        train_images: Shape (60000, 28, 28), uint8, 0 (background) to 255.
        train_labels: Shape (60000,), int64, 0 to 9.
        test_images: Shape (10000, 28, 28), uint8.
        test_labels: Shape (10000,), int64.
        class_names: The ten names, in the order of the labels.
        name: Name of the data set.
        source: "real" or "stand-in".
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    name: str
    source: str

    def __str__(self) -> str:
        rows = f"{len(self.train_images):,} training and {len(self.test_images):,} test images"
        return f"{self.name}, {_SOURCE_WORDS[self.source]}: {rows}, 28 x 28 pixels, 10 classes."

    __repr__ = __str__


@dataclass(frozen=True, eq=False, repr=False)
class HouseData:
    """House sales in Ames, Iowa, as Kaggle hands them out.

    Attributes:
        train: 1460 rows, 81 columns: `Id`, 79 features, `SalePrice` in dollars.
        test: 1459 rows, 80 columns: the same without `SalePrice`.
        name: Name of the data set.
        source: "real" or "stand-in".
    """

    train: pd.DataFrame
    test: pd.DataFrame
    name: str
    source: str

    def __str__(self) -> str:
        rows = f"{len(self.train):,} training and {len(self.test):,} test rows"
        return f"{self.name}, {_SOURCE_WORDS[self.source]}: {rows}, 79 features."

    __repr__ = __str__


class Status(NamedTuple):
    """One line for `workbook doctor`: where a data set would come from, and what to do."""

    dataset: str
    source: str
    ok: bool
    advice: str


_SOURCE_WORDS = {"real": "real data", "stand-in": "offline stand-in (generated, not the real data)"}


@dataclass(frozen=True)
class _Origin:
    """Where the real files of a data set live, and the SHA-256 of each."""

    name: str
    folder: str
    megabytes: int
    mirrors: tuple[str, ...]
    files: dict[str, str]


_FASHION_MNIST = _Origin(
    name="Fashion-MNIST",
    folder="fashion-mnist",
    megabytes=31,
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    files={
        "train-images-idx3-ubyte.gz": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    },
)
_MNIST = _Origin(
    name="MNIST",
    folder="mnist",
    megabytes=12,
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files={
        "train-images-idx3-ubyte.gz": (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        "train-labels-idx1-ubyte.gz": (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    },
)
_HOUSE_PRICES = _Origin(
    name="House prices in Ames",
    folder="house-prices",
    megabytes=1,
    mirrors=(
        "https://d2l-data.s3-accelerate.amazonaws.com/",
        "https://d2l-data.s3.amazonaws.com/",
    ),
    files={
        "kaggle_house_pred_train.csv": (
            "1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41"
        ),
        "kaggle_house_pred_test.csv": (
            "8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e"
        ),
    },
)
_ORIGINS = (_FASHION_MNIST, _MNIST, _HOUSE_PRICES)

_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_fashion_mnist() -> ImageData:
    """Load Fashion-MNIST: 70,000 grey images of ten kinds of clothing.

    The files come from the folder that `WORKBOOK_DATA` names, else from the cache, else from a
    download into the cache; without a network the offline stand-in takes their place and says so.

    Returns:
        The images, read-only and shared by all callers in this process.

    Raises:
        DataError: If a file is missing from `WORKBOOK_DATA`, altered, or cannot be stored.
    """
    return _load_images(_FASHION_MNIST, _CLOTHES, _settings())


def load_mnist() -> ImageData:
    """Load MNIST: 70,000 grey images of handwritten digits.

    Looks in the same places as `load_fashion_mnist`, and raises the same error.
    """
    return _load_images(_MNIST, tuple("0123456789"), _settings())


def load_house_prices() -> HouseData:
    """Load Kaggle's house prices: sales in Ames, Iowa, 2006 to 2010.

    Looks in the same places as `load_fashion_mnist`, and raises the same error. The frames are new
    at each call, so a page may change them.
    """
    contents, source = _contents(_HOUSE_PRICES)
    frames = (_read_csv(contents[name]) for name in _HOUSE_PRICES.files)
    return HouseData(*frames, name=_HOUSE_PRICES.name, source=source)


def cache_folder() -> Path:
    """Return the folder that downloads and stand-ins are kept in.

    `WORKBOOK_CACHE` names another one than the user's usual cache folder.
    """
    named = os.environ.get("WORKBOOK_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("workbook"))


def keep_stand_ins() -> None:
    """Make the stand-ins that a process without network would make, unless they are there."""
    if _named_folder() is None:
        for origin in _ORIGINS:
            if not _stand_in_file(origin).exists() and None in _cached_files(origin).values():
                _stand_in(origin)


def status() -> list[Status]:
    """Say for each data set where it would come from now, without loading or storing anything."""
    return [_status(origin) for origin in _ORIGINS]


def _status(origin: _Origin) -> Status:
    folder = _named_folder()
    if folder is not None:
        try:
            _named_files(origin, folder)
        except DataError as error:
            return Status(origin.name, "WORKBOOK_DATA", False, str(error))
        return Status(origin.name, "WORKBOOK_DATA", True, "")
    if None not in _cached_files(origin).values():
        return Status(origin.name, "cache", True, "")
    if os.environ.get("WORKBOOK_OFFLINE") == "1":
        advice = "Unset WORKBOOK_OFFLINE to download the real data."
    elif _reachable_mirrors(origin):
        return Status(origin.name, f"download on first use, {origin.megabytes} MB", True, "")
    else:
        advice = "Connect to the network once, or set WORKBOOK_DATA to a folder with the files."
    return Status(origin.name, "offline stand-in", True, advice)


def _settings() -> tuple[str | None, ...]:
    """Return what decides where data comes from: a change of it must not be hidden."""
    return tuple(map(os.environ.get, ("WORKBOOK_DATA", "WORKBOOK_CACHE", "WORKBOOK_OFFLINE")))


@lru_cache(maxsize=4)
def _load_images_once(folder: str, settings: tuple[str | None, ...]) -> tuple[list, str]:
    origin = next(origin for origin in _ORIGINS if origin.folder == folder)
    contents, source = _contents(origin)
    arrays = [_read_idx(contents[name]) for name in origin.files]
    arrays[1], arrays[3] = arrays[1].astype(np.int64), arrays[3].astype(np.int64)
    for array in arrays:
        array.flags.writeable = False
    return arrays, source


def _load_images(
    origin: _Origin, class_names: tuple[str, ...], settings: tuple[str | None, ...]
) -> ImageData:
    arrays, source = _load_images_once(origin.folder, settings)
    return ImageData(*arrays, class_names=class_names, name=origin.name, source=source)


def _contents(origin: _Origin) -> tuple[dict[str, bytes], str]:
    """Return the bytes of each file, verified, and whether they are real or the stand-in."""
    folder = _named_folder()
    if folder is not None:
        return _named_files(origin, folder), "real"
    contents = _cached_files(origin)
    missing = [name for name, content in contents.items() if content is None]
    if not missing:
        return contents, "real"
    if os.environ.get("WORKBOOK_OFFLINE") == "1":
        reason = "WORKBOOK_OFFLINE=1 is set"
    elif not (mirrors := _reachable_mirrors(origin)):
        reason = "no network"
    else:
        try:
            contents |= {name: _download(origin, name, mirrors) for name in missing}
            return contents, "real"
        except _Unavailable as error:
            reason = str(error)
    print(f"{origin.name}: {reason}, so the offline stand-in is used.")
    return _stand_in(origin), "stand-in"


def _named_folder() -> Path | None:
    named = os.environ.get("WORKBOOK_DATA")
    return Path(named).expanduser() if named else None


def _named_files(origin: _Origin, folder: Path) -> dict[str, bytes]:
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
    """Say how a file whose SHA-256 is wrong differs from the original."""
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


def _cached_files(origin: _Origin) -> dict[str, bytes | None]:
    """Return the verified bytes of each cached file, None where it is absent or damaged."""
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
    """No mirror handed out the file."""


_no_network = threading.Event()


def _reachable_mirrors(origin: _Origin) -> list[str]:
    """Return the mirrors, those that answer first in front; none where nothing answers.

    All are asked at once and one answer is enough, so that this takes at most `_PROBE_SECONDS`,
    and after a failure this process does not ask again.
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


def _download(origin: _Origin, name: str, mirrors: list[str]) -> bytes:
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
                failures.append("the download broke off")
            except ValueError:
                failures.append("the mirror's file is truncated or altered")
            else:
                content = Path(path).read_bytes()
                _move(Path(path), target)
                return content
    raise _Unavailable(f"{failures[-1]} ({name})")


def _stand_in(origin: _Origin) -> dict[str, bytes]:
    """Return the stand-in's files, from the cache or made now and then kept there."""
    path = _stand_in_file(origin)
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
        print(f"{error} Until then the stand-in is made again each time.")
    return contents


def _stand_in_file(origin: _Origin) -> Path:
    return cache_folder() / "stand-ins" / f"{origin.folder}-{synthetic.VERSION}.zip"


@contextmanager
def _writing(target: Path) -> Iterator[str]:
    """Give a temporary folder beside `target`; say in a sentence why nothing can be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as folder:
            yield folder
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{target} cannot be written ({error.strerror or error}): make room or give "
            f"permission there, or set WORKBOOK_CACHE to another folder."
        ) from None


def _move(source: Path, target: Path) -> None:
    """Put a finished file in its place at once; another process may have been faster."""
    try:
        os.replace(source, target)
    except PermissionError:
        # Windows refuses to replace a file that another process is reading: the same bytes.
        if not target.exists():
            raise


def _read_idx(content: bytes) -> np.ndarray:
    """Read an IDX file of unsigned bytes, packed with gzip or not."""
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    dimensions = content[3]
    shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _read_csv(content: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(io.BytesIO(content))
