"""Watches one camera: luma pictures in, changes out. It knows only seconds.

It looks every four seconds while all is as usual in a well-known view, otherwise about once a second.

It compares with the usual view, learned while nothing is wrong. So it reports nothing about a lens that was covered
before the start, a wall without structure, or a dark room, which looks like a lid on the camera.
"""
from math import isfinite

import cv2
import numpy as np

from agent.core.vision.luma import Luma
from agent.core.vision.tamper.fit import Fit
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import Eye, TamperSight
from agent.core.vision.tamper.verdict import Kind, Phase, Tampering, strength, verdict
from agent.core.vision.tamper.view import Lately, View
from agent.core.vision.tamper.views import Newcomer, TamperViews

_ABSENT_LOOKS_N = 2
BACK = "The usual view is back."
ALIVE = "The picture changes again."
RESIZED = "The pictures have another size: the view is being learned anew."
FROZEN = "Pictures come, but it is always the same one: the camera hangs."
_STARTS = {
    Kind.COVERED: "{lost:.0f} % of the usual view is gone, and nothing sharp is in its place.",
    Kind.SPRAYED: "{lost:.0f} % of the usual view is gone without an outline, the rest is as sharp as ever.",
    Kind.MOVED: "Another view: {lost:.0f} % of the usual one is not where it was.",
    Kind.DEFOCUSED: "Everything is in its place, but {blurred:.0f} % of the detail is gone.",
    Kind.BLINDED: "Light into the lens: {white:.0f} % of the picture is white.",
}
_DARK = "Dark without a trace of the usual view: the lens is covered, or all light is out."
_LITTLE_LEVELS = 2      # an encoder changes a still pixel by no more


class HangingPicture:
    """Compares each look with the first one of the standstill, so that a slow drift ends it."""

    def __init__(self, settings: TamperSettings) -> None:
        self._s = settings
        self._anchor: np.ndarray | None = None
        self._witness = np.zeros(0, np.uint8)
        self._begun_mono_s = 0.0
        self._looks_n = 0
        self._identical = True

    def since(self, grain: np.ndarray, mono_s: float) -> float | None:
        """Returns since when the picture hangs (s); None if it does not, or not long enough."""
        if self._anchor is None or not self._same(grain):
            self._begin(grain, mono_s)
            return None
        self._looks_n += 1
        needed_s = self._s.frozen_s if self._identical else self._s.still_s
        lasted = self._looks_n >= self._s.looks_min_n and mono_s - self._begun_mono_s >= needed_s
        return self._begun_mono_s if lasted else None

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


def adopted(after_s: float) -> str:
    """Returns the sentence for a moved camera that was left as it is."""
    return f"The new view has been stable for {after_s / 60:g} minutes: from now on it is the usual one."


def sentence(kind: Kind, fit: Fit) -> str:
    if kind is Kind.COVERED and fit.dark:
        return _DARK
    blurred = min(1.0, max(0.0, 1 - fit.detail_left))
    return _STARTS[kind].format(lost=100 * fit.lost, white=100 * fit.white, blurred=100 * blurred)


def _needed(kind: Kind, s: TamperSettings) -> tuple[float, int]:
    """Seconds and looks that a kind must last before a report. Those of a hanging picture are over already."""
    if kind is Kind.FROZEN:
        return 0.0, 1
    return {Kind.COVERED: s.covered_s, Kind.SPRAYED: s.sprayed_s, Kind.MOVED: s.moved_s,
            Kind.DEFOCUSED: s.defocused_s, Kind.BLINDED: s.blinded_s}[kind], s.looks_min_n


class KindHold:
    """One kind: whether it is active, and for how long the contrary was seen."""

    def __init__(self, kind: Kind, settings: TamperSettings) -> None:
        self._start = _needed(kind, settings)
        self._end = (settings.normal_s, _ABSENT_LOOKS_N)
        self.holds = False
        self.since_mono_s = 0.0     # when the present state was first seen
        self._contrary_mono_s = 0.0
        self.forget()

    def forget(self) -> None:
        """Drops what was seen of the contrary, because of a gap."""
        self._lasted_s, self._looks_n = 0.0, 0

    def step(self, seen: bool, mono_s: float, dt_s: float) -> Phase | None:
        """Takes one look, `dt_s` after the one before. Returns the change, or None. For a start, looks without the
        kind subtract from those with it. An end needs an unbroken absence."""
        if seen is self.holds:
            self._lasted_s = 0.0 if self.holds else max(0.0, self._lasted_s - dt_s)
            self._looks_n = 0 if not self._lasted_s else self._looks_n - 1
            return None
        if self._looks_n <= 0:
            self._contrary_mono_s, self._lasted_s, self._looks_n = mono_s, 0.0, 0
        else:
            self._lasted_s += dt_s
        self._looks_n += 1
        needed_s, needed_n = self._end if self.holds else self._start
        if self._lasted_s < needed_s or self._looks_n < needed_n:
            return None
        return self.switch(self._contrary_mono_s)

    def switch(self, since_mono_s: float) -> Phase:
        self.holds, self.since_mono_s = not self.holds, since_mono_s
        self.forget()
        return Phase.START if self.holds else Phase.END


