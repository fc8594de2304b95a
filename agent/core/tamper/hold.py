"""When a kind starts and when it is over: it must last, and so must its absence."""
from agent.core.tamper.settings import TamperSettings
from agent.core.tamper.tampering import Kind, Phase

_ABSENT_LOOKS_N = 2


def _needed(kind: Kind, s: TamperSettings) -> tuple[float, int]:
    """Seconds and looks that a kind must last until it is told; those of a hanging picture are over already."""
    if kind is Kind.FROZEN:
        return 0.0, 1
    return {Kind.COVERED: s.covered_s, Kind.SPRAYED: s.sprayed_s, Kind.MOVED: s.moved_s,
            Kind.DEFOCUSED: s.defocused_s, Kind.BLINDED: s.blinded_s}[kind], s.looks_min_n


class Hold:
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
        """What was seen of the contrary does not count: there was a gap."""
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
