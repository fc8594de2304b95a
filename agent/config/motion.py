"""Builds motion detection from a camera's settings. A file of its own, because only capture needs numpy."""
from agent.config.derived import silenced
from agent.config.settings import Camera
from agent.config.zones import points, zones_of
from agent.core.vision.event import EventMachine
from agent.core.vision.replay import Variant

NOW = "now"


def as_set(camera: Camera) -> Variant:
    """Returns the detector, zones and rate that the recorder uses for this camera."""
    motion = camera.motion
    return Variant(NOW, motion.sensitivity, motion.smallest_pct, motion.fps, tuple(map(points, silenced(camera))),
                   zones=tuple(zones_of(camera)))


def machine(camera: Camera) -> EventMachine:
    """Returns the machine that ends, extends and separates this camera's events; it has seen nothing yet."""
    return EventMachine(max(camera.post_roll_s, camera.merge_gap_s), camera.max_clip_s, camera.cool_down_s)
