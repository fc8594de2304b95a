"""Asking a camera for a slower sub-stream: motion looks at 5 pictures a second, and decoding the rest is the largest
part of what a network camera costs."""
from agent.cli.discover.onvif import CameraRefused, NotOnvif, OnvifDevice
from agent.core.protocols.onvif.choose import slower
from agent.core.protocols.onvif.media import Encoder, EncoderLimits, Media, with_rate
from agent.core.protocols.onvif.soap import Fault

BY_HAND = "set its second stream to 5 pictures a second in its own menu"


def tune(device: OnvifDevice, media: Media, url: str, before: Encoder) -> tuple[float, str]:
    """Set the encoder, and read back what became of it: pictures a second now, and what to tell. Raises OSError."""
    limits = _limits(device, media, url, before)
    wanted_fps = slower(before.fps, limits.rates)
    if wanted_fps is None:
        return before.fps, f"small stream left at {before.fps:g} pictures a second"
    try:
        device.ask(media.set_encoder(with_rate(before, wanted_fps, limits)), url)
        after = media.encoder(device.ask(media.get_encoder(before.token), url))
    except (Fault, NotOnvif, CameraRefused) as error:
        return before.fps, f"does not let its small stream be changed ({error}): {BY_HAND}"
    if after is None or after.fps != wanted_fps:
        now_fps = after.fps if after else before.fps
        return now_fps, f"took {wanted_fps:g} pictures a second, but still says {now_fps:g}: {BY_HAND}"
    return after.fps, f"small stream changed from {before.fps:g} to {after.fps:g} pictures a second"


def _limits(device: OnvifDevice, media: Media, url: str, encoder: Encoder) -> EncoderLimits:
    """What the camera says it can; nothing known where it does not tell."""
    try:
        return media.limits(device.ask(media.get_limits(encoder.token), url), encoder.codec)
    except (Fault, NotOnvif, CameraRefused):
        return EncoderLimits((), None)
