"""Network cameras: `open_rtsp` gives a Source, read by our own reader, by libav, or by whichever of them can."""
from agent.cameras.rtsp.choice import open_rtsp

__all__ = ["open_rtsp"]
