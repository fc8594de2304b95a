"""A strict intake of our own for tests: tus 1.0.0 over HTTPS with client certificates, and a receipt when all is there.

It takes nothing that the standard or our protocol would not allow, and does on demand what lines and servers do.
"""
import base64
import contextlib
import hashlib
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.evidence.ledger.row import canonical, fingerprint
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S

PIECE_MAX_B = 1 << 20


@dataclass
class Upload:
    """What has come for one request."""

    length_b: int
    told: dict[str, str]
    data: bytearray = field(default_factory=bytearray)


class Tus:
    """A context manager. `uploads` by request, `asked` all requests as (method, path, status), oldest first."""

    def __init__(self, authority: Authority, host: str = "127.0.0.1") -> None:
        self.authority, self.host = authority, host
        self.key = Ed25519PrivateKey.generate()
        self.uploads: dict[str, Upload] = {}
        self.receipts: list[str] = []               # of which requests one was given, in order
        self.asked: list[tuple[str, str, int]] = []
        self.cut_after_b: int | None = None         # of what comes in: then the connection breaks, once
        self.answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}   # by method: said instead, once each
        self.checks_n = 0                           # so often the receipt is not there yet
        self.forge: Callable[[dict[str, object]], dict[str, object]] = lambda told: told    # before it is signed
        self.gate = threading.Event()               # while it is clear, no piece is answered
        self.gate.set()
        self.taken_b = 0
        self.came: list[tuple[float, str, int]] = []    # at what boot-time second a request's data had which length

    def as_of(self, at_s: float) -> dict[str, Upload]:
        """What it had of each request then."""
        lengths_b = {request: length_b for came_s, request, length_b in self.came if came_s <= at_s}
        return {request: Upload(all_of.length_b, all_of.told, all_of.data[:lengths_b[request]])
                for request, all_of in self.uploads.items() if request in lengths_b}

    @property
    def receipt_key(self) -> str:
        """Hex."""
        return self.key.public_key().public_bytes_raw().hex()

    @property
    def url(self) -> str:
        """Where uploads are created."""
        return f"https://{self.host}:{self.port}/exports"

    def __enter__(self) -> "Tus":
        certificate, key = self.authority.issue("intake", address=self.host)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.authority.ca))
        context.load_cert_chain(certificate, key)
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._server = _Server((self.host, 0), _handler(self), context)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def receipt(self, request: str, dev: str) -> bytes:
        """Signed."""
        upload = self.uploads[request]
        told = self.forge({"v": 1, "request": request, "dev": dev, "sha256": hashlib.sha256(upload.data).hexdigest(),
                           "bytes": len(upload.data), "ts": 1_795_561_300_000,
                           **({"manifest": upload.told["manifest"]} if "manifest" in upload.told else {}),
                           "kid": fingerprint(bytes.fromhex(self.receipt_key))})
        return json.dumps(told | {"sig": base64.b64encode(self.key.sign(canonical(told))).decode()}).encode()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, handler, context: ssl.SSLContext) -> None:
        super().__init__(address, handler)
        self._context = context

    def finish_request(self, request: socket.socket, client_address) -> None:
        # A client that went away, or has no certificate, is nobody's fault here.
        with contextlib.suppress(OSError), self._context.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)


class _Refused(Exception):
    """Status and code."""


