"""The ward's desk for tests: a process behind the real proxy, and officers with certificates who visit it."""
import asyncio
import contextlib
import http.client
import re
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward.authority.issuer import Issuer
from tests.rigs.forked import TAIMAT
from tests.rigs.house.household import Answer
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S
from tests.rigs.ward.ingest import ListeningPart
from tests.rigs.ward.proxy import Proxy

PERSON = "Trần Văn Bình"
PIECE_B = 65_536
ANCHOR = re.compile(r'name="once" value="(\w+)"')


def certificate_for(authority: Authority, name: str, person: str = PERSON) -> tuple[Path, Path]:
    """An officer's certificate with its chain, by the ward's own issuer, and the key."""
    issuer = Issuer.read(authority.ca, authority.ca_key)
    key = ec.generate_private_key(ec.SECP256R1())
    paths = authority.ca.parent / f"{name}.pem", authority.ca.parent / f"{name}.key"
    paths[0].write_text(issuer.account(name, key.public_key(), datetime.now(UTC), person=person))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return paths


class OfficersDesk(ListeningPart):
    """The desk on a ward's configuration, behind a proxy that is somebody else's to start."""

    started_as = (TAIMAT, "ward", "desk")

    def __init__(self, config: Path, authority: Authority, proxy: Proxy) -> None:
        """`config` has to name the proxy's socket `desk` under [desk]."""
        self.config, self.log = config, config.parent / "desk.log"
        self.authority, self.proxy = authority, proxy

    @property
    def url(self) -> str:
        """Where officers find it."""
        return f"https://localhost:{self.proxy.desk_port}"

    def officer(self, name: str = "desk+binh", person: str = PERSON) -> "Officer":
        """Somebody with a certificate of that name."""
        return Officer(self, certificate_for(self.authority, name, person))


class Officer:
    """What an officer's browser says."""

    def __init__(self, desk: OfficersDesk, certificate: tuple[Path, Path] | None) -> None:
        self._desk, self.certificate = desk, certificate
        self.context = ssl.create_default_context(cafile=desk.authority.ca)
        self.context.verify_flags &= ~ssl.VERIFY_X509_STRICT   # the tests' authority leaves out what 3.13 insists on
        if certificate:
            self.context.load_cert_chain(*certificate)

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.ask("GET", path, None, headers)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        """Send a form, as a browser does from the page itself unless `headers` say otherwise."""
        own = {"content_type": "application/x-www-form-urlencoded", "origin": self._desk.url} | headers
        return self.ask("POST", path, urlencode(form), own)

    def form(self, dev: str) -> str:
        """The word of a fresh form for that device."""
        found = ANCHOR.search(self.get(f"/requests/new?dev={dev}").text)
        assert found
        return found[1]

    def ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPSConnection("localhost", self._desk.proxy.desk_port, context=self.context,
                                                 timeout=HANG_S)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())
        finally:
            connection.close()


class Tunnel(threading.Thread):
    """The desk's door at a port of its own, with an officer's certificate shown: for a browser that has none.

    A browser also connects for later, and takes it for an answer when such a connection ends: so the door is not
    entered before something is said. A context manager; `url` is where the browser goes.
    """

    def __init__(self, desk: OfficersDesk, certificate: tuple[Path, Path]) -> None:
        super().__init__(daemon=True)
        self._desk, self._context = desk, Officer(desk, certificate).context
        self._listener, self._begun = socket.create_server(("127.0.0.1", 0)), threading.Event()
        self.url = f"http://localhost:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        """Lead all connections to the door: one thread, for a TLS connection bears no second one."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._lead, sock=self._listener)
        self._begun.set()
        await self._over.wait()
        server.close()

    async def _lead(self, browser: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if first := await browser.read(PIECE_B):
                door, on = await asyncio.open_connection("localhost", self._desk.proxy.desk_port, ssl=self._context)
                on.write(first)
                await asyncio.gather(_pump(browser, on), _pump(door, back))
        back.close()

    def __enter__(self) -> Self:
        self.start()
        assert self._begun.wait(HANG_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self.join()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Bytes from one to the other until one has had enough; the other is told so."""
    with contextlib.suppress(OSError):
        while piece := await source.read(PIECE_B):
            sink.write(piece)
            await sink.drain()
    sink.close()
