"""What an ONVIF camera of the tests says, as XML."""
from dataclasses import dataclass

NS = {"s": "http://www.w3.org/2003/05/soap-envelope",
      "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
      "d": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
      "w": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
      "u": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
      "tt": "http://www.onvif.org/ver10/schema",
      "tds": "http://www.onvif.org/ver10/device/wsdl",
      "trt": "http://www.onvif.org/ver10/media/wsdl",
      "tr2": "http://www.onvif.org/ver20/media/wsdl"}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())


@dataclass
class Encoder:
    """One stream's settings in the camera."""

    token: str
    encoding: str
    width: int
    height: int
    fps: int
    gop: int
    path: str
    channel: str = "lens1"


def settings1(encoder: Encoder, name: str) -> str:
    """An encoder as the old media service tells it."""
    return (f'<{name} token="{encoder.token}"><tt:Name>{encoder.token} &amp; more</tt:Name><tt:UseCount>1</tt:UseCount>'
            f"<tt:Encoding>{encoder.encoding}</tt:Encoding>{_resolution(encoder)}<tt:Quality>4</tt:Quality>"
            f"<tt:RateControl><tt:FrameRateLimit>{encoder.fps}</tt:FrameRateLimit><tt:EncodingInterval>1"
            f"</tt:EncodingInterval><tt:BitrateLimit>512</tt:BitrateLimit></tt:RateControl><tt:H264><tt:GovLength>"
            f"{encoder.gop}</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264><tt:Multicast><tt:Address>"
            f"<tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address><tt:Port>0</tt:Port><tt:TTL>0"
            f"</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
            f"<tt:SessionTimeout>PT60S</tt:SessionTimeout></{name}>")


def settings2(encoder: Encoder, name: str) -> str:
    """An encoder as the new media service tells it."""
    return (f'<{name} token="{encoder.token}" GovLength="{encoder.gop}" Profile="Main">'
            f"<tt:Name>{encoder.token}</tt:Name><tt:UseCount>1</tt:UseCount>"
            f"<tt:Encoding>{encoder.encoding}</tt:Encoding>{_resolution(encoder)}"
            f'<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>{encoder.fps:.1f}</tt:FrameRateLimit>'
            f"<tt:BitrateLimit>512</tt:BitrateLimit></tt:RateControl><tt:Quality>4</tt:Quality></{name}>")


def _resolution(encoder: Encoder) -> str:
    return (f"<tt:Resolution><tt:Width>{encoder.width}</tt:Width><tt:Height>{encoder.height}</tt:Height>"
            f"</tt:Resolution>")


def envelope(body: str, header: str = "") -> bytes:
    """A whole SOAP message."""
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope {DECLARED}><s:Header>{header}</s:Header>'
            f"<s:Body>{body}</s:Body></s:Envelope>").encode()


def ok(name: str, inside: str) -> tuple[int, bytes]:
    """Status and message of an answer to the operation `name`."""
    return 200, envelope(f"<{name}Response>{inside}</{name}Response>")


def fault(subcode: str, reason: str) -> bytes:
    """A SOAP fault's message."""
    return envelope(f"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode>"
                    f"</s:Code><s:Reason><s:Text>{reason}</s:Text></s:Reason></s:Fault>")
