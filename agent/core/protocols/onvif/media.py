"""The media services, old (ver10) and new (ver20): profiles, stream addresses, encoder settings and their limits.

Only the new one knows H.265. Sources: ONVIF Media Service and Media2 Service Specification.
"""
import copy
import html
from dataclasses import dataclass

from agent.core.protocols.onvif.soap import MEDIA1, MEDIA2, SCHEMA, SoapRequest
from agent.core.protocols.onvif.tree import Node, number, written

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
    return Encoder(token, CODECS.get(encoding, encoding.lower()), width, height, fps, _gop_n(node), node)


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
    """The old service, which nearly every camera has."""

    get_profiles = SoapRequest(MEDIA1, "GetProfiles")

    def profiles(self, answer: Node) -> list[Profile]:
        return _profiles(answer, ("VideoSourceConfiguration",), ("VideoEncoderConfiguration",))

    def get_address(self, profile: str) -> SoapRequest:
        return SoapRequest(MEDIA1, "GetStreamUri",
                       f'<StreamSetup><Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
                       f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
                       f"<ProfileToken>{html.escape(profile)}</ProfileToken>")

    def address(self, answer: Node) -> str:
        return answer.raw("MediaUri", "Uri")

    def get_encoder(self, token: str) -> SoapRequest:
        return SoapRequest(MEDIA1, "GetVideoEncoderConfiguration", _configuration_token(token))

    def encoder(self, answer: Node) -> Encoder | None:
        node = answer.find("Configuration")
        return encoder(node) if node else None

    def get_limits(self, token: str) -> SoapRequest:
        return SoapRequest(MEDIA1, "GetVideoEncoderConfigurationOptions", _configuration_token(token))

    def limits(self, answer: Node, codec: str) -> EncoderLimits:
        name = codec.upper()
        node = answer.find("Options", name) or answer.find("Options", "Extension", name) or Node("", "", {})
        least, most = (node.number("FrameRateRange", end) for end in ("Min", "Max"))
        rates = () if least is None or most is None else range(max(1, round(least)), min(RATE_MAX, round(most)) + 1)
        return EncoderLimits(tuple(map(float, rates)),
                      _range(node.number("GovLengthRange", "Min"), node.number("GovLengthRange", "Max")))

    def set_encoder(self, node: Node) -> SoapRequest:
        """Asks for other settings, which survive a power cut."""
        return SoapRequest(MEDIA1, "SetVideoEncoderConfiguration",
                       f"{_as_configuration(node, MEDIA1)}<ForcePersistence>true</ForcePersistence>")


class Media2:
    """The new service."""

    get_profiles = SoapRequest(MEDIA2, "GetProfiles", "<Type>VideoEncoder</Type>")

    def profiles(self, answer: Node) -> list[Profile]:
        return _profiles(answer, ("Configurations", "VideoSource"), ("Configurations", "VideoEncoder"))

    def get_address(self, profile: str) -> SoapRequest:
        return SoapRequest(MEDIA2, "GetStreamUri",
                       f"<Protocol>RTSP</Protocol><ProfileToken>{html.escape(profile)}</ProfileToken>")

    def address(self, answer: Node) -> str:
        return answer.raw("Uri")

    def get_encoder(self, token: str) -> SoapRequest:
        return SoapRequest(MEDIA2, "GetVideoEncoderConfigurations", _configuration_token(token))

    def encoder(self, answer: Node) -> Encoder | None:
        node = answer.find("Configurations")
        return encoder(node) if node else None

    def get_limits(self, token: str) -> SoapRequest:
        return SoapRequest(MEDIA2, "GetVideoEncoderConfigurationOptions", _configuration_token(token))

    def limits(self, answer: Node, codec: str) -> EncoderLimits:
        node = next((each for each in answer.all("Options")
                     if CODECS.get(each.word("Encoding").upper()) == codec), Node("", "", {}))
        rates = map(number, node.attributes.get("FrameRatesSupported", "").split()[:RATE_MAX])
        least, _, most = node.attributes.get("GovLengthRange", "").partition(" ")
        return EncoderLimits(tuple(sorted(rate for rate in rates if rate)), _range(number(least), number(most)))

    def set_encoder(self, node: Node) -> SoapRequest:
        """Asks for other settings, which the new service always stores."""
        return SoapRequest(MEDIA2, "SetVideoEncoderConfiguration", _as_configuration(node, MEDIA2))


Media = Media1 | Media2


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


def _as_configuration(node: Node, space: str) -> str:
    """The set operation needs the element under this name."""
    return written(Node(space, "Configuration", node.attributes, node.text, node.children))
