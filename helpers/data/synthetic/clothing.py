"""Draw clothing-like images in ten classes: silhouettes of varying cut, cloth and size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["make"]

TRAIN, TEST, CLASSES = 6000, 1000, 10  # images per class, as in Fashion-MNIST

_CHUNK = 500  # images drawn together, which fit in the processor's cache


def make() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw the whole dataset.

    Returns:
        Training images (60000, 28, 28), their labels (60000,), test images (10000, 28, 28), their
        labels (10000,), all uint8; the classes have equal sizes and are in random order.
    """
    random = np.random.default_rng(20170825)
    train_labels = random.permutation(np.repeat(np.arange(CLASSES, dtype=np.uint8), TRAIN))
    test_labels = random.permutation(np.repeat(np.arange(CLASSES, dtype=np.uint8), TEST))
    train_images = np.empty((TRAIN * CLASSES, 28, 28), np.uint8)
    test_images = np.empty((TEST * CLASSES, 28, 28), np.uint8)
    for label, draw in enumerate(_DRAW):
        for images, labels in ((train_images, train_labels), (test_images, test_labels)):
            rows = np.flatnonzero(labels == label)
            for start in range(0, len(rows), _CHUNK):
                chunk = rows[start : start + _CHUNK]
                images[chunk] = _Sketch(random, len(chunk), draw).pixels
    return train_images, train_labels, test_images, test_labels


class _Sketch:
    """Several images of one class, drawn together.

    `u` and `v` are coordinates in pixels from the centre, to the right and down, already shifted
    and scaled for each image; `cloth` is the item's mask (0 to 1), `shade` its brightness.
    """

    def __init__(self, random: np.random.Generator, count: int, draw: Callable[[_Sketch], None]):
        self.random, self.count = random, count
        pixels = np.arange(28, dtype=np.float32) - 13.5
        x, y = pixels[None, None, :], pixels[None, :, None]
        self.v = (y - self.between(-1.2, 1.2)) * self.between(0.92, 1.12)
        lean = self.between(-0.05, 0.05) * self.v
        self.u = (x - self.between(-1.4, 1.4) - lean) * self.between(0.9, 1.15)
        self.side = np.abs(self.u)
        self.cloth = np.zeros((count, 28, 28), np.float32)
        self.shade = np.ones((count, 28, 28), np.float32)
        draw(self)
        self.pixels = self._finish()

    def between(self, low: float, high: float) -> np.ndarray:
        """Return one number for each image, uniform in [low, high)."""
        drawn = self.random.random((self.count, 1, 1), dtype=np.float32)
        return np.float32(low) + np.float32(high - low) * drawn

    def some(self, share: float) -> np.ndarray:
        """Return 1 for about this share of the images and 0 for the others."""
        return (self.between(0, 1) < share).astype(np.float32)

    def add(self, mask: np.ndarray) -> None:
        np.maximum(self.cloth, mask, out=self.cloth)

    def cut(self, mask: np.ndarray) -> None:
        self.cloth *= 1 - mask

    def paint(self, mask: np.ndarray, strength: np.ndarray | float) -> None:
        """Make the shade darker (strength below zero) or brighter where `mask` is positive."""
        self.shade *= 1 + mask * strength

    def rows(self, top: np.ndarray | float, bottom: np.ndarray | float) -> np.ndarray:
        return _inside(self.v - top) * _inside(bottom - self.v)

    def body(self, knots: Sequence[tuple]) -> np.ndarray:
        """Return a shape with left-right symmetry from (height, half width) knots."""
        return _inside(_through(self.v, knots) - self.side) * self.rows(knots[0][0], knots[-1][0])

    def outline(self, top: Sequence[tuple], bottom: Sequence[tuple]) -> np.ndarray:
        """Return the area between two lines that run from left to right."""
        inside = _inside(_through(self.u, bottom) - self.v)
        inside *= _inside(self.v - _through(self.u, top))
        return inside * _inside(self.u - top[0][0]) * _inside(top[-1][0] - self.u)

    def _finish(self) -> np.ndarray:
        tone = 1 - self.between(0, 1) ** 2 * np.float32(0.75)
        self._pattern()
        grain = self.random.random((self.count, 28, 28), dtype=np.float32) - np.float32(0.5)
        image = self.cloth * (tone * self.shade + grain * self.between(0.08, 0.45))
        return (np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)

    def _pattern(self) -> None:
        """Add stripes, a print, or light from one side to some of the items."""
        period = self.between(2, 7)
        for along, share in ((self.v, 0.15), (self.u, 0.08)):
            wave = np.abs(np.mod(along / period + self.between(0, 1), 1) - 0.5) * 4 - 1
            self.paint(wave, self.some(share) * self.between(0.1, 0.5))
        u, v = self.u - self.between(-3, 3), self.v - self.between(-5, 6)
        spot = _inside(self.between(2, 5) - np.abs(u)) * _inside(self.between(2, 5) - np.abs(v))
        self.paint(spot, self.some(0.25) * self.between(-0.8, 0.5))
        self.paint(self.u / 14, self.between(-0.25, 0.25))
        self.paint(self.v / 14, self.between(-0.2, 0.2))