_OF_THE_VIEW = tuple(kind for kind in Kind if kind is not Kind.FROZEN)
_NOTHING: tuple[Tampering, ...] = ()


class TamperWatch:
    """Detects tampering with one camera. Pass every picture, in order."""

    def __init__(self, settings: TamperSettings | None = None) -> None:
        """It starts without knowledge: in the first 20 s it reports only a blinded or a hanging camera."""
        self._s = settings or TamperSettings()
        self._holds = {kind: KindHold(kind, self._s) for kind in Kind}
        self._shape: tuple[int, ...] = ()
        self._mono_s = float("-inf")

    @property
    def now(self) -> frozenset[Kind]:
        return frozenset(kind for kind, hold in self._holds.items() if hold.holds)

    def step(self, luma: Luma) -> tuple[Tampering, ...]:
        """Looks at one picture of any size, at any time. Returns changes, usually none. Never raises.

        A picture of another size starts again. After a gap, or if the clock goes back, recent sights are dropped, but
        the views are kept.
        """
        if luma.plane.size == 0 or not isfinite(luma.mono_s):
            return _NOTHING
        dt_s = luma.mono_s - self._mono_s
        if luma.shape != self._shape:
            return self._begin(luma)
        if 0 <= dt_s < self._pause_s(luma):
            return _NOTHING
        sight = self._eye.sight(luma)
        self._mono_s = luma.mono_s
        if not 0 < dt_s <= self._s.gap_max_s:
            self._resume(sight)
            return _NOTHING
        self._lately.see(sight)
        return self._look(sight, dt_s)

    def _pause_s(self, luma: Luma) -> float:
        s = self._s
        same, other = (s.calm_look_s, s.calm_key_look_s) if self._calm else (s.look_s, s.key_look_s)
        return same if luma.key_mono_s == self._compared.key_mono_s else other

    def _begin(self, luma: Luma) -> tuple[Tampering, ...]:
        over = [self._end(kind, luma.mono_s, RESIZED) for kind in Kind if self._holds[kind].holds]
        self._shape, self._mono_s = luma.shape, luma.mono_s
        self._eye = Eye(luma.shape, self._s)
        sight = self._eye.sight(luma)
        self._views = TamperViews(View(sight, self._s), self._s)
        self._newcomer: Newcomer | None = None
        self._resume(sight)
        return tuple(over)

    def _resume(self, sight: TamperSight) -> None:
        self._lately, self._still, self._compared = Lately(sight, self._s), HangingPicture(self._s), sight
        self._calm = False
        for hold in self._holds.values():
            hold.forget()

    def _look(self, sight: TamperSight, dt_s: float) -> tuple[Tampering, ...]:
        changes = self._hanging(sight)
        fit = self._views.fit(self._lately)
        seen = verdict(fit, self._s, self._s.ease if self.now else 1.0)
        changes += self._view(seen, fit, sight, dt_s)
        if self._newcomer and self._newcomer.see(sight, self._lately, dt_s):
            self._views = TamperViews(self._newcomer.view, self._s)
            changes.append(self._end(Kind.MOVED, sight.mono_s, adopted(self._s.adopt_s)))
        if not self._holds[Kind.MOVED].holds:
            self._newcomer = None
        elif self._newcomer is None:
            self._newcomer = Newcomer(sight, self._s)
        if seen or self.now:
            self._views.doubt()
        else:
            self._views.learn(sight, dt_s, fit)
        self._calm = self._views.settled(fit) and not self.now
        return tuple(changes)

    def _hanging(self, sight: TamperSight) -> list[Tampering]:
        """With a decoder, only the first sights after each keyframe are compared: an encoder repeats a quiet scene
        exactly until its next keyframe, and refines a hanging one until then."""
        if sight.key_mono_s is not None and sight.key_mono_s == self._compared.key_mono_s:
            return []
        dt_s, self._compared = sight.mono_s - self._compared.mono_s, sight
        hold, since_mono_s = self._holds[Kind.FROZEN], self._still.since(sight.grain, sight.mono_s)
        phase = hold.step(since_mono_s is not None, sight.mono_s, dt_s)
        if phase is Phase.START:
            hold.since_mono_s = since_mono_s
            return [Tampering(Kind.FROZEN, phase, since_mono_s, 1.0, FROZEN)]
        return [Tampering(Kind.FROZEN, phase, hold.since_mono_s, 0.0, ALIVE)] if phase else []

    def _view(self, seen: Kind | None, fit: Fit, sight: TamperSight, dt_s: float) -> list[Tampering]:
        changes = []
        for kind in _OF_THE_VIEW:
            hold = self._holds[kind]
            phase = hold.step(seen is kind, sight.mono_s, dt_s)
            if phase is Phase.START:
                changes.append(Tampering(kind, phase, hold.since_mono_s, strength(kind, fit), sentence(kind, fit)))
            elif phase:
                changes.append(Tampering(kind, phase, hold.since_mono_s, 0.0, BACK))
        return changes

    def _end(self, kind: Kind, mono_s: float, detail: str) -> Tampering:
        return Tampering(kind, self._holds[kind].switch(mono_s), mono_s, 0.0, detail)
