"""What light does, while nobody moves: exposure, lamps, headlights, screens, the infrared filter."""
from math import exp, pi, sin

import cv2
import numpy as np

from tests.rigs.worlds.stage import Corners, Paint, Stage


def exposure_steps(stage: Stage, *steps: tuple[float, float], settle_s: float = 0.4) -> Paint:
    """From each second on, everything is this much brighter than at first; the camera takes a moment to get there."""
    def expose(picture: np.ndarray, t_s: float) -> np.ndarray:
        gain = 1.0
        for at_s, target in steps:
            if t_s >= at_s:
                gain += (target - gain) * (1 - exp(-(t_s - at_s) / settle_s))
        return picture * np.float32(gain)

    return expose


def hunting(stage: Stage, *from_s: float, depth: float = 0.15, period_s: float = 2.2, calm_s: float = 5.0) -> Paint:
    """The exposure overshoots and swings about, from each of these seconds on, until it calms down."""
    def hunt(picture: np.ndarray, t_s: float) -> np.ndarray:
        swings = (depth * exp(-(t_s - at_s) / calm_s) * sin(2 * pi * (t_s - at_s) / period_s)
                  for at_s in from_s if t_s >= at_s)
        return picture * np.float32(1 + sum(swings))

    return hunt


def lamp(stage: Stage, x: float, y: float, radius: float, *switched_s: float, gain: float = 0.8) -> Paint:
    """A lamp goes on, off, on ... at these seconds; it lights what is near it and, weakly, the whole place."""
    tall, wide = stage.height, stage.width
    down, right = np.mgrid[:tall, :wide].astype(np.float32)
    far = np.hypot(right / wide - x, (down - y * tall) / wide) / radius
    shine = np.float32(gain) * (np.exp(-far ** 2) + 0.25)

    def switch(picture: np.ndarray, t_s: float) -> np.ndarray:
        on = sum(t_s >= at_s for at_s in switched_s) % 2
        return picture * (1 + shine) if on else picture

    return switch


def sweep(stage: Stage, start_s: float, seconds: float, start: tuple[float, float], end: tuple[float, float],
          gain: float = 1.2, lift: float = 12.0) -> Paint:
    """The light of a vehicle that itself stays out of sight goes over the place, brightest in the middle."""
    down, right = np.mgrid[:stage.height, :stage.width].astype(np.float32)
    down, right = down / stage.width, right / stage.width
    shape = stage.height / stage.width

    def shine(picture: np.ndarray, t_s: float) -> np.ndarray:
        part = (t_s - start_s) / seconds
        if not 0 <= part <= 1:
            return picture
        x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
        beam = np.exp(-((right - x) / 0.13) ** 2 - ((down - y * shape) / 0.1) ** 2)
        spill = 0.15 * np.exp(-((right - x) / 0.45) ** 2)
        strength = np.float32(sin(pi * part) ** 0.6)
        return picture * (1 + gain * strength * (beam + spill)) + lift * strength * beam

    return shine


def screen(stage: Stage, corners: Corners, depth: float = 0.6, spill: float = 0.08) -> Paint:
    """A television or projector: cuts every second or two, and between them its picture changes; it lights the room."""
    mask = stage.place.area(corners, 1)
    glow = cv2.GaussianBlur(mask, (0, 0), 50 * stage.unit) * spill
    looks = [(float(level), stage.cloud(10, 18)) for level in stage.rng.uniform(-1, 1, 9)]
    cuts_s = np.cumsum(stage.rng.uniform(0.4, 3.0, 120))

    def show(picture: np.ndarray, t_s: float) -> np.ndarray:
        shot = int(np.searchsorted(cuts_s, t_s))
        level, pattern = looks[shot % len(looks)]
        level += 0.25 * sin(7 * t_s + shot)
        moved = np.roll(pattern, int(12 * t_s * stage.unit), axis=1)
        return picture * (1 + glow * level) + mask * (depth * level * 60 + moved * depth)

    return show


def infrared(stage: Stage, at_s: float, seconds: float = 1.2, gain: float = 0.55, lift: float = 18.0) -> Paint:
    """The camera goes over to its infrared lamps: dark and blurred for a moment, then grey with dim corners."""
    tall, wide = stage.height, stage.width
    down, right = np.mgrid[-1:1:tall * 1j, -1:1:wide * 1j].astype(np.float32)
    lamp_light = 1.15 - 0.45 * np.minimum(1, (right ** 2 + down ** 2) / 1.7)
    leaves = 1 if stage.place.leaves is None else 1 + 0.5 * stage.place.leaves       # leaves are bright in infrared

    def switch(picture: np.ndarray, t_s: float) -> np.ndarray:
        part = min(1.0, max(0.0, (t_s - at_s) / seconds))
        if part == 0:
            return picture
        night = (picture * gain + lift) * lamp_light * leaves
        mixed = (picture * (1 - part) + night * part) * np.float32(1 - 0.5 * sin(pi * part))
        return cv2.GaussianBlur(mixed, (0, 0), 2.5 * stage.unit) if 0.15 < part < 0.85 else mixed

    return switch


def steps_of_dusk(stage: Stage, seconds: float, end: float = 0.4) -> Paint:
    """It grows dark, evenly."""
    return lambda picture, t_s: picture * np.float32(1 - (1 - end) * min(1.0, t_s / seconds))


def blinking(stage: Stage, corners: Corners, period_s: float = 1.0, level: float = 90.0) -> Paint:
    """A sign, or an indicator, goes on and off."""
    mask = stage.place.area(corners, 2)
    glow = level * mask + 0.15 * level * cv2.GaussianBlur(mask, (0, 0), 12 * stage.unit)
    return lambda picture, t_s: picture + glow if t_s % period_s < period_s / 2 else picture
