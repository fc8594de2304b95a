"""Chooses the streams of a camera's description that can be recorded unchanged. Pure."""
from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.media import audio
from agent.core.media.model import AudioInfo
from agent.core.protocols.rtsp.address import resolve
from agent.core.protocols.rtsp.sdp import Description, SdpFormat, SdpMedia

VIDEO = {"H264": "h264", "H265": "h265", "HEVC": "h265"}
LAWS = {"PCMA": "pcma", "PCMU": "pcmu"}
AAC = "MPEG4-GENERIC"           # RFC 3640
CONFIG_MAX_LETTERS = 128        # of AAC, in hex; real ones have 4 to 14


class UnfitStream(Exception):
    """This reader does not support the stream; another one might."""


@dataclass(frozen=True, slots=True)
class OfferedTrack:
    """A stream that the camera will send on this connection."""

    codec: str              # "h264", "h265", "aac", "pcma" or "pcmu"
    format: SdpFormat
    uri: str
    sound: AudioInfo | None = None      # of sound: the format for its recording
    fps: float | None = None            # from the description
    channel: int = -1       # of its RTP packets
    control_channel: int = -1       # of its RTCP packets


def video_of(description: Description, base: str) -> OfferedTrack:
    """Returns the first video that can be recorded unchanged. Raises UnfitStream."""
    offered = list(_coming(description, "video"))
    for media in offered:
        for one in media.formats:
            if one.name in VIDEO:
                return OfferedTrack(VIDEO[one.name], _in_order(one), resolve(base, media.control), fps=media.fps)
    names = ", ".join(_named(media.formats[0]) for media in offered)
    raise UnfitStream(f"it offers {names or 'no video'}")


def sound_of(description: Description, base: str) -> tuple[OfferedTrack | None, str]:
    """Returns the first sound that can be recorded unchanged; else None and the codec of another, "" without any
    sound."""
    offered = list(_coming(description, "audio"))
    for media in offered:
        for one in media.formats:
            if info := _audio_info(one):
                return OfferedTrack(info.codec, one, resolve(base, media.control), info), ""
    return None, _named(offered[0].formats[0]).lower() if offered else ""


def _coming(description: Description, kind: str) -> Iterator[SdpMedia]:
    return (media for media in description.medias if media.kind == kind and media.sends and media.formats)


def _in_order(one: SdpFormat) -> SdpFormat:
    """Checks that units come in decoding order. Raises UnfitStream; no known camera sends others."""
    shuffled = one.parameter("packetization-mode") == "2"           # RFC 6184 §6.4
    shuffled |= one.parameter("sprop-max-don-diff") not in ("", "0")    # RFC 7798 §4.4
    if shuffled:
        raise UnfitStream("it sends NAL units out of order")
    return one


def _audio_info(one: SdpFormat) -> AudioInfo | None:
    if one.name in LAWS and one.clock_hz:
        return AudioInfo(LAWS[one.name], one.clock_hz, one.channels)
    config = one.parameter("config")
    if one.name != AAC or one.parameter("mode").lower() != "aac-hbr" or len(config) > CONFIG_MAX_LETTERS:
        return None
    try:
        return audio.aac(bytes.fromhex(config))
    except ValueError:
        return None


def _named(one: SdpFormat) -> str:
    return one.name or f"payload {one.payload}"
