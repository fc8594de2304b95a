"""A camera's settings as variants of looking: what is set now, and what is worth comparing with it."""
from typing import get_args

from agent.config.privacy import silenced
from agent.config.settings import Camera
from agent.core.model import Point
from agent.core.motion import Sensitivity
from agent.core.replay import Replay, Variant

NOW = "now"
SMALLEST_MAX_PCT = 50.0


def as_set(camera: Camera) -> Variant:
    """What the recorder does with this camera's pictures."""
    areas = tuple(tuple(Point(*corner) for corner in area) for area in silenced(camera))
    motion = camera.motion
    return Variant(NOW, motion.sensitivity, motion.smallest_pct, motion.fps, areas)


def usual(now: Variant) -> list[Variant]:
    """The other sensitivities, half and twice the smallest object, and nothing ignored if something is."""
    words = [Variant(f"sensitivity {word}", word, now.smallest_pct, now.fps, now.ignore)
             for word in get_args(Sensitivity) if word != now.sensitivity]
    sizes = [Variant(f"smallest {pct:g} %", now.sensitivity, pct, now.fps, now.ignore)
             for pct in (now.smallest_pct / 2, min(SMALLEST_MAX_PCT, now.smallest_pct * 2)) if pct != now.smallest_pct]
    return [*words, *sizes, *([Variant("nothing ignored", now.sensitivity, now.smallest_pct, now.fps)]
                              if now.ignore else [])]


def replay(camera: Camera, variants: list[Variant]) -> Replay:
    """A replay whose events end and go on as this camera's do."""
    return Replay(variants, max(camera.post_roll_s, camera.merge_gap_s), camera.max_clip_s)
