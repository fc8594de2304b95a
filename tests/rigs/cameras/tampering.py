"""Ways to tamper with a camera, done to its luma pictures: each kind in three strengths, weak to strong.

A deed is a function (picture, rng) -> picture on uint8 planes of any size: it changes what lies between the scene and
the sensor, and adds the sensor's noise after it. Lengths are shares of the picture's width.
"""
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from agent.core.vision.luma import Luma
from agent.core.vision.tamper import Kind

Deed = Callable[[np.ndarray, np.random.Generator], np.ndarray]
STRENGTHS = ("weak", "medium", "strong")
NOISE_LEVELS = 1.5


def _blurred(y: np.ndarray, share: float) -> np.ndarray:
    h, w = y.shape
    times = max(1, min(h, w, round(share * w)) // 4)        # a wide blur of a large picture takes seconds otherwise
    small = cv2.resize(y, (max(1, w // times), max(1, h // times)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.3, share * small.shape[1]), borderType=cv2.BORDER_REFLECT)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC)


def _sensed(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the sensor makes of it: noise, whole levels."""
    return np.clip(y + rng.normal(0, NOISE_LEVELS, y.shape).astype(np.float32), 0, 255).astype(np.uint8)


def _slope(y: np.ndarray, low: float, high: float) -> np.ndarray:
    """A plane that grows brighter from one corner to the other."""
    h, w = y.shape
    return low + (high - low) * np.add.outer(np.linspace(0, 0.5, h), np.linspace(0, 0.5, w)).astype(np.float32)


def _blots(y: np.ndarray, area: float, soft: float, seed: int) -> np.ndarray:
    """Opacity 0..1 of soft blots that cover `area` of the picture; the same for the same seed."""
    h, w = y.shape
    ground = cv2.resize(np.random.default_rng(seed).normal(0, 1, (5, 8)).astype(np.float32), (w, h),
                        interpolation=cv2.INTER_CUBIC)
    return _blurred((ground > np.quantile(ground, 1 - area)).astype(np.float32), soft)


def bag(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A thin bag: light comes through, and large shapes as a shadow."""
    return _sensed(0.75 * float(y.mean()) + 20 + 0.2 * (_blurred(y, 0.15).astype(np.float32) - y.mean()), rng)


def hand(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A hand before the lens, out of focus, with a corner left free."""
    h, w = y.shape
    free = np.zeros(y.shape, np.float32)
    free[:h * 3 // 10, :w * 3 // 10] = 1
    free = _blurred(free, 0.03)
    return _sensed(y * free + _slope(y, 25, 60) * (1 - free), rng)


def lid(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A lid: black, and noise."""
    return _sensed(np.full(y.shape, 2.0, np.float32), rng)


def paint(area: float, shade: float) -> Deed:
    """Paint on the glass over `area` of the picture, `shade` times as bright as the view."""

    def spray(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        blots, level = _blots(y, area, 0.02, 5), shade * float(y.mean())
        return _sensed(y * (1 - blots) + _slope(y, level, level + 15) * blots, rng)

    return spray


def turned(right: float, down: float, degrees: float) -> Deed:
    """The camera turned a little: the picture shifts and rotates, and what comes into view mirrors what was there."""

    def turn(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        h, w = y.shape
        move = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1.0)
        move[:, 2] += right * w, down * w
        return cv2.warpAffine(y, move, (w, h), borderMode=cv2.BORDER_REFLECT)

    return turn


def elsewhere(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The camera looks at another scene, here the same one upside down and mirrored."""
    return y[::-1, ::-1]


def unsharp(blur: float) -> Deed:
    """The lens out of focus."""
    return lambda y, rng: _sensed(_blurred(y, blur), rng)


def overexposed(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """So much light that most of the picture is white."""
    middle = max(1.0, float(np.quantile(y, 0.25)))
    return _sensed(y * np.float32(270 / middle), rng)


def lamp(size: float, veil: float) -> Deed:
    """A lamp into the lens: a white disc of radius `size`, a glow around it, a veil of so many levels over the rest."""

    def shine(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        h, w = y.shape
        disc = np.zeros(y.shape, np.float32)
        cv2.circle(disc, (w * 6 // 10, h * 4 // 10), round(size * w), 1.0, -1)
        glow = cv2.GaussianBlur(cv2.resize(disc, (64, 36)), (0, 0), 8)
        return _sensed(0.15 * y + veil + 260 * disc + 160 * cv2.resize(glow, (w, h)), rng)

    return shine


def hanging(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The camera hangs: what it sends is the picture it has."""
    return y


def encoded(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """It hangs before an encoder, which refines a block here and there by a level."""
    h, w = y.shape
    blocks = rng.choice([0, 1, -1], (h // 8 + 1, w // 8 + 1), p=[0.96, 0.02, 0.02])
    return np.clip(y + np.kron(blocks, np.ones((8, 8), np.int16))[:h, :w], 0, 255).astype(np.uint8)


def clocked(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """It hangs, but the clock that is drawn into the picture runs."""
    h, w = y.shape
    y = y.copy()
    y[:h // 14, :w // 4] = rng.integers(0, 2, (h // 14, w // 4), np.uint8) * 200
    return y


DEEDS: dict[Kind, tuple[Deed, Deed, Deed]] = {
    Kind.COVERED: (hand, bag, lid),
    Kind.SPRAYED: (paint(0.45, 0.8), paint(0.6, 0.4), paint(0.7, 1.5)),
    Kind.MOVED: (turned(0.08, 0.0, 0.0), turned(-0.15, 0.06, 4.0), elsewhere),
    Kind.DEFOCUSED: (unsharp(0.004), unsharp(0.008), unsharp(0.016)),
    Kind.BLINDED: (lamp(0.12, 40), lamp(0.3, 90), overexposed),
    Kind.FROZEN: (clocked, encoded, hanging),
}


def tampered(scene: Iterable[Luma], kind: Kind, deed: Deed, start_mono_s: float, stop_mono_s: float,
             seed: int = 1) -> Iterator[Luma]:
    """The scene with the deed done to it from `start_mono_s` until before `stop_mono_s`."""
    rng, held = np.random.default_rng(seed), None
    for luma in scene:
        y = luma.y
        if start_mono_s <= luma.mono_s < stop_mono_s:
            if kind is Kind.FROZEN:
                held = y.copy() if held is None else held
                y = held
            y = deed(y, rng)
        yield replace(luma, plane=y)
