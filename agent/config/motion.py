"""How one camera is looked at by its settings: the same for the recorder, and for `taimat tune`.

Apart from the other rooms of config: it needs the vision wing, and so numpy, which no role but capture loads.
"""
from agent.config.privacy import silenced
from agent.config.settings import Camera
from agent.config.zones import points, zones_of
from agent.core.vision.event import EventMachine
from agent.core.vision.replay import Variant

NOW = "now"


def as_set(camera: Camera) -> Variant:
    """The detector, the zones and the pace that the recorder has for this camera's pictures."""
    motion = camera.motion
    return Variant(NOW, motion.sensitivity, motion.smallest_pct, motion.fps, tuple(map(points, silenced(camera))),
                   tuple(zones_of(camera)))


def machine(camera: Camera) -> EventMachine:
    """How its events end, go on and keep apart; nothing has happened so far."""
    return EventMachine(max(camera.post_roll_s, camera.merge_gap_s), camera.max_clip_s, camera.cool_down_s)
