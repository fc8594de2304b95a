"""The device service and the media services: messages, answers, and the choice of a camera's streams.

Only the new media service (ver20) knows H.265. Sources: ONVIF Core Specification, 8; ONVIF Media Service and Media2
Service Specification.
"""
import copy
import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.core.protocols.onvif.soap import DEVICE, MEDIA1, MEDIA2, SCHEMA, Node, SoapRequest, number, written

GET_CLOCK = SoapRequest(DEVICE, "GetSystemDateAndTime")
GET_SERVICES = SoapRequest(DEVICE, "GetServices", "<IncludeCapability>false</IncludeCapability>")
GET_CAPABILITIES = SoapRequest(DEVICE, "GetCapabilities", "<Category>All</Category>")
GET_INFORMATION = SoapRequest(DEVICE, "GetDeviceInformation")


def clock(answer: Node) -> datetime | None:
    """Returns the device's own time (UTC); None if it is missing."""
    utc = answer.find("SystemDateAndTime", "UTCDateTime") or Node("", "", {})
    date = [utc.whole("Date", part) or 0 for part in ("Year", "Month", "Day")]        # no date has a 0
    time = [utc.whole("Time", part) or 0 for part in ("Hour", "Minute", "Second")]
    try:
        return datetime(date[0], date[1], date[2], time[0], time[1], time[2], tzinfo=UTC)
    except ValueError:
        return None


def services(answer: Node) -> dict[str, str]:
    """Returns addresses by the namespace of the service."""
    return {each.raw("Namespace"): each.raw("XAddr") for each in answer.all("Service")}


def capabilities(answer: Node) -> dict[str, str]:
    """Returns addresses from the older message, which has only the first media service."""
    media = answer.raw("Capabilities", "Media", "XAddr")
    return {MEDIA1: media} if media else {}


def maker_and_model(answer: Node) -> tuple[str, str]:
    return answer.word("Manufacturer"), answer.word("Model")


CODECS = {"H264": "h264", "H265": "h265", "HEVC": "h265", "JPEG": "mjpeg", "MPEG4": "mpeg4", "MPV4-ES": "mpeg4"}
RATE_MAX = 120


@dataclass(frozen=True, slots=True)
class Encoder:
    """A stream's encoding, and its settings as the camera sent them."""

    token: str
    codec: str              # h264 | h265 | mjpeg | mpeg4 | the camera's own name
    width: int
    height: int
    fps: float
    gop_n: int | None       # frames from one keyframe to the next
    node: Node              # the camera's element, to be sent back with changes


@dataclass(frozen=True, slots=True)
class Profile:
    """A stream of the camera."""

    token: str
    source: str             # the sensor or recorder channel
    encoder: Encoder


@dataclass(frozen=True, slots=True)
class EncoderLimits:
    """The values that an encoder accepts."""

    rates: tuple[float, ...]            # frames a second; empty: unknown
    gop_n: tuple[int, int] | None       # least and most


def encoder(node: Node) -> Encoder | None:
    """Reads the settings in an element of either service; None if they are not for pictures."""
    width, height = node.whole("Resolution", "Width"), node.whole("Resolution", "Height")
    token, encoding = node.attributes.get("token", ""), node.word("Encoding").upper()
    if not (token and encoding and width and height and 0 < width <= 16_384 and 0 < height <= 16_384):
        return None
    every = node.number("RateControl", "EncodingInterval") or 1
    fps = (node.number("RateControl", "FrameRateLimit") or 0) / max(1, every)
    return Encoder(token, CODECS.get(encoding, encoding.lower()), width, height, fps, gop_n=_gop_n(node),
                   node=node)


def _gop_n(node: Node) -> int | None:
    value = number(node.attributes.get("GovLength", "")) or node.number("H264", "GovLength")
    return int(value) if value and value > 0 else None


def with_rate(old: Encoder, fps: float, limits: EncoderLimits) -> Node:
    """Returns the camera's own element with another rate. Keyframes keep their distance in seconds."""
    node = copy.deepcopy(old.node)
    _set(node, f"{fps:g}", "RateControl", "FrameRateLimit")
    _set(node, "1", "RateControl", "EncodingInterval")
    if old.gop_n and old.fps:
        least, most = limits.gop_n or (1, old.gop_n)
        gop_n = str(min(max(round(old.gop_n * fps / old.fps), least), most))
        _set(node, gop_n, "H264", "GovLength")
        if "GovLength" in node.attributes:
            node.attributes["GovLength"] = gop_n
    return node


def _set(node: Node, text: str, *path: str) -> None:
    found = node.find(*path)
    if found:
        found.text = text


