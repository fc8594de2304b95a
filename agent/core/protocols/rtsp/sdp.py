"""What a camera says it streams: the parts of SDP that matter, read leniently. Pure.

Form: RFC 8866 (SDP), RFC 3551 (payload types that need no rtpmap), RFC 6184 §8 and RFC 7798 §7 (parameter sets).
"""
import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

LINES_MAX = 2_000
MEDIAS_MAX_N, FORMATS_MAX_N, PARAMETERS_MAX_N = 32, 32, 32      # a recorder with 16 channels describes one of them
NAME = re.compile(r"[\w.+-]{1,32}", re.ASCII)                   # of a codec: it is shown to people
LINE_END = re.compile(r"\r\n|\n|\r")      # no more than these: a title in UTF-8 may hold what else ends lines
PAYLOAD_MAX = 127           # RFC 3550 §5.1: seven bits
STATIC = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 14: ("MPA", 90000), 26: ("JPEG", 90000), 32: ("MPV", 90000)}
SETS_MAX_N = 16             # of one kind; real ones have one or two
SETS = ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")


@dataclass(frozen=True, slots=True)
class SdpFormat:
    """One way a stream may be encoded: `codec` as the registry spells it, in upper case; "" if it is not told."""

    payload: int
    codec: str = ""
    clock_hz: int = 0
    channels: int = 1
    parameters: tuple[tuple[str, str], ...] = ()        # of fmtp, names in lower case

    def parameter(self, name: str) -> str:
        """A value of fmtp, "" if it is not there."""
        return dict(self.parameters).get(name, "")

    @property
    def name(self) -> str:
        """The codec; when no rtpmap names it, what only one codec's parameters can mean. "" if nothing tells it."""
        if self.codec:
            return self.codec
        return "H265" if self.parameter("sprop-vps") else "H264" if self.parameter("sprop-parameter-sets") else ""

    def parameter_sets(self) -> list[bytes]:
        """The NAL units among the parameters; what is no base64 is left out, for the stream brings them again."""
        texts = [text for name in SETS for text in self.parameter(name).split(",", SETS_MAX_N)[:SETS_MAX_N] if text]
        return [unit for text in texts if (unit := _decoded(text))]


@dataclass(frozen=True, slots=True)
class SdpMedia:
    """One stream of a description."""

    kind: str                   # "video", "audio", "application", ...
    control: str = ""
    sends: bool = True          # False for a way back to the camera's loudspeaker
    fps: float | None = None
    formats: tuple[SdpFormat, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """A whole description."""

    control: str = ""
    medias: tuple[SdpMedia, ...] = ()


def read(text: bytes) -> Description:
    """Take a description apart. It raises nothing: what can't be read is as good as not said."""
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
    """The stream with one more attribute: what a= is followed by."""
    name, _, value = attribute.partition(":")
    match name.strip().lower():
        case "control":
            return replace(media, control=value.strip())
        case "sendonly":
            # The description is the camera's, but this word is seen from us: only a loudspeaker's stream has it.
            return replace(media, sends=False)
        case "framerate":
            return replace(media, fps=_rate(value))
        case "rtpmap":
            return _with_format(media, value, _mapped)
        case "fmtp":
            return _with_format(media, value, _with_parameters)
    return media


def _with_format(media: SdpMedia, value: str, change: Callable[[SdpFormat, str], SdpFormat]) -> SdpMedia:
    """The stream after a line about one of its formats, "96 ..."; cameras with one format get its number wrong."""
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
    """A frame rate that can be one."""
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
