"""The kinds of tampering, and their rules about a fit: one each, the most certain first. Pure numbers."""
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from agent.core.vision.tamper.fit import Fit
from agent.core.vision.tamper.settings import TamperSettings


class Kind(Enum):
    COVERED = "covered"        # a bag, a hand, a lid: nothing of the view is left
    SPRAYED = "sprayed"        # paint on the glass: parts of the view are gone, without an edge
    MOVED = "moved"            # the camera points elsewhere
    DEFOCUSED = "defocused"    # everything is in its place, without its detail
    BLINDED = "blinded"        # light into the lens
    FROZEN = "frozen"          # pictures come, but always the same one


class Phase(Enum):
    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Tampering:
    kind: Kind
    phase: Phase
    since_mono_s: float     # start of the reported state: of the tampering at its start, of the usual view at its end
    strength: float         # affected share of the view, 0..1; 0 at the end
    detail: str             # one plain sentence for people


Rule = Callable[[Fit, TamperSettings, float], bool]


def _flooded(f: Fit, s: TamperSettings, ease: float) -> bool:
    return f.white > ease * s.blinded and f.white_rise > ease * s.blinded_rise


def _blinded(f: Fit, s: TamperSettings, ease: float) -> bool:
    glare = f.white_rise > ease * s.glare_rise and f.crisp < s.glare_crisp_max
    return _flooded(f, s, ease) or (glare and f.kept < s.glare_kept_max / ease)


def _other(f: Fit, s: TamperSettings) -> bool:
    return f.crisp > s.other_crisp and f.sharp > s.other_sharp


def _covered(f: Fit, s: TamperSettings, ease: float) -> bool:
    """Little is left, and nothing sharp replaces it; in the dark not even a trace."""
    if f.dark and (f.lamplight or (f.trace > s.trace and f.trace_deviations > s.trace_deviations)):
        return False
    gone = f.lost > ease * s.covered and f.kept < s.covered_kept_max / ease
    return gone and (f.dark or not _other(f, s))


def _moved(f: Fit, s: TamperSettings, ease: float) -> bool:
    """Another view, as sharp as the usual one. An object before the camera leaves more of the view."""
    if f.dark or not _other(f, s):
        return False
    if f.lost > ease * s.moved and f.kept < s.moved_kept_max / ease:
        return True
    little = f.kept < s.turned_kept_max / ease or f.detail_left < s.turned_detail
    return little and f.lost > ease * s.turned and f.crisp > s.turned_crisp


def _defocused(f: Fit, s: TamperSettings, ease: float) -> bool:
    """Structure is left without its detail, in the same light. A shaken camera keeps the detail in single pictures."""
    gone = f.detail_left < s.detail_left / ease and f.detail_loss > ease * s.detail_loss
    return gone and f.detail_known > s.detail_known and f.light < s.same_light / ease and f.crisp < s.sprayed_crisp_max


def _sprayed(f: Fit, s: TamperSettings, ease: float) -> bool:
    soft = f.crisp < s.sprayed_crisp_max / ease and f.sharp < s.sprayed_sharp_max / ease
    open_edged = f.outlined < s.sprayed_outlined_max / ease
    return soft and open_edged and f.lost > ease * s.sprayed and f.patch > ease * s.sprayed_patch


RULES: tuple[tuple[Kind, Rule], ...] = (
    (Kind.BLINDED, _blinded),
    (Kind.COVERED, _covered),
    (Kind.MOVED, _moved),
    (Kind.DEFOCUSED, _defocused),
    (Kind.SPRAYED, _sprayed),
)


def verdict(fit: Fit, s: TamperSettings, ease: float = 1.0) -> Kind | None:
    """Returns the kind of tampering, or None. `ease` is a factor for the limits."""
    if not fit.known:
        return Kind.BLINDED if fit.white > ease * s.blinded else None
    if fit.structured < s.judge_min:
        return Kind.BLINDED if _flooded(fit, s, ease) else None
    return next((kind for kind, holds in RULES if holds(fit, s, ease)), None)


def strength(kind: Kind, fit: Fit) -> float:
    affected = {Kind.DEFOCUSED: 1 - fit.detail_left, Kind.BLINDED: max(fit.white, 1 - fit.kept)}.get(kind, fit.lost)
    return min(1.0, max(0.0, affected))