def _inside(distance: np.ndarray) -> np.ndarray:
    """Turn the signed distance from an edge into a soft mask, one pixel wide."""
    return np.clip(distance + np.float32(0.5), 0, 1)


def _through(position: np.ndarray, knots: Sequence[tuple]) -> np.ndarray:
    """Interpolate linearly between knots (position, value) that may differ for each image."""
    value = knots[0][1]
    for (start, low), (end, high) in itertools.pairwise(knots):
        value = value + (high - low) * np.clip((position - start) / (end - start), 0, 1)
    return value


def _top(
    s: _Sketch, *, hem, shoulder, waist, neck, depth, long, sleeve, flare=0.0, arms=1.0
) -> None:
    """Draw the common shape of T-shirts, pullovers, coats, shirts and some dresses."""
    top = s.between(-13, -11.5)
    s.add(s.body([(top, shoulder - 2), (top + 2.5, shoulder), (0, waist), (hem, waist + flare)]))
    cuff = np.where(long > 0, s.between(7, 11), top + sleeve)
    spread = np.where(long > 0, s.between(2.5, 6), s.between(4.5, 7.5))
    thick = np.where(long > 0, s.between(3, 4.5), s.between(4.5, 6.5))
    outer = _through(s.v, [(top + 1, shoulder - 1), (cuff, shoulder + spread)])
    arm = _inside(outer - s.side) * _inside(s.side - outer + thick) * s.rows(top + 1, cuff)
    s.add(arm * _inside(s.side - 3) * arms)
    crease = _inside(1 - np.abs(s.side - waist)) * s.rows(top + 6, hem)
    s.paint(crease, s.between(-0.6, 0))
    s.cut(_inside(top + depth * (1 - (s.side / neck) ** 2) - s.v) * _inside(neck - s.side))


def _collar_and_buttons(s: _Sketch, share: float, strength: tuple[float, float]) -> None:
    line = _inside(s.between(0, 0.9) - np.abs(s.u - s.between(-1, 1))) * s.rows(-10, 14)
    s.paint(line, s.some(share) * s.between(*strength))
    wing = _inside(1.2 - np.abs(s.side - (s.v + 12) * s.between(0.3, 0.9) - 1)) * s.rows(-13, -7)
    s.paint(wing, s.some(share) * s.between(*strength))


def _t_shirt(s: _Sketch) -> None:
    _top(
        s,
        hem=s.between(11, 14),
        shoulder=s.between(6, 8.5),
        waist=s.between(5.5, 8),
        neck=s.between(2.5, 4.5),
        depth=s.between(1.5, 4.5),
        long=s.some(0.04),
        sleeve=s.between(5, 11),
    )


def _trouser(s: _Sketch) -> None:
    hip, foot = s.between(4, 6.5), s.between(4, 7)
    bottom = s.between(11.5, 14)
    s.add(s.body([(s.between(-14, -12.5), hip - 0.5), (-6, hip), (bottom, foot)]))
    crotch = s.between(-8, -2)
    gap = _through(s.v, [(crotch, -0.6), (bottom, s.between(0.3, 2.6))])
    s.cut(_inside(gap - s.side) * _inside(s.v - crotch))
    s.paint(_inside(0.6 - s.side) * s.rows(-12, crotch), s.between(-0.7, 0))
    s.cut(s.some(0.05) * _inside(s.v - s.between(3, 8)))


def _pullover(s: _Sketch) -> None:
    _top(
        s,
        hem=s.between(10, 13.5),
        shoulder=s.between(6, 8),
        waist=s.between(5.5, 8),
        neck=s.between(2, 4),
        depth=s.between(0.5, 3),
        long=s.some(0.97),
        sleeve=s.between(8, 12),
    )
    hem = s.rows(s.between(9, 11), 14)
    s.paint(hem, s.some(0.4) * s.between(-0.5, 0.2))
    _collar_and_buttons(s, 0.08, (-0.5, 0.3))


def _dress(s: _Sketch) -> None:
    waist = s.between(2.8, 5)
    arms = s.some(0.45)
    _top(
        s,
        hem=s.between(12, 14.5),
        shoulder=s.between(3.5, 5.5),
        waist=waist,
        neck=s.between(1.5, 3.5),
        depth=s.between(1, 5),
        long=s.some(0.4),
        sleeve=s.between(5, 9),
        arms=arms,
        flare=s.between(0, 4.5),
    )
    s.paint(s.rows(-1, s.between(0, 1.5)), s.some(0.3) * s.between(-0.7, 0.3))


