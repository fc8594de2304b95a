"""The watch over one camera: luma pictures in, changes out. It knows only seconds.

It looks every four seconds while all is as usual in a view that it knows well, and else about once a second.

What it knows is how the view usually is, learned while nothing is wrong. So it cannot tell a lens that was covered
before the start, a wall without structure, or a dark room from one with a lid on the camera; it stays silent then.
"""
from math import isfinite

from agent.core.vision.luma import Luma
from agent.core.vision.tamper import words
from agent.core.vision.tamper.fit import Fit
from agent.core.vision.tamper.kinds import Kind, Phase, Tampering
from agent.core.vision.tamper.lately import Lately
from agent.core.vision.tamper.settings import TamperSettings
from agent.core.vision.tamper.sight import Eye, TamperSight
from agent.core.vision.tamper.still import HangingPicture
from agent.core.vision.tamper.verdict import strength, verdict
from agent.core.vision.tamper.view import View
from agent.core.vision.tamper.views import Newcomer, TamperViews

_ABSENT_LOOKS_N = 2


def _needed(kind: Kind, s: TamperSettings) -> tuple[float, int]:
    """Seconds and looks that a kind must last until it is told; those of a hanging picture are over already."""
    if kind is Kind.FROZEN:
        return 0.0, 1
    return {Kind.COVERED: s.covered_s, Kind.SPRAYED: s.sprayed_s, Kind.MOVED: s.moved_s,
            Kind.DEFOCUSED: s.defocused_s, Kind.BLINDED: s.blinded_s}[kind], s.looks_min_n


class KindHold:
    """One kind: whether it holds, and for how long the contrary has been seen."""

    def __init__(self, kind: Kind, settings: TamperSettings) -> None:
        """It does not hold at first."""
        self._start = _needed(kind, settings)
        self._end = (settings.normal_s, _ABSENT_LOOKS_N)
        self.holds = False
        self.since_mono_s = 0.0     # when what holds now, or its absence, was first seen
        self._contrary_mono_s = 0.0
        self.forget()

    def forget(self) -> None:
        """Forget what was seen of the contrary, because there was a gap."""
        self._lasted_s, self._looks_n = 0.0, 0

    def step(self, seen: bool, mono_s: float, dt_s: float) -> Phase | None:
        """Take one look, `dt_s` after the one before; tells what has changed with it.

        A start takes looks without the kind off those with it; an end needs an absence without a break.
        """
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
        """Turn it round at once: it holds, or holds no longer, since then."""
        self.holds, self.since_mono_s = not self.holds, since_mono_s
        self.forget()
        return Phase.START if self.holds else Phase.END


_OF_THE_VIEW = tuple(kind for kind in Kind if kind is not Kind.FROZEN)
_NOTHING: tuple[Tampering, ...] = ()


class TamperWatch:
    """Give it every picture of one camera, in order."""

    def __init__(self, settings: TamperSettings | None = None) -> None:
        """Start knowing nothing: for the first 20 s only a blinded or a hanging camera is told."""
        self._s = settings or TamperSettings()
        self._holds = {kind: KindHold(kind, self._s) for kind in Kind}
        self._shape: tuple[int, ...] = ()
        self._mono_s = float("-inf")

    @property
    def now(self) -> frozenset[Kind]:
        """The kinds that hold."""
        return frozenset(kind for kind, hold in self._holds.items() if hold.holds)

    def step(self, luma: Luma) -> tuple[Tampering, ...]:
        """Look at one picture of any size, at any time; returns what has changed, usually nothing. It never raises.

        A picture of another size begins anew. After a gap or when the clock goes back, what was seen just before it
        does not count; what is known of the view does.
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
        """How long after the latest look this picture would not be looked at."""
        s = self._s
        same, other = (s.calm_look_s, s.calm_key_look_s) if self._calm else (s.look_s, s.key_look_s)
        return same if luma.key_mono_s == self._compared.key_mono_s else other

    def _begin(self, luma: Luma) -> tuple[Tampering, ...]:
        over = [self._end(kind, luma.mono_s, words.RESIZED) for kind in Kind if self._holds[kind].holds]
        self._shape, self._mono_s = luma.shape, luma.mono_s
        self._eye = Eye(luma.shape, self._s)
        sight = self._eye.sight(luma)
        self._views = TamperViews(View(sight, self._s), self._s)
        self._newcomer: Newcomer | None = None
        self._resume(sight)
        return tuple(over)

    def _resume(self, sight: TamperSight) -> None:
        """Nothing has been seen lately but this."""
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
            changes.append(self._end(Kind.MOVED, sight.mono_s, words.adopted(self._s.adopt_s)))
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
        """Out of a decoder, only the first sights on each keyframe are compared.

        An encoder repeats a quiet scene to the last bit until its next keyframe, and refines a hanging one until then.
        """
        if sight.key_mono_s is not None and sight.key_mono_s == self._compared.key_mono_s:
            return []
        dt_s, self._compared = sight.mono_s - self._compared.mono_s, sight
        hold, since_mono_s = self._holds[Kind.FROZEN], self._still.since(sight.grain, sight.mono_s)
        phase = hold.step(since_mono_s is not None, sight.mono_s, dt_s)
        if phase is Phase.START:
            hold.since_mono_s = since_mono_s
            return [Tampering(Kind.FROZEN, phase, since_mono_s, 1.0, words.FROZEN)]
        return [Tampering(Kind.FROZEN, phase, hold.since_mono_s, 0.0, words.ALIVE)] if phase else []

    def _view(self, seen: Kind | None, fit: Fit, sight: TamperSight, dt_s: float) -> list[Tampering]:
        changes = []
        for kind in _OF_THE_VIEW:
            hold = self._holds[kind]
            phase = hold.step(seen is kind, sight.mono_s, dt_s)
            if phase is Phase.START:
                changes.append(Tampering(kind, phase, hold.since_mono_s, strength(kind, fit), words.start(kind, fit)))
            elif phase:
                changes.append(Tampering(kind, phase, hold.since_mono_s, 0.0, words.BACK))
        return changes

    def _end(self, kind: Kind, mono_s: float, detail: str) -> Tampering:
        return Tampering(kind, self._holds[kind].switch(mono_s), mono_s, 0.0, detail)
