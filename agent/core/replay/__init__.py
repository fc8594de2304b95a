"""Replay: footage through the detector and the event machine again, by several settings at once. Pure."""
from agent.core.replay.outcome import Difference, Outcome, differences
from agent.core.replay.replay import Replay
from agent.core.replay.silence import NO_ZONE
from agent.core.replay.story import Event
from agent.core.replay.trace import Point, Stretch
from agent.core.replay.variant import Variant

__all__ = ["NO_ZONE", "Difference", "Event", "Outcome", "Point", "Replay", "Stretch", "Variant", "differences"]
