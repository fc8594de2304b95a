"""Zones: which of the visible objects count, by their place and their way. Pure; no numpy, no OpenCV."""
from agent.core.vision.zones.followed import Counted, Direction, Zone, ZoneRule, Zones

__all__ = ["Counted", "Direction", "ZoneRule", "Zone", "Zones"]
