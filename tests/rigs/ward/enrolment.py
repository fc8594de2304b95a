"""A ward's door for tests: its authority and book, `taimat ward serve` behind the real proxy, devices with cards."""
import http.client
import itertools
import json
import socket
import ssl
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.core.contract.enrolment import Bundle, device_id, parse_bundle
from agent.ward import keys
from agent.ward.authority.issuer import CERTIFICATE, KEY
from agent.ward.enrolment.book import EnrolmentBook
from tests.rigs.forked import TAIMAT
from tests.rigs.wait import HANG_S, free_port
from tests.rigs.ward.authority import Hierarchy, csr_of
from tests.rigs.ward.ingest import ListeningPart
from tests.rigs.ward.proxy import MISSING, Proxy
from tests.rigs.ward.typed import typed

HEADER = "serial,site,household,title,cameras,wifi,wifi_password,country,board,sensor,join"
GREEN = {"camera": True, "card": True, "clock": True, "broker": True}


class Ward:
    """An authority with its settings, on which the commands run."""

    def __init__(self, folder: Path, more: str = "") -> None:
        """`more` is TOML for the [authority] table beyond the usual."""
        folder.mkdir(parents=True, exist_ok=True)
        self.home, self.config, self.out = folder, folder / "ward.toml", folder / "bundles"
        self.pki, self.own = Hierarchy(folder / "pki"), folder / "authority"
        self.own.mkdir(0o750)
        chain, key = self.pki.write("issuing", "", self.pki.issuer.key)
        chain.write_bytes(self.pki.issuer.certificate.public_bytes(Encoding.PEM))
        chain.rename(self.own / CERTIFICATE)
        key.rename(self.own / KEY)
        self.command = folder / "command.pem"
        keys.make(self.command)
        keys.ensure(str(self.command), "[ops] command_key")
        self.book, self.socket, self.metrics_port = EnrolmentBook(self.own), folder / "serve.sock", free_port()
        self.config.write_text(
            f'[ward]\nward = "ben-nghe"\nhost = "ward.example"\n[ops]\ncommand_key = "{self.command}"\n'
            f'[authority]\nname = "Phường Bến Nghé"\nphone = "028 3822 0000"\nfolder = "{self.own}"\n'
            f'ca = "{self.pki.ca}"\nsocket = "{self.socket}"\nmetrics_port = {self.metrics_port}\n{more}\n')

    def enrols(self, *words: object) -> int:
        """`taimat ward enrol` with these words; returns the exit code."""
        return typed("enrol", f"--config={self.config}", f"--output={self.out}", *words)

    def lists(self, *rows: str, header: str = HEADER) -> Path:
        """A list with these rows."""
        sheet = self.home / "devices.csv"
        sheet.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        return sheet

    def bundle(self, serial: str) -> Bundle:
        """What is for that device's card."""
        return parse_bundle((self.out / serial / "enrol.toml").read_text())


class ServedWard(Ward, ListeningPart):
    """The same with its door open, which can be killed; the proxy stays. Skips without nginx."""

    started_as = (TAIMAT, "ward", "serve")

    def __init__(self, folder: Path) -> None:
        if MISSING:
            pytest.skip(MISSING)
        super().__init__(folder)
        self.log, self.door_port = folder / "serve.log", free_port()
        self.proxy = Proxy(folder / "proxy", self.door_port, folder / "intake.sock", self.pki,  # type: ignore[arg-type]
                           self.pki.server("localhost"))
        text = self.config.read_text()
        self.config.write_text(text.replace(str(self.socket), str(self.proxy.serve)))

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.proxy.__exit__()


class NewDevice:
    """A recorder with a card and an address: it has a key of its own, and in time a certificate."""

    numbers = itertools.count(1)

    def __init__(self, ward: ServedWard, serial: str) -> None:
        """With the bundle as it is now."""
        self.ward, self.serial, self.claim = ward, serial, ward.bundle(serial).claim
        self.files: tuple[Path, Path] | None = None
        street, house = divmod(next(self.numbers), 250)
        self.address = f"127.1.{street}.{house + 1}"
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def dev(self) -> str:
        """Its id."""
        return device_id(self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def enrols(self, **changes: Any) -> tuple[int, dict[str, Any]]:
        """Status and content of the answer; a grant is kept."""
        ask = {"claim": self.claim, "csr": csr_of(self.key), "serial": self.serial, "board": "Pi Zero 2 W"} | changes
        status, answer = self.says("/enrol", ask)
        if status == 200:
            self.files = self.ward.pki.write(f"{self.serial}-{self.dev}", answer["chain"], self.key)
        return status, answer

    def renews(self) -> tuple[int, dict[str, Any]]:
        """With a new key; a grant is kept."""
        key = ec.generate_private_key(ec.SECP256R1())
        status, answer = self.says("/renew", {"csr": csr_of(key)})
        if status == 200:
            self.files = self.ward.pki.write(f"{self.serial}-renewed", answer["chain"], key)
        return status, answer

    def says(self, path: str, content: object, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """POST to the door that the path is at."""
        context = ssl.create_default_context(cafile=self.ward.pki.roots)
        if self.files:
            context.load_cert_chain(*self.files)
        port = self.ward.proxy.enrol_port if path == "/enrol" else self.ward.door_port
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=HANG_S)
        connection._create_connection = lambda *_: socket.create_connection(        # type: ignore[attr-defined]
            ("127.0.0.1", port), HANG_S, (self.address, 0))
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        connection.request("POST", path, body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        is_json = answer.getheader("Content-Type") == "application/json"
        return answer.status, json.loads(data) if is_json else {}
