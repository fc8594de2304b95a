"""Zones: which of the objects in sight count, by where they are and where they came from. Pure; no numpy, no OpenCV."""
from agent.core.zones.zone import Direction, Rule, Zone
from agent.core.zones.zones import Counted, Zones

__all__ = ["Counted", "Direction", "Rule", "Zone", "Zones"]
