"""A ward that enrols: its two doors over real TLS, a book in memory, and whatever goes wrong at a ward."""
import http.server
import ssl
import threading
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.contract.enrolment import (
    ENROL_PATH,
    READY_PATH,
    Bundle,
    EnrolAsk,
    Grant,
    Ready,
    Refused,
    RenewAsk,
    device_id,
)
from agent.ward.enrolment.papers import bundle_text
from tests.rigs.pki import Authority

CLAIM, ROOTS_NAME = "0123456789ABCDEFGHJKMNPQRS", "ward-root"
COMMANDS = Ed25519PrivateKey.generate().public_key().public_bytes(
    Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Server(http.server.ThreadingHTTPServer):
    """Clients that do not believe it hang up."""

    def handle_error(self, *_: object) -> None:
        """Nobody reads it."""


class WardDoor:
    """Its doors. A context manager."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", broker_port: int = 8883,
                 ports: tuple[int, int] = (0, 0), begins_days: int = -60, host: str = "") -> None:
        """`address` is where it listens, `host` how recorders reach that, if by another address; `ports`: of enrolment,
        of enrolled recorders."""
        self.authority, self._address, self._host = Authority(folder, ROOTS_NAME), address, host or address
        self._ports = ports
        self._cert, self._key = self.authority.issue("door", address=self._host, begins_days=begins_days)
        self.broker_port, self.days = broker_port, 730
        self.refuses = self.calls = ""              # with this code, if any; the recorder by this name
        self.used: dict[str, bytes] = {}            # the key that came with a claim
        self.asks: list[EnrolAsk | RenewAsk] = []
        self.ready: list[Ready] = []

    def bundle(self, **other: object) -> str:
        """A card's bundle for a recorder of this ward."""
        made = {"ward": "w07", "ward_name": "Phường Bến Nghé", "host": self._host, "broker_port": self.broker_port,
                "enrol_port": self._enrol.server_port, "door_port": self._door.server_port, "claim": CLAIM,
                "roots": self.authority.ca.read_text(), "until_ms": 1 << 42, "serial": "S-0412", **other}
        return bundle_text(Bundle(**made))

    def answer(self, path: str, body: bytes, common_name: str) -> msgspec.Struct | None:
        """What the ward says."""
        if self.refuses:
            return Refused(code=self.refuses)
        if path == READY_PATH:
            self.ready.append(msgspec.json.decode(body, type=Ready))
            return None
        ask = msgspec.json.decode(body, type=EnrolAsk if path == ENROL_PATH else RenewAsk)
        self.asks.append(ask)
        key = x509.load_pem_x509_csr(ask.csr.encode()).public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if isinstance(ask, EnrolAsk) and self.used.setdefault(ask.claim, key) != key:
            return Refused(code="claim_used")
        dev = device_id(key) if isinstance(ask, EnrolAsk) else common_name
        dev = self.calls or dev
        return Grant(dev=dev, chain=self.authority.certify(ask.csr, dev, self.days),
                     roots=self.authority.ca.read_text(), command_key=COMMANDS)

    def __enter__(self) -> "WardDoor":
        self._enrol, self._door = self._serve(0), self._serve(1)
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._enrol, self._door):
            server.shutdown()
            server.server_close()

    def _serve(self, door: int) -> http.server.ThreadingHTTPServer:
        ward = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                shown = dict(pair for (pair,) in (self.connection.getpeercert() or {}).get("subject", ()))
                said = ward.answer(self.path, body, shown.get("commonName", ""))
                told = msgspec.json.encode(said) if said else b""
                self.send_response(403 if isinstance(said, Refused) else 200)
                self.send_header("content-length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._cert, self._key)
        if door:
            tls.verify_mode = ssl.CERT_REQUIRED
            tls.load_verify_locations(self.authority.ca)
        server = Server((self._address, self._ports[door]), Handler)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
