"""A network camera that speaks ONVIF: WS-Discovery over UDP and SOAP over HTTP, on a loopback address of its own.

Written from the specifications with other tools than the client, so that the two can't agree on a mistake.
"""
import base64
import hashlib
import random
import re
import socket
import struct
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.rigs.cameras.onvif_xml import NS, Encoder, envelope, fault, ok, settings1, settings2

OPEN_TO_ALL = ("GetSystemDateAndTime", "GetServices", "GetCapabilities")       # ONVIF Core: access class PRE_AUTH
CLOCK_MAY_DIFFER_S = 30
END_S = 0.02        # how often it looks whether it is over
GROUP, PORT = "239.255.255.250", 3702
REALM, NONCE = "onvif camera", "5f2c0a77"


@dataclass
class Camera:
    """What kind of camera it is; tests change what they are about."""

    login: str = "admin:right"              # "": everybody is let in
    proof: str = "token"                    # or "digest": HTTP's
    clock_ahead: timedelta = timedelta(0)
    settable: str = "yes"                   # "no": refuses; "lies": says yes and changes nothing
    rates: tuple[int, int] = (1, 25)
    media2: bool = False
    services: bool = True                   # knows GetServices
    says: str = ""                          # the address that it believes to have
    rtsp_port: int = 554
    media_port: int = 0                     # where it says that the media services are; 0: where they are
    garbage: bytes = b""                    # all it ever answers
    encoders: list[Encoder] = field(default_factory=lambda: [
        Encoder("main", "H264", 1920, 1080, 15, 30, "/main"), Encoder("sub", "H264", 640, 360, 15, 30, "/sub")])


def own_address() -> str:
    """A loopback address that nobody else uses: ports 554 and 3702 can't be chosen."""
    return f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(2, 254)}"


