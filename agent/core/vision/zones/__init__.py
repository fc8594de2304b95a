"""Zones: which of the objects in sight count, by where they are and where they came from. Pure; no numpy, no OpenCV."""
from agent.core.vision.zones.followed import Counted, Zones
from agent.core.vision.zones.zone import Direction, Zone, ZoneRule

__all__ = ["Counted", "Direction", "ZoneRule", "Zone", "Zones"]
