"""Replay: footage through the detector and the event machine again, by several settings at once. Pure."""
from agent.core.vision.replay.outcome import NO_ZONE, Difference, Outcome, differences
from agent.core.vision.replay.replay import Replay
from agent.core.vision.replay.story import Event
from agent.core.vision.replay.trace import Point, Stretch
from agent.core.vision.replay.variant import Variant

__all__ = ["NO_ZONE", "Difference", "Event", "Outcome", "Point", "Replay", "Stretch", "Variant", "differences"]
