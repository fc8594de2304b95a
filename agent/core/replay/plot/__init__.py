"""A replay as a picture: one description of shapes, and the same as SVG. Pure."""
from agent.core.replay.plot.axis import Clock
from agent.core.replay.plot.plot import plot
from agent.core.replay.plot.svg import svg
from agent.core.replay.plot.words import ENGLISH, Words

__all__ = ["ENGLISH", "Clock", "Words", "plot", "svg"]
