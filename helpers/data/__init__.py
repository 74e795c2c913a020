"""Load the three datasets: from a folder, the cache, a download, or the offline stand-in."""

from __future__ import annotations

import gzip
import io
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.data.download import (
    DataError,
    Origin,
    cache_folder,
    cached_files,
    contents_of,
    named_files,
    named_folder,
    reachable_mirrors,
    stand_in,
    stand_in_file,
)
from helpers.data.origins import FASHION_MNIST, HOUSE_PRICES, MNIST

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """Greyscale images with labels, split into training and test rows; the arrays are read-only.

    Attributes:
        train_images: Shape (60000, 28, 28), uint8, 0 (background) to 255.
        train_labels: Shape (60000,), int64, 0 to 9.
        test_images: Shape (10000, 28, 28), uint8.
        test_labels: Shape (10000,), int64.
        class_names: The ten names, in the order of the labels.
        name: Name of the dataset.
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
    """House sales in Ames, Iowa, as Kaggle provides them.

    Attributes:
        train: 1460 rows, 81 columns: `Id`, 79 features, `SalePrice` in dollars.
        test: 1459 rows, 80 columns: the same without `SalePrice`.
        name: Name of the dataset.
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
    """One line of `workbook doctor`: where a dataset would be loaded from, and advice."""

    dataset: str
    source: str
    ok: bool
    advice: str


_SOURCE_WORDS = {"real": "real data", "stand-in": "offline stand-in (generated, not the real data)"}


__all__ = [
    "DataError",
    "HouseData",
    "ImageData",
    "Status",
    "cache_folder",
    "keep_stand_ins",
    "load_fashion_mnist",
    "load_house_prices",
    "load_mnist",
    "status",
]

_ORIGINS = (FASHION_MNIST, MNIST, HOUSE_PRICES)

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
    """Load Fashion-MNIST: 70,000 greyscale images of ten kinds of clothing.

    The files are read from the folder that `WORKBOOK_DATA` names, or else from the cache, or else
    downloaded into the cache. Without a network the offline stand-in is used, with a message.

    Returns:
        The images, read-only and shared by all callers in this process.

    Raises:
        DataError: If a file is missing from `WORKBOOK_DATA`, altered, or cannot be stored.
    """
    return _load_images(FASHION_MNIST, _CLOTHES, _settings())


def load_mnist() -> ImageData:
    """Load MNIST: 70,000 greyscale images of handwritten digits.

    Looks in the same places as `load_fashion_mnist`, and raises the same error.
    """
    return _load_images(MNIST, tuple("0123456789"), _settings())


def load_house_prices() -> HouseData:
    """Load Kaggle's house prices: sales in Ames, Iowa, 2006 to 2010.

    Looks in the same places as `load_fashion_mnist`, and raises the same error. Each call
    returns new data frames, so a page may change them.
    """
    contents, source = contents_of(HOUSE_PRICES)
    frames = (_read_csv(contents[name]) for name in HOUSE_PRICES.files)
    return HouseData(*frames, name=HOUSE_PRICES.name, source=source)


def keep_stand_ins() -> None:
    """Generate the stand-ins that a process without a network would need, if they are missing."""
    if named_folder() is None:
        for origin in _ORIGINS:
            if not stand_in_file(origin).exists() and None in cached_files(origin).values():
                stand_in(origin)


def status() -> list[Status]:
    """Return for each dataset where it would be loaded from, without loading or storing it."""
    return [_status(origin) for origin in _ORIGINS]


def _status(origin: Origin) -> Status:
    folder = named_folder()
    if folder is not None:
        try:
            named_files(origin, folder)
        except DataError as error:
            return Status(origin.name, "WORKBOOK_DATA", False, str(error))
        return Status(origin.name, "WORKBOOK_DATA", True, "")
    if None not in cached_files(origin).values():
        return Status(origin.name, "cache", True, "")
    if os.environ.get("WORKBOOK_OFFLINE") == "1":
        advice = "Unset WORKBOOK_OFFLINE to download the real data."
    elif reachable_mirrors(origin):
        return Status(origin.name, f"download on first use, {origin.megabytes} MB", True, "")
    else:
        advice = "Connect to the network once, or set WORKBOOK_DATA to a folder with the files."
    return Status(origin.name, "offline stand-in", True, advice)


def _settings() -> tuple[str | None, ...]:
    """Return the settings that determine the source of data, for the key of a cache."""
    return tuple(map(os.environ.get, ("WORKBOOK_DATA", "WORKBOOK_CACHE", "WORKBOOK_OFFLINE")))


@lru_cache(maxsize=4)
def _load_images_once(folder: str, settings: tuple[str | None, ...]) -> tuple[list, str]:
    origin = next(origin for origin in _ORIGINS if origin.folder == folder)
    contents, source = contents_of(origin)
    arrays = [_read_idx(contents[name]) for name in origin.files]
    arrays[1], arrays[3] = arrays[1].astype(np.int64), arrays[3].astype(np.int64)
    for array in arrays:
        array.flags.writeable = False
    return arrays, source


def _load_images(
    origin: Origin, class_names: tuple[str, ...], settings: tuple[str | None, ...]
) -> ImageData:
    arrays, source = _load_images_once(origin.folder, settings)
    return ImageData(*arrays, class_names=class_names, name=origin.name, source=source)


def _read_idx(content: bytes) -> np.ndarray:
    """Read an IDX file of unsigned bytes, compressed with gzip or not."""
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    dimensions = content[3]
    shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _read_csv(content: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(io.BytesIO(content))
