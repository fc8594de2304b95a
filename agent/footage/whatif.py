"""Builds variants of a camera's settings, to compare the present ones with useful others."""
from dataclasses import replace
from typing import get_args

from agent.config.motion import machine
from agent.config.settings import Camera
from agent.core.vision.motion import Sensitivity
from agent.core.vision.replay import FootageReplay, Variant

SMALLEST_MAX_PCT = 50.0


def usual(now: Variant) -> list[Variant]:
    """Returns other sensitivities, half and twice the smallest object, and none ignored or without zones if set."""
    words = [replace(now, name=f"sensitivity {word}", sensitivity=word)
             for word in get_args(Sensitivity) if word != now.sensitivity]
    sizes = [replace(now, name=f"smallest {pct:g} %", smallest_pct=pct)
             for pct in (now.smallest_pct / 2, min(SMALLEST_MAX_PCT, now.smallest_pct * 2)) if pct != now.smallest_pct]
    everywhere = [replace(now, name="nothing ignored", ignore=())] if now.ignore else []
    freely = [replace(now, name="without zones", zones=())] if now.zones else []
    return [*words, *sizes, *everywhere, *freely]


def replay(camera: Camera, variants: list[Variant]) -> FootageReplay:
    """Returns a replay that ends, extends and separates events as this camera does."""
    return FootageReplay(variants, machine(camera))
