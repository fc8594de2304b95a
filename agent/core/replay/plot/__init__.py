"""A replay as a picture: one description of shapes, for whoever renders it (SVG here, pixels elsewhere). Pure."""
from agent.core.replay.plot.axis import Clock
from agent.core.replay.plot.drawing import Drawing
from agent.core.replay.plot.plot import plot
from agent.core.replay.plot.svg import svg
from agent.core.replay.plot.words import ENGLISH, Words

__all__ = ["ENGLISH", "Clock", "Drawing", "Words", "plot", "svg"]
