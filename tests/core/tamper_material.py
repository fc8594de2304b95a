"""What the tests of the tamper watch share: happenings around a camera that are no tampering, and what is told."""
from collections.abc import Iterable

import cv2
import numpy as np

from agent.core.vision.luma import Luma
from agent.core.vision.tamper import Kind, Phase, Tampering, TamperWatch
from tests.scenes import HEIGHT, START_MONO_S, WIDTH, Happening

Told = list[tuple[float, Tampering]]


def watch(scene: Iterable[Luma], guard: TamperWatch | None = None) -> Told:
    """Everything that is told, with the seconds since the scene began."""
    guard = guard or TamperWatch()
    return [(luma.mono_s - START_MONO_S, change) for luma in scene for change in guard.step(luma)]


def starts(told: Told) -> list[Kind]:
    """The kinds that have started, in order."""
    return [change.kind for _, change in told if change.phase is Phase.START]


def infrared(at_s: float) -> Happening:
    """The camera changes to infrared: leaves turn bright, the lamp lights the middle, the rest fades."""
    down, right = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    spot = 0.35 + 0.5 * np.exp(-((right - WIDTH / 2) / 130) ** 2 - ((down - HEIGHT / 2) / 80) ** 2)

    def switch(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s < at_s:
            return picture
        picture = picture.copy()
        picture[:, :95] = 230 - picture[:, :95]
        return picture * spot

    return switch


def lamp_beside(at_s: float) -> Happening:
    """A lamp at the right goes on: that side is lit strongly, and the windows throw shadows."""

    def light(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s < at_s:
            return picture
        lit = picture * np.linspace(0.9, 2.2, WIDTH, dtype=np.float32)
        lit[100:140, 180:260] *= 0.5
        return lit

    return light


def lorry(at_s: float, share: float = 0.55) -> Happening:
    """A white lorry parks before the camera: a plain side with a rim, a stripe and wheels."""
    left, right = round(WIDTH * (1 - share / 0.8) / 2), round(WIDTH * (1 + share / 0.8) / 2)

    def park(picture: np.ndarray, t_s: float, rng: np.random.Generator) -> np.ndarray:
        if t_s < at_s:
            return picture
        picture = picture.copy()
        shift = max(0, round(60 * (at_s + 4 - t_s)))
        cv2.rectangle(picture, (left + shift, 22), (right + shift, 165), 200.0, -1)
        cv2.rectangle(picture, (left + shift, 22), (right + shift, 165), 150.0, 2)
        cv2.rectangle(picture, (left + shift, 80), (right + shift, 92), 70.0, -1)
        for wheel in (left + 40, right - 40):
            cv2.circle(picture, (wheel + shift, 160), 16, 30.0, -1)
        return picture

    return park


def from_then(at_s: float, happening: Happening) -> Happening:
    """The happening, but only from `at_s` on."""
    return lambda picture, t_s, rng: happening(picture, t_s, rng) if t_s >= at_s else picture