def _coat(s: _Sketch) -> None:
    _top(
        s,
        hem=s.between(11, 14.5),
        shoulder=s.between(6, 8),
        waist=s.between(5.5, 8),
        neck=s.between(1.5, 3.5),
        depth=s.between(0.5, 3.5),
        long=s.some(0.98),
        sleeve=s.between(8, 12),
        flare=s.between(-0.5, 1.5),
    )
    opening = _inside(s.between(0.3, 1.2) - np.abs(s.u - s.between(-1, 1))) * s.rows(-7, 14)
    s.cut(opening * s.some(0.45) * s.between(0.4, 1))
    _collar_and_buttons(s, 0.7, (-0.9, 0.1))


def _shirt(s: _Sketch) -> None:
    _top(
        s,
        hem=s.between(10.5, 14),
        shoulder=s.between(5.5, 8),
        waist=s.between(5, 8),
        neck=s.between(2, 4),
        depth=s.between(1, 4.5),
        long=s.some(0.55),
        sleeve=s.between(6, 12),
    )
    _collar_and_buttons(s, 0.75, (-0.9, -0.1))


def _shoe(s: _Sketch, *, heel, shaft, toe, sole) -> None:
    """Draw a shoe that points to the left; the upper edge falls from the shaft to the toe."""
    left, right = s.between(-14, -12.5), s.between(11.5, 13.5)
    ground = s.between(5, 8.5)
    bend = s.between(-1.5, 4)
    top = [(left, ground - toe), (bend - 5, ground - toe - 2), (bend + 2, heel), (right, shaft)]
    s.add(s.outline(top, [(left, ground + sole), (right, ground + sole)]))
    line = _inside(0.8 - np.abs(s.v - ground)) * s.between(-0.8, 0.3)
    s.paint(line, s.some(0.8))


def _sandal(s: _Sketch) -> None:
    ground, left, right = s.between(4, 8), s.between(-14, -12), s.between(11, 13.5)
    lift = s.between(0, 7) * s.some(0.6)
    base = [(left, ground), (s.between(-4, 0), ground), (right, ground - lift)]
    thick = s.between(1, 2.8)
    sole = [(place, height + thick) for place, height in base]
    s.add(s.outline(base, sole))
    heel = s.some(0.5) * _inside(s.u - right + s.between(1, 4)) * _inside(right - s.u)
    s.add(heel * s.rows(ground - lift, ground + thick))
    for low, high in ((-12, -5), (-6, 2), (2, 9), (7, 11)):
        start, reach, tall = s.between(low, high), s.between(-4, 5), s.between(4, 10)
        middle = start + reach * (ground - s.v) / 8
        strap = _inside(s.between(0.2, 1.5) - np.abs(s.u - middle)) * s.rows(ground - tall, ground)
        s.add(strap * s.some(0.75))
    s.add(s.some(0.2) * s.outline([(left, ground - 5), (right, ground - lift - 4)], base[::2]))


def _sneaker(s: _Sketch) -> None:
    _shoe(
        s,
        heel=s.between(-3, 2.5),
        shaft=s.between(-4, 2),
        toe=s.between(1.5, 4.5),
        sole=s.between(0.5, 2.5),
    )
    lace = np.abs(np.mod(s.u + s.v * 0.5, 3) - 1.5) - 0.75
    s.paint(lace * s.rows(-3, 6), s.some(0.5) * s.between(-0.5, 0.5))


def _bag(s: _Sketch) -> None:
    top, bottom = s.between(-7, 0), s.between(8, 13.5)
    upper, lower = s.between(7, 13.5), s.between(8, 13.8)
    s.add(s.body([(top, upper), (bottom, lower)]))
    wide, tall = s.between(3, 10), s.between(2, 12)
    arch = top - tall * (1 - (s.side / wide) ** 2)
    thick = s.between(0.5, 1.6)
    handle = _inside(s.v - arch) * _inside(arch + thick * 2 - s.v) * _inside(wide - s.side)
    s.add(handle * _inside(top + 1 - s.v) * s.some(0.8))
    flap = _inside(top + s.between(2, 8) - s.v)
    s.paint(flap, s.some(0.5) * s.between(-0.5, 0.4))
    s.paint(_inside(1.5 - s.side) * s.rows(top, top + 6), s.some(0.4) * s.between(-0.8, 0.8))


def _ankle_boot(s: _Sketch) -> None:
    _shoe(
        s,
        heel=s.between(-9, -1),
        shaft=s.between(-13, -5),
        toe=s.between(2, 5),
        sole=s.between(1, 4),
    )
    edge = s.between(2, 6)
    s.cut(_inside(edge - s.u) * _inside(s.between(-5, 1) - s.v) * s.some(0.7))
    s.cut(s.some(0.4) * _inside(s.between(5, 8) - s.u) * _inside(s.u + 2) * _inside(s.v - 8))


_DRAW = (
    _t_shirt,
    _trouser,
    _pullover,
    _dress,
    _coat,
    _sandal,
    _shirt,
    _sneaker,
    _bag,
    _ankle_boot,
)
