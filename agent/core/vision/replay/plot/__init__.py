"""A replay as a picture: one description of shapes, and the same as SVG. Pure."""
from agent.core.vision.replay.plot.axis import Clock
from agent.core.vision.replay.plot.plot import plot
from agent.core.vision.replay.plot.svg import svg
from agent.core.vision.replay.plot.words import ENGLISH, Words

__all__ = ["ENGLISH", "Clock", "Words", "plot", "svg"]