class OnvifCamera:
    """The running camera. A context manager. `calls` are the operations it was asked for, `refused_n` wrong proofs."""

    def __init__(self, camera: Camera, address: str = "") -> None:
        self.camera, self.address = camera, address or own_address()
        self.calls: list[str] = []
        self.refused_n = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, answer = owner.answer(body, self.headers.get("Authorization", ""), self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._http = ThreadingHTTPServer((self.address, 0), Handler)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((self.address, PORT))
        self._udp.settimeout(0.2)
        self._over = threading.Event()

    @property
    def port(self) -> int:
        """Of its services."""
        return self._http.server_address[1]

    def __enter__(self) -> "OnvifCamera":
        threading.Thread(target=self._http.serve_forever, args=[END_S], daemon=True).start()
        threading.Thread(target=self._hear, args=[self._udp], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()
        self._udp.close()

    # --- WS-Discovery

    def join(self, interface: str) -> None:
        """Hear also what is sent to everybody on the interface with this address. Raises OSError."""
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind((GROUP, PORT))
        ear.settimeout(0.2)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                       struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(interface)))
        threading.Thread(target=self._hear, args=[ear], daemon=True).start()

    def _hear(self, ear: socket.socket) -> None:
        while not self._over.is_set():
            try:
                data, sender = ear.recvfrom(65_507)
                self._udp.sendto(self.camera.garbage or self.match(data), sender)
            except (OSError, ET.ParseError):
                continue

    def match(self, probe: bytes) -> bytes:
        """The answer to a probe."""
        asked = ET.fromstring(probe).findtext("s:Header/a:MessageID", "", NS)
        url = f"http://{self.camera.says or self.address}:{self.port}/onvif/device_service"
        scopes = " ".join(f"onvif://www.onvif.org/{scope}" for scope in (
            "type/video_encoder", "name/C%E1%BB%95ng%20tr%C6%B0%E1%BB%9Bc", "hardware/TM-200"))
        return envelope(
            f"<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1419d68a</a:Address>"
            f"</a:EndpointReference><d:Types xmlns:dn='http://www.onvif.org/ver10/network/wsdl'>"
            f"dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes>"
            f"<d:XAddrs>http://[fe80::1]/onvif/device_service {url}</d:XAddrs>"
            f"<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>",
            f"<a:RelatesTo>{asked}</a:RelatesTo>")

    # --- SOAP

    def answer(self, body: bytes, authorization: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a request."""
        if self.camera.garbage:
            return 200, {}, self.camera.garbage
        message = ET.fromstring(body)
        request = message.find("s:Body", NS)[0]
        space, operation = request.tag[1:].split("}")
        self.calls.append(operation)
        if self.camera.login and operation not in OPEN_TO_ALL and not self._proved(message, authorization, path):
            if self.camera.proof == "digest":
                return 401, {"WWW-Authenticate": f'Digest realm="{REALM}", qop="auth", nonce="{NONCE}"'}, b""
            return 400, {}, fault("ter:NotAuthorized", "Sender not authorized")
        service = {NS["tds"]: "Device", NS["trt"]: "Media1", NS["tr2"]: "Media2"}[space]
        told = getattr(self, f"_{service}_{operation}", None)
        if told is None or (service == "Media2" and not self.camera.media2):
            return 500, {}, fault("ter:ActionNotSupported", "unknown action")
        status, text = told(request)
        return status, {"Content-Type": "application/soap+xml"}, text

    def _proved(self, message: ET.Element, authorization: str, path: str) -> bool:
        user, _, password = self.camera.login.partition(":")
        if self.camera.proof == "digest":
            said = dict(re.findall(r'(\w+)="?([^",]+)"?', authorization))
            ha1, ha2 = _md5(f"{user}:{REALM}:{password}"), _md5(f"POST:{path}")
            right = _md5(f"{ha1}:{NONCE}:{said.get('nc')}:{said.get('cnonce')}:auth:{ha2}")
            proved, tried = said.get("response") == right, bool(authorization)
        else:
            token = message.find("s:Header/w:Security/w:UsernameToken", NS)
            proved, tried = token is not None and self._token_right(token, user, password), token is not None
        self.refused_n += tried and not proved
        return proved

    def _token_right(self, token: ET.Element, user: str, password: str) -> bool:
        nonce = base64.b64decode(token.findtext("w:Nonce", "", NS))
        created = token.findtext("u:Created", "", NS)
        right = base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()
        far_s = abs((datetime.fromisoformat(created) - self._now()).total_seconds())
        return (token.findtext("w:Username", "", NS) == user and token.findtext("w:Password", "", NS) == right
                and far_s < CLOCK_MAY_DIFFER_S)

    def _now(self) -> datetime:
        return datetime.now(UTC) + self.camera.clock_ahead

    def _Device_GetSystemDateAndTime(self, _: ET.Element) -> tuple[int, bytes]:
        now = self._now()
        return ok("tds:GetSystemDateAndTime", f"<tds:SystemDateAndTime><tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}"
                  f"</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time><tt:Date>"
                  f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
                  f"</tt:UTCDateTime></tds:SystemDateAndTime>")

    def _Device_GetServices(self, _: ET.Element) -> tuple[int, bytes]:
        if not self.camera.services:
            return 500, fault("ter:ActionNotSupported", "unknown action")
        there = ["tds", "trt"] + ["tr2"] * self.camera.media2
        return ok("tds:GetServices", "".join(
            f"<tds:Service><tds:Namespace>{NS[each]}</tds:Namespace><tds:XAddr>{self._url(each)}</tds:XAddr></tds:Service>"
            for each in there))

    def _Device_GetCapabilities(self, _: ET.Element) -> tuple[int, bytes]:
        media = f"<tt:Media><tt:XAddr>{self._url('trt')}</tt:XAddr></tt:Media>"
        return ok("tds:GetCapabilities", f"<tds:Capabilities>{media}</tds:Capabilities>")

    def _Device_GetDeviceInformation(self, _: ET.Element) -> tuple[int, bytes]:
        return ok("tds:GetDeviceInformation", "<tds:Manufacturer>Hikvision</tds:Manufacturer>"
                  "<tds:Model>TM-200</tds:Model><tds:FirmwareVersion>1</tds:FirmwareVersion>")

    def _url(self, service: str) -> str:
        port = self.camera.media_port if service != "tds" and self.camera.media_port else self.port
        return f"http://{self.camera.says or self.address}:{port}/onvif/{service}"

    def _Media1_GetProfiles(self, _: ET.Element) -> tuple[int, bytes]:
        # The old service knows no H.265: cameras leave such streams out, or call them H.264.
        return ok("trt:GetProfiles", "".join(
            f'<trt:Profiles token="P{each.token}" fixed="true"><tt:Name>{each.token}</tt:Name>'
            f'<tt:VideoSourceConfiguration token="V"><tt:SourceToken>{each.channel}</tt:SourceToken>'
            f"</tt:VideoSourceConfiguration>{settings1(each, 'tt:VideoEncoderConfiguration')}</trt:Profiles>"
            for each in self.camera.encoders if each.encoding != "H265"))

    def _Media2_GetProfiles(self, _: ET.Element) -> tuple[int, bytes]:
        return ok("tr2:GetProfiles", "".join(
            f'<tr2:Profiles token="P{each.token}"><tr2:Name>{each.token}</tr2:Name><tr2:Configurations>'
            f"<tr2:VideoSource><tt:SourceToken>{each.channel}</tt:SourceToken></tr2:VideoSource>"
            f"{settings2(each, 'tr2:VideoEncoder')}</tr2:Configurations></tr2:Profiles>"
            for each in self.camera.encoders))

    def _Media1_GetStreamUri(self, request: ET.Element) -> tuple[int, bytes]:
        assert request.findtext("trt:StreamSetup/tt:Transport/tt:Protocol", "", NS) == "RTSP"
        return ok("trt:GetStreamUri", f"<trt:MediaUri><tt:Uri>{self._stream(request, 'trt')}</tt:Uri></trt:MediaUri>")

    def _Media2_GetStreamUri(self, request: ET.Element) -> tuple[int, bytes]:
        return ok("tr2:GetStreamUri", f"<tr2:Uri>{self._stream(request, 'tr2')}</tr2:Uri>")

    def _stream(self, request: ET.Element, prefix: str) -> str:
        wanted = request.findtext(f"{prefix}:ProfileToken", "", NS)
        path = next(each.path for each in self.camera.encoders if f"P{each.token}" == wanted)
        return f"rtsp://{self.camera.says or self.address}:{self.camera.rtsp_port}{path}"

    def _Media1_GetVideoEncoderConfiguration(self, request: ET.Element) -> tuple[int, bytes]:
        return ok("trt:GetVideoEncoderConfiguration", settings1(self._asked(request, "trt"), "trt:Configuration"))

    def _Media2_GetVideoEncoderConfigurations(self, request: ET.Element) -> tuple[int, bytes]:
        return ok("tr2:GetVideoEncoderConfigurations", settings2(self._asked(request, "tr2"), "tr2:Configurations"))

    def _asked(self, request: ET.Element, prefix: str) -> Encoder:
        return self._encoder(request.findtext(f"{prefix}:ConfigurationToken", "", NS))

    def _encoder(self, token: str) -> Encoder:
        return next(each for each in self.camera.encoders if each.token == token)

    def _Media1_GetVideoEncoderConfigurationOptions(self, _: ET.Element) -> tuple[int, bytes]:
        least, most = self.camera.rates
        return ok("trt:GetVideoEncoderConfigurationOptions",
                  f"<trt:Options><tt:QualityRange><tt:Min>0</tt:Min><tt:Max>5</tt:Max></tt:QualityRange><tt:H264>"
                  f"<tt:GovLengthRange><tt:Min>1</tt:Min><tt:Max>250</tt:Max></tt:GovLengthRange><tt:FrameRateRange>"
                  f"<tt:Min>{least}</tt:Min><tt:Max>{most}</tt:Max></tt:FrameRateRange></tt:H264></trt:Options>")

    def _Media2_GetVideoEncoderConfigurationOptions(self, _: ET.Element) -> tuple[int, bytes]:
        rates = " ".join(f"{rate:.1f}" for rate in range(self.camera.rates[1], self.camera.rates[0] - 1, -1))
        return ok("tr2:GetVideoEncoderConfigurationOptions", "".join(
            f'<tr2:Options GovLengthRange="1 250" FrameRatesSupported="{rates}"><tt:Encoding>{codec}</tt:Encoding>'
            f"</tr2:Options>" for codec in ("H264", "H265")))

    def _Media1_SetVideoEncoderConfiguration(self, request: ET.Element) -> tuple[int, bytes]:
        assert request.findtext("trt:ForcePersistence", "", NS) == "true"
        return self._set("trt", request.find("trt:Configuration", NS), "tt:H264/tt:GovLength")

    def _Media2_SetVideoEncoderConfiguration(self, request: ET.Element) -> tuple[int, bytes]:
        return self._set("tr2", request.find("tr2:Configuration", NS), "")

    def _set(self, prefix: str, wanted: ET.Element, gop_path: str) -> tuple[int, bytes]:
        """Change an encoder: all that a camera checks must be there as it was told."""
        if self.camera.settable == "no":
            return 400, fault("ter:ConfigModify", "can't be changed")
        encoder = self._encoder(wanted.get("token", ""))
        assert (encoder.encoding, encoder.width) == (wanted.findtext("tt:Encoding", "", NS),
                                                     int(wanted.findtext("tt:Resolution/tt:Width", "", NS)))
        fps = float(wanted.findtext("tt:RateControl/tt:FrameRateLimit", "", NS))
        if not self.camera.rates[0] <= fps <= self.camera.rates[1]:
            return 400, fault("ter:InvalidArgVal", "frame rate")
        if self.camera.settable == "yes":
            encoder.fps = int(fps)
            encoder.gop = int(wanted.findtext(gop_path, "", NS) if gop_path else wanted.get("GovLength", ""))
        return ok(f"{prefix}:SetVideoEncoderConfiguration", "")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
