"""Chooses the driver of a camera by the scheme of its `source`."""
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cameras import Source
from agent.config.settings import Camera as CameraSettings
from agent.config.source import NETWORK, parse_source
from agent.host.clock import Clock

if TYPE_CHECKING:
    from agent.cameras.rtsp.pins import CertificatePins


def open_source(camera: CameraSettings, url: str, clock: Clock, audio: bool = False,
                pins: "CertificatePins | None" = None) -> Source:
    """Returns a new source for one attempt, with sound if `audio`; `pins` hold network cameras' certificates."""
    spec = parse_source(url)
    if spec.scheme in NETWORK:
        from agent.cameras.rtsp import open_rtsp
        return open_rtsp(camera, spec.target, clock, audio, pins)
    if spec.scheme == "file":
        from agent.cameras.file import FileSource
        return FileSource(Path(spec.target), clock, camera.loop, audio)
    if spec.scheme == "v4l2":
        from agent.cameras.v4l2 import V4l2Source
        return V4l2Source(camera, spec.target, clock)
    from agent.cameras.picamera import PicameraSource
    return PicameraSource(camera, int(spec.target), clock)
