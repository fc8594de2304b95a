"""Tells a hanging picture from a quiet one: a sensor that works has noise.

It stands alone because it needs no knowledge of the usual view.
"""
import cv2
import numpy as np

from agent.core.vision.tamper.settings import TamperSettings

_LITTLE_LEVELS = 2      # an encoder changes a still pixel by no more


class HangingPicture:
    """Compares each look with the one that began the stillness, so that a slow drift ends it."""

    def __init__(self, settings: TamperSettings) -> None:
        """Start without a picture."""
        self._s = settings
        self._anchor: np.ndarray | None = None
        self._witness = np.zeros(0, np.uint8)
        self._begun_mono_s = 0.0
        self._looks_n = 0
        self._identical = True

    def since(self, grain: np.ndarray, mono_s: float) -> float | None:
        """Since when the picture has been hanging (s), or None if it is not, or not for long enough to tell."""
        if self._anchor is None or not self._same(grain):
            self._begin(grain, mono_s)
            return None
        self._looks_n += 1
        needed_s = self._s.frozen_s if self._identical else self._s.still_s
        told = self._looks_n >= self._s.looks_min_n and mono_s - self._begun_mono_s >= needed_s
        return self._begun_mono_s if told else None

    def _begin(self, grain: np.ndarray, mono_s: float) -> None:
        s = self._s
        witness = cv2.inRange(grain, s.witness_low, s.witness_high)
        enough = cv2.countNonZero(witness) > s.witness_min * grain.size
        self._anchor, self._witness = (grain if enough else None), witness
        self._begun_mono_s, self._looks_n, self._identical = mono_s, 1, True

    def _same(self, grain: np.ndarray) -> bool:
        step = cv2.bitwise_and(cv2.absdiff(grain, self._anchor), self._witness)
        stirred_n = cv2.countNonZero(step)
        self._identical = self._identical and not stirred_n
        witnesses_n = cv2.countNonZero(self._witness)
        much_n = cv2.countNonZero(cv2.threshold(step, _LITTLE_LEVELS, 1, cv2.THRESH_BINARY)[1])
        return stirred_n <= self._s.stirred * witnesses_n and much_n <= self._s.overlay * witnesses_n
