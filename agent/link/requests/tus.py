"""The ward's intake as the device uses it: tus 1.0.0 (https://tus.io) with a checksum on each piece, and the receipt.

It follows no redirect, checks all of an answer before any use, and bounds its size.
"""
import base64
import hashlib
import json
import re
import socket
import ssl
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from agent.core.contract.wire.requests import KIND, MANIFEST, RECEIPT_B, REQUEST, SHA256, TUS

CONNECT_S = 15.0
SILENCE_S = 60.0                # of the intake, or of a line that takes no byte
CODE = re.compile(r"[a-z0-9_]{1,40}\Z")
FINAL = (403, 404, 410, 413, 422)       # a second try gets the same answer
DIGITS_MAX = 18                 # of a number of bytes, or of seconds
RETRY_S = (1.0, 60.0)           # bounds for the intake's Retry-After
OCTETS = "application/offset+octet-stream"


class UploadRefused(Exception):
    """The intake refuses the upload for good; the text is its code."""


class UploadBroken(Exception):
    """The upload failed, and may succeed later; the text says why."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to upload, as it is announced to the intake."""

    request: str
    kind: str
    size_b: int
    sha256: str                 # hex
    manifest: str | None

    @property
    def metadata(self) -> str:
        """The Upload-Metadata header of tus."""
        pairs = {REQUEST: self.request, KIND: self.kind, SHA256: self.sha256, MANIFEST: self.manifest}
        return ",".join(f"{key} {_base64(value.encode())}" for key, value in pairs.items() if value is not None)


class TusAnswer(NamedTuple):
    """The intake's answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Send = Callable[[bytes, Callable[[memoryview], object]], None]


class TusClient:
    """One connection, opened at its first use. Every method raises UploadBroken, UploadRefused and OSError."""

    def __init__(self, url: str, tls: ssl.SSLContext, connected: Callable[[socket.socket], None]) -> None:
        """`url` is where uploads are created; `connected` gets each new socket."""
        self._url, self._connected = urllib.parse.urlsplit(url), connected
        import http.client
        self._http = http.client.HTTPSConnection(self._url.hostname or "", self._url.port or 443,
                                                 timeout=CONNECT_S, context=tls)

    def create(self, upload: Upload) -> str:
        """Announces the upload, maybe again. Returns its path."""
        answer = self._ask("POST", self._url.path, {
            "Upload-Length": str(upload.size_b), "Upload-Metadata": upload.metadata, "Content-Length": "0"})
        if answer.status == 409:        # of another length or content: the file was packed again since then
            self.forget(upload.request)
            raise UploadBroken("it had another one of this request")
        return self._place(_expect(answer, 201).headers.get("location", ""))

    def offset_b(self, place: str) -> int:
        return _offset_b(_kept(self._ask("HEAD", place), 200))

    def send(self, place: str, offset_b: int, piece: bytes, send: Send) -> int:
        """Adds a piece by means of `send`. Returns how many bytes the intake has now."""
        headers = {"Upload-Offset": str(offset_b), "Content-Type": OCTETS, "Content-Length": str(len(piece)),
                   "Upload-Checksum": f"sha256 {_base64(hashlib.sha256(piece).digest())}"}
        return _offset_b(_kept(self._ask("PATCH", place, headers, lambda out: send(piece, out)), 204))

    def receipt(self, place: str) -> bytes | float:
        """Returns the receipt, unchecked; or seconds to wait while the intake checks the file."""
        answer = self._ask("GET", f"{place}/receipt")
        if answer.status == 202:
            given = answer.headers.get("retry-after", "")
            wait_s = float(given) if given.isdecimal() and len(given) <= DIGITS_MAX else 0.0
            return min(max(wait_s, RETRY_S[0]), RETRY_S[1])
        if answer.status == 422:
            raise UploadRefused(_code(answer))
        return _kept(answer, 200).body

    def forget(self, request: str) -> None:
        """Has the intake delete what it has of this request, if anything."""
        answer = self._ask("DELETE", f"{self._url.path}/{request}")
        if answer.status not in (204, 404, 410):
            raise UploadBroken(f"it answers {answer.status}")

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, headers: Mapping[str, str] | None = None,
             body: Callable[[Callable[[memoryview], object]], None] | None = None) -> TusAnswer:
        try:
            self._connect()
            self._http.putrequest(method, path, skip_accept_encoding=True)
            for name, value in {"Tus-Resumable": TUS, **(headers or {})}.items():
                self._http.putheader(name, value)
            self._http.endheaders()
            if body:
                body(self._http.send)
            return self._answer()
        except BaseException as error:
            self.close()
            import http.client
            if isinstance(error, http.client.HTTPException | ValueError) and not isinstance(error, OSError):
                raise UploadBroken(f"no answer of an intake: {type(error).__name__}") from error
            raise

    def _connect(self) -> None:
        line = self._http.sock
        if line is None:
            self._http.connect()
            self._http.sock.settimeout(SILENCE_S)
            self._connected(self._http.sock)

    def _answer(self) -> TusAnswer:
        with self._http.getresponse() as response:
            body = response.read(RECEIPT_B + 1)
            if len(body) > RECEIPT_B:
                self.close()
                raise UploadBroken("its answer is too long")
            return TusAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def _place(self, location: str) -> str:
        """Returns the path of the new upload, which must be at the same intake.

        An intake behind a TLS proxy may name a plain HTTP address; the scheme is kept as it was.
        """
        try:
            whole = urllib.parse.urlsplit(urllib.parse.urljoin(self._url.geturl(), location))
        except ValueError as error:
            raise UploadBroken(f"it names no place: {error}") from error
        if whole.netloc != self._url.netloc or not location or whole.query:
            raise UploadBroken("it names no place of its own for the upload")
        return whole.path


def _expect(answer: TusAnswer, status: int) -> TusAnswer:
    if answer.status in FINAL:
        raise UploadRefused(_code(answer))
    if answer.status != status:
        raise UploadBroken(f"it answers {answer.status}")
    return answer


def _kept(answer: TusAnswer, status: int) -> TusAnswer:
    """Like `_expect`, for an upload that exists: "gone" or another offset than expected is not final."""
    if answer.status in (404, 409, 410, 460):
        raise UploadBroken(f"it answers {answer.status}: start again from what it has")
    return _expect(answer, status)


def _offset_b(answer: TusAnswer) -> int:
    given = answer.headers.get("upload-offset", "")
    if not given.isdecimal() or len(given) > DIGITS_MAX:
        raise UploadBroken("it does not say how much it has")
    return int(given)


def _code(answer: TusAnswer) -> str:
    try:
        code = json.loads(answer.body)["code"]
    except (ValueError, TypeError, LookupError, RecursionError):
        code = None
    return code if isinstance(code, str) and CODE.match(code) else f"intake_{answer.status}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
