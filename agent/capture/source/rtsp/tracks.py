"""How the packets of a camera's tracks are put together, each by its kind."""
from agent.core.rtp.audio import G711, Aac
from agent.core.rtp.h264 import H264
from agent.core.rtp.h265 import H265
from agent.core.rtp.track import Track as Received
from agent.core.rtsp.offer import Track, Unfit

VIDEO_HZ = 90_000       # RFC 6184 §5.1 and RFC 7798 §4.1 allow no other
VIDEO = {"h264": H264, "h265": H265}
LENGTHS = {"sizelength": 13, "indexlength": 3, "indexdeltalength": 3}      # bits, RFC 3640 §3.3.6


def received(track: Track) -> Received:
    """The receiver's side of a track. Raises Unfit for a description that makes no sense."""
    form = track.format
    if track.sound is None:
        return VIDEO[track.codec](form.payload, form.clock_hz or VIDEO_HZ, form.parameter_sets())
    if track.codec != "aac":
        return G711(form.payload, form.clock_hz)
    try:
        lengths = (int(form.parameter(name) or usual) for name, usual in LENGTHS.items())
        return Aac(form.payload, form.clock_hz or track.sound.rate_hz, track.sound.config, *lengths)
    except ValueError as error:
        raise Unfit(f"its sound makes no sense: {error}") from None