class Media1:
    """The old service, which nearly every camera has. Stored settings survive a power cut."""

    space, encoders, uri = MEDIA1, "GetVideoEncoderConfiguration", ("MediaUri", "Uri")
    found, source, settings = "Configuration", ("VideoSourceConfiguration",), ("VideoEncoderConfiguration",)
    stores = "<ForcePersistence>true</ForcePersistence>"
    get_profiles = SoapRequest(MEDIA1, "GetProfiles")
    stream = (f'<StreamSetup><Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
              f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>')

    def profiles(self, answer: Node) -> list[Profile]:
        return _profiles(answer, self.source, self.settings)

    def get_address(self, profile: str) -> SoapRequest:
        return SoapRequest(self.space, "GetStreamUri",
                           f"{self.stream}<ProfileToken>{html.escape(profile)}</ProfileToken>")

    def address(self, answer: Node) -> str:
        return answer.raw(*self.uri)

    def get_encoder(self, token: str) -> SoapRequest:
        return SoapRequest(self.space, self.encoders, _configuration_token(token))

    def encoder(self, answer: Node) -> Encoder | None:
        node = answer.find(self.found)
        return encoder(node) if node else None

    def get_limits(self, token: str) -> SoapRequest:
        return SoapRequest(self.space, "GetVideoEncoderConfigurationOptions", _configuration_token(token))

    def limits(self, answer: Node, codec: str) -> EncoderLimits:
        name = codec.upper()
        node = answer.find("Options", name) or answer.find("Options", "Extension", name) or Node("", "", {})
        least, most = (node.number("FrameRateRange", end) for end in ("Min", "Max"))
        rates = () if least is None or most is None else range(max(1, round(least)), min(RATE_MAX, round(most)) + 1)
        return EncoderLimits(tuple(map(float, rates)),
                             _range(node.number("GovLengthRange", "Min"), node.number("GovLengthRange", "Max")))

    def set_encoder(self, node: Node) -> SoapRequest:
        # the operation needs the element under this name
        configuration = written(Node(self.space, "Configuration", node.attributes, node.text, node.children))
        return SoapRequest(self.space, "SetVideoEncoderConfiguration", configuration + self.stores)


class Media2(Media1):
    """The new service. It always stores settings."""

    space, encoders, uri = MEDIA2, "GetVideoEncoderConfigurations", ("Uri",)
    found, source, settings = "Configurations", ("Configurations", "VideoSource"), ("Configurations", "VideoEncoder")
    stream, stores = "<Protocol>RTSP</Protocol>", ""
    get_profiles = SoapRequest(MEDIA2, "GetProfiles", "<Type>VideoEncoder</Type>")

    def limits(self, answer: Node, codec: str) -> EncoderLimits:
        node = next((each for each in answer.all("Options")
                     if CODECS.get(each.word("Encoding").upper()) == codec), Node("", "", {}))
        rates = map(number, node.attributes.get("FrameRatesSupported", "").split()[:RATE_MAX])
        least, _, most = node.attributes.get("GovLengthRange", "").partition(" ")
        return EncoderLimits(tuple(sorted(rate for rate in rates if rate)), _range(number(least), number(most)))


def _profiles(answer: Node, source_path: tuple[str, ...], encoder_path: tuple[str, ...]) -> list[Profile]:
    found = []
    for node in answer.all("Profiles"):
        settings = node.find(*encoder_path)
        made = encoder(settings) if settings else None
        if made and node.attributes.get("token"):
            found.append(Profile(node.attributes["token"], node.raw(*source_path, "SourceToken"), made))
    return found


def _range(least: float | None, most: float | None) -> tuple[int, int] | None:
    return None if least is None or most is None else (int(least), int(most))


def _configuration_token(token: str) -> str:
    return f"<ConfigurationToken>{html.escape(token)}</ConfigurationToken>"



SUB_FPS = 5.0               # motion uses this rate; more pictures are decoded for nothing
SUB_WIDTH_LEAST_PX = 320    # in less, a person at the gate is a few pixels
PLAYABLE = ("h264", "h265")


def choose(profiles: Sequence[Profile]) -> list[tuple[Profile, Profile | None]]:
    """Returns the main profile and the sub-stream's for each picture of the device (a lens, or a recorder's channel).

    The main profile is the largest. The sub is the smallest usable one, H.264 before H.265, which costs more to
    decode. They never share an encoder, because slowing one would slow the other.
    """
    pictures: dict[str, list[Profile]] = {}
    for profile in profiles:
        if profile.encoder.codec in PLAYABLE:
            pictures.setdefault(profile.source, []).append(profile)
    return [_main_and_sub(of_one) for of_one in pictures.values()]


def _main_and_sub(profiles: list[Profile]) -> tuple[Profile, Profile | None]:
    main = max(profiles, key=lambda each: (_size_px(each), each.encoder.fps))
    smaller = [profile for profile in profiles if profile.encoder.token != main.encoder.token
               and _size_px(profile) < _size_px(main) and profile.encoder.width >= SUB_WIDTH_LEAST_PX]
    return main, min(smaller, key=lambda each: (PLAYABLE.index(each.encoder.codec), _size_px(each)), default=None)


def _size_px(profile: Profile) -> int:
    return profile.encoder.width * profile.encoder.height


def slower(now_fps: float, rates: Sequence[float]) -> float | None:
    """Returns the rate to set instead of `now_fps` (0: unknown): the lowest of `rates` that is enough for motion. None
    if the stream is slow enough, or if the camera has no slower rate."""
    enough = [rate for rate in rates if rate >= SUB_FPS]
    wanted = SUB_FPS if not rates else min(enough) if enough else max(rates)
    return None if 0 < now_fps <= wanted else wanted