def _handler(rig: Tus) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_OPTIONS(self) -> None:
            self._say(204, {"Tus-Version": "1.0.0", "Tus-Extension": "creation,checksum,termination",
                            "Tus-Checksum-Algorithm": "sha256"})

        def do_POST(self) -> None:
            self._serve(self._create)

        def do_HEAD(self) -> None:
            self._serve(self._head)

        def do_PATCH(self) -> None:
            self._serve(self._patch)

        def do_GET(self) -> None:
            self._serve(self._receipt)

        def do_DELETE(self) -> None:
            self._serve(self._delete)

        def _serve(self, work: Callable[[], None]) -> None:
            scripted = rig.answers.get(self.command)
            try:
                if scripted:
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    self._say(*scripted.pop(0))
                elif self.headers.get("Tus-Resumable") != "1.0.0":
                    raise _Refused(412, "version")
                else:
                    work()
            except _Refused as refused:
                status, code = refused.args
                self.close_connection = True        # its body may not have been read
                self._say(status, {"Content-Type": "application/problem+json"},
                          json.dumps({"code": code, "why": code}).encode())

        def _create(self) -> None:
            told = {}
            for pair in self.headers["Upload-Metadata"].split(","):
                key, value = pair.split(" ")
                told[key] = base64.b64decode(value, validate=True).decode()
            if self.path != "/exports" or int(self.headers["Content-Length"]):
                raise _Refused(400, "form")
            fresh = Upload(int(self.headers["Upload-Length"]), told)
            known = rig.uploads.setdefault(told["request"], fresh)
            if (known.length_b, known.told["sha256"]) != (fresh.length_b, told["sha256"]):
                raise _Refused(409, "other_content")
            self._note(told["request"], known)
            self._say(201, {"Location": f"/exports/{told['request']}"})

        def _head(self) -> None:
            upload = self._upload()
            self._say(200, {"Upload-Offset": str(len(upload.data)), "Upload-Length": str(upload.length_b),
                            "Cache-Control": "no-store"})

        def _patch(self) -> None:
            upload = self._upload()
            length_b = int(self.headers["Content-Length"])
            if self.headers["Content-Type"] != "application/offset+octet-stream" or length_b > PIECE_MAX_B:
                raise _Refused(415, "form")
            if int(self.headers["Upload-Offset"]) != len(upload.data):
                raise _Refused(409, "offset")
            if len(upload.data) + length_b > upload.length_b:
                raise _Refused(413, "too_large")
            data = self._read(length_b)
            rig.gate.wait(HANG_S)
            name, digest = self.headers["Upload-Checksum"].split(" ")
            if name != "sha256" or hashlib.sha256(data).digest() != base64.b64decode(digest, validate=True):
                raise _Refused(460, "checksum")
            if rig.uploads.get(self.path.split("/")[2]) is not upload:
                raise _Refused(410, "gone")
            upload.data += data
            self._note(self.path.split("/")[2], upload)
            self._say(204, {"Upload-Offset": str(len(upload.data))})

        def _read(self, length_b: int) -> bytes:
            parts = []
            while length_b:
                part = self.rfile.read1(min(length_b, 16_384))
                rig.taken_b += len(part)
                if rig.cut_after_b is not None and rig.taken_b >= rig.cut_after_b:
                    rig.cut_after_b = None
                    self.connection.shutdown(socket.SHUT_RDWR)
                    part = b""
                if not part:
                    raise ConnectionError("cut")
                parts.append(part)
                length_b -= len(part)
            return b"".join(parts)

        def _receipt(self) -> None:
            request = self.path.split("/")[2]
            upload = self._upload()
            if rig.checks_n:
                rig.checks_n -= 1
                self._say(202, {"Retry-After": "1"})
            elif hashlib.sha256(upload.data).hexdigest() != upload.told["sha256"]:
                raise _Refused(422, "sha256")
            else:
                rig.receipts.append(request)
                self._say(200, {"Content-Type": "application/json"}, rig.receipt(request, self._client()))

        def _delete(self) -> None:
            if rig.uploads.pop(self.path.split("/")[2], None) is None:
                raise _Refused(404, "unknown")
            self._say(204)

        def _note(self, request: str, upload: Upload) -> None:
            rig.came.append((time.clock_gettime(time.CLOCK_BOOTTIME), request, len(upload.data)))

        def _upload(self) -> Upload:
            upload = rig.uploads.get(self.path.split("/")[2])
            if upload is None:
                raise _Refused(404, "unknown")
            return upload

        def _client(self) -> str:
            subject = dict(pair[0] for pair in self.connection.getpeercert().get("subject", ()))
            return subject["commonName"]

        def _say(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
            rig.asked.append((self.command, self.path, status))
            self.send_response(status)
            for key, value in {"Tus-Resumable": "1.0.0", **(headers or {})}.items():
                self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
