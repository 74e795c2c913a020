"""Offline stand-ins: files in the format of the real datasets, generated from fixed seeds."""

from __future__ import annotations

import struct

import numpy as np

from helpers.data.synthetic.columns import HOUSE_COLUMNS

__all__ = ["HOUSE_COLUMNS", "VERSION", "make"]

VERSION = 2  # increase it when a generator changes: stored files of another version are ignored


def make(folder: str) -> list[bytes]:
    """Generate the files of one dataset.

    Args:
        folder: "fashion-mnist", "mnist" or "house-prices".

    Returns:
        The bytes of each file: train images, train labels, test images, test labels as IDX, or the
        training and test table as CSV.
    """
    if folder == "house-prices":
        from helpers.data.synthetic import houses

        return [frame.to_csv(index=False, na_rep="NA").encode() for frame in houses.make()]
    if folder == "mnist":
        from helpers.data.synthetic import digits as images
    else:
        from helpers.data.synthetic import clothing as images
    return [_idx(array) for array in images.make()]


def _idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()
