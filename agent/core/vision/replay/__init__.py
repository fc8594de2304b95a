"""Replay: footage through the detector and the event machine again, by several settings at once. Pure."""
from agent.core.vision.replay.outcome import NO_ZONE, Difference, VariantOutcome, differences
from agent.core.vision.replay.replay import FootageReplay
from agent.core.vision.replay.story import ReplayEvent
from agent.core.vision.replay.trace import FootageStretch, TracePoint
from agent.core.vision.replay.variant import Variant

__all__ = ["NO_ZONE", "Difference", "FootageReplay", "FootageStretch", "ReplayEvent", "TracePoint", "Variant",
           "VariantOutcome", "differences"]
