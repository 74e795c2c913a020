"""Generate digit images from 1,797 real 8 x 8 digits, which are in `digits.npz`.

Each image is one of these digits, enlarged, bent and shifted at random. They are part of "Optical
Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, UCI, CC BY 4.0), as distributed with
scikit-learn. The file is 45 kB; scikit-learn with SciPy would add 190 MB to every installation.
Training and test images come from different originals.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["TEST", "TRAIN", "make"]

TRAIN = (
    5923,
    6742,
    5958,
    6131,
    5842,
    5421,
    5918,
    6265,
    5851,
    5949,
)  # images per class, as in MNIST
TEST = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)

_LARGE = 96  # side of an enlarged original: 8 pixels become 64, with a border of 16
_CHUNK = 500


def make() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Generate the whole dataset.

    Returns:
        Training images (60000, 28, 28), their labels (60000,), test images (10000, 28, 28), their
        labels (10000,), all uint8; class sizes as in MNIST, in random order.
    """
    with np.load(Path(__file__).with_name("digits.npz")) as originals:
        large, digit_of = _enlarge(originals["images"].astype(np.float32)), originals["labels"]
    random = np.random.default_rng(19980501)
    place = random.permutation(len(large))
    made = []
    cut = len(place) * 5 // 6
    for sizes, chosen in ((TRAIN, place[:cut]), (TEST, place[cut:])):
        labels = random.permutation(np.repeat(np.arange(10, dtype=np.uint8), sizes))
        images = np.empty((len(labels), 28, 28), np.uint8)
        for digit in range(10):
            rows = np.flatnonzero(labels == digit)
            of_digit = chosen[digit_of[chosen] == digit]
            picks = random.choice(of_digit, len(rows))
            for start in range(0, len(rows), _CHUNK):
                chunk = slice(start, start + _CHUNK)
                images[rows[chunk]] = _distort(random, large, picks[chunk])
        made += [images, labels]
    return tuple(made)


def _enlarge(images: np.ndarray) -> np.ndarray:
    """Enlarge (n, 8, 8) images to (n, 96, 96) with a smooth kernel and an empty border."""
    target = (np.arange(_LARGE, dtype=np.float32) + 0.5 - 16) / 8 - 0.5
    distance = np.abs(target[:, None] - np.arange(8, dtype=np.float32))
    near = np.clip(1.5 - distance, 0, 1)
    weights = np.where(distance < 0.5, 0.75 - distance**2, 0.5 * near**2).astype(np.float32)
    large = np.zeros((len(images), _LARGE, _LARGE), np.float32)
    for i in range(8):
        rows = np.zeros((len(images), 1, _LARGE), np.float32)
        for j in range(8):
            rows += images[:, i, j, None, None] * weights[:, j]
        large += weights[:, i, None] * rows
    return (large / 16 * 255).astype(np.uint8)


def _distort(random: np.random.Generator, large: np.ndarray, picks: np.ndarray) -> np.ndarray:
    def between(low: float, high: float) -> np.ndarray:
        drawn = random.random((len(picks), 1, 1), dtype=np.float32)
        return np.float32(low) + np.float32(high - low) * drawn

    pixels = np.arange(28, dtype=np.float32) - 13.5
    x, y = pixels[None, None, :] - between(-0.8, 0.8), pixels[None, :, None] - between(-0.8, 0.8)
    turn, slant = between(-0.12, 0.12), between(-0.15, 0.15)
    bend, wave = between(-0.02, 0.02), between(-0.02, 0.02)
    u = (x + (slant + turn) * y + bend * y * y) * between(2.8, 3.5)
    v = (y - turn * x + wave * x * x) * between(2.9, 3.4)
    column = np.clip(u + _LARGE / 2, 0, _LARGE - 1).astype(np.int32)
    row = np.clip(v + _LARGE / 2, 0, _LARGE - 1).astype(np.int32)
    ink = large[picks[:, None, None], row, column].astype(np.float32) / np.float32(255)
    stroke = (ink - between(0.45, 0.6)) * between(2.5, 5)
    return (np.clip(stroke + np.float32(0.4), 0, 1) * (ink > 0.12) * 255).astype(np.uint8)
