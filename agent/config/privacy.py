"""Tells who hides the masked areas: we before encoding, we by transcoding, or the camera, as the household declares."""
from agent.config.settings import Camera, Polygon


def transcodes(camera: Camera) -> bool:
    """Whether encoded video is decoded, painted and encoded again. False without masks."""
    return bool(camera.masks) and camera.privacy_mask == "transcode"


def declared(camera: Camera) -> bool:
    """Whether the household declares that the camera hides these areas itself; then we paint nothing."""
    return bool(camera.masks) and camera.privacy_mask == "camera"


def silenced(camera: Camera) -> list[Polygon]:
    """Returns the areas where motion does not count: ignored ones, and those that the camera hides itself."""
    ignored = [zone.area for zone in camera.zone if zone.rule == "ignore"]
    return [*camera.motion.ignore, *ignored, *(camera.masks if declared(camera) else [])]
