"""A camera's description of its streams, read leniently, and the streams in it that can be recorded unchanged. Pure.

Form: RFC 8866 (SDP), RFC 3551 (payload types without rtpmap), RFC 6184 §8 and RFC 7798 §7 (parameter sets).
"""
import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from agent.core.media import audio
from agent.core.media.model import AudioInfo
from agent.core.protocols.rtsp.address import resolve

LINES_MAX = 2_000
# enough even for a recorder with 16 channels, which describes one of them
MEDIAS_MAX_N, FORMATS_MAX_N, PARAMETERS_MAX_N = 32, 32, 32
NAME = re.compile(r"[\w.+-]{1,32}", re.ASCII)                   # of a codec, which people see
LINE_END = re.compile(r"\r\n|\n|\r")      # only these, because a title in UTF-8 may contain other line ends
PAYLOAD_MAX = 127           # RFC 3550 §5.1: seven bits
STATIC = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 14: ("MPA", 90000), 26: ("JPEG", 90000), 32: ("MPV", 90000)}
SETS_MAX_N = 16             # of one kind; real ones have one or two
SETS = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")


@dataclass(frozen=True, slots=True)
class SdpFormat:
    """An encoding of a stream. `codec` is in the registry's spelling, in upper case; "" if unknown."""

    payload: int
    codec: str = ""
    clock_hz: int = 0
    channels: int = 1
    parameters: tuple[tuple[str, str], ...] = ()        # of fmtp, names in lower case

    def parameter(self, name: str) -> str:
        return dict(self.parameters).get(name, "")

    @property
    def name(self) -> str:
        """The codec; without rtpmap the only one that has such parameters; "" if unknown."""
        if self.codec:
            return self.codec
        return "H265" if self.parameter("sprop-vps") else "H264" if self.parameter("sprop-parameter-sets") else ""

    def parameter_sets(self) -> list[bytes]:
        """Returns the NAL units in the parameters. Skips invalid base64, because the stream repeats them."""
        texts = [text for name in SETS for text in self.parameter(name).split(",", SETS_MAX_N)[:SETS_MAX_N] if text]
        return [unit for text in texts if (unit := _decoded(text))]


@dataclass(frozen=True, slots=True)
class SdpMedia:
    kind: str                   # "video", "audio", "application", ...
    control: str = ""
    sends: bool = True          # False for the camera's loudspeaker
    fps: float | None = None
    formats: tuple[SdpFormat, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    control: str = ""
    medias: tuple[SdpMedia, ...] = ()


def read(text: bytes) -> Description:
    """Parses a description. Never raises; ignores unreadable parts."""
    described, media = Description(), None
    medias: list[SdpMedia] = []
    for line in LINE_END.split(text.decode("latin-1"), LINES_MAX)[:LINES_MAX]:
        kind, equals, value = line.strip().partition("=")
        if not equals:
            continue
        if kind == "m":
            if len(medias) == MEDIAS_MAX_N:
                break
            media = _media(value)
            medias.append(media)
        elif kind == "a" and media is None:
            described = replace(described, control=_control(value) or described.control)
        elif kind == "a" and media is not None:
            media = medias[-1] = _with(media, value)
    return replace(described, medias=tuple(medias))


def _media(value: str) -> SdpMedia:
    """m=video 0 RTP/AVP 96 97"""
    words = value.split()
    numbers = (_number(word) for word in words[3:3 + FORMATS_MAX_N])
    payloads = dict.fromkeys(number for number in numbers if number is not None and number <= PAYLOAD_MAX)
    return SdpMedia(words[0].lower() if words else "",
                 formats=tuple(SdpFormat(payload, *STATIC.get(payload, ())) for payload in payloads))


def _control(value: str) -> str:
    name, _, control = value.partition(":")
    return control.strip() if name.strip().lower() == "control" else ""


def _with(media: SdpMedia, attribute: str) -> SdpMedia:
    name, _, value = attribute.partition(":")
    match name.strip().lower():
        case "control":
            return replace(media, control=value.strip())
        case "sendonly":
            # This word is from our view although the description is the camera's: only a loudspeaker's stream has it.
            return replace(media, sends=False)
        case "framerate":
            return replace(media, fps=_rate(value))
        case "rtpmap":
            return _with_format(media, value, _mapped)
        case "fmtp":
            return _with_format(media, value, _with_parameters)
    return media


def _with_format(media: SdpMedia, value: str, change: Callable[[SdpFormat, str], SdpFormat]) -> SdpMedia:
    """Applies a line about one format, "96 ...". Cameras with only one format may give a wrong number."""
    word, _, rest = value.strip().partition(" ")
    payload = _number(word)
    known = [one.payload for one in media.formats]
    if payload not in known and len(known) != 1:
        return media
    payload = payload if payload in known else known[0]
    return replace(media, formats=tuple(change(one, rest.strip()) if one.payload == payload else one
                                        for one in media.formats))


def _mapped(one: SdpFormat, value: str) -> SdpFormat:
    """H264/90000 or MPEG4-GENERIC/16000/2"""
    codec, hz, channels, *_ = (*value.split("/", 3), "", "")
    name = codec.strip().upper()
    return replace(one, codec=name if NAME.fullmatch(name) else "", clock_hz=_number(hz) or 0,
                   channels=_number(channels) or 1)


def _with_parameters(one: SdpFormat, value: str) -> SdpFormat:
    """packetization-mode=1; sprop-parameter-sets=Z0IA...,aM4..."""
    pairs = (part.strip().partition("=") for part in value.split(";", PARAMETERS_MAX_N))
    found = tuple((name.strip().lower(), text.strip()) for name, equals, text in pairs if equals)
    return replace(one, parameters=(one.parameters + found)[:PARAMETERS_MAX_N])


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if 0 < rate <= 240 else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


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
