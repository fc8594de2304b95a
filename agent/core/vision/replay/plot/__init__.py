"""A replay as a picture: one description of shapes, and the same as SVG. Pure."""
from agent.core.vision.replay.plot.axis import PlotClock
from agent.core.vision.replay.plot.plot import plot
from agent.core.vision.replay.plot.svg import svg

__all__ = ["PlotClock", "plot", "svg"]
