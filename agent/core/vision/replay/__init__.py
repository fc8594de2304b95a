"""Replay: runs footage through the detector and the event machine again, with several settings at once. Pure."""
from agent.core.vision.replay.outcome import NO_ZONE, Difference, FootageStretch, VariantOutcome, differences
from agent.core.vision.replay.replay import FootageReplay
from agent.core.vision.replay.story import ReplayEvent
from agent.core.vision.replay.variant import Variant

__all__ = ["NO_ZONE", "Difference", "FootageReplay", "FootageStretch", "ReplayEvent", "Variant", "VariantOutcome",
           "differences"]
