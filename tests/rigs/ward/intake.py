"""The ward's intake for tests, behind its proxy: an authority, requests in its database, and what devices say to it."""
import base64
import hashlib
import http.client
import json
import os
import ssl
import time
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy as sql

from agent.core.contract import ulid
from agent.store.export.archive import Item, tar
from agent.ward import database, keys
from agent.ward.command_signer import CommandKey
from agent.ward.device_cache import to_row
from agent.ward.register import DeviceRecord
from agent.ward.requests import PictureRequest, PictureRequests
from tests.rigs.pki import Authority
from tests.rigs.store.exports import BEGIN_MS, CASE, END_MS
from tests.rigs.wait import HANG_S, free_port, until
from tests.rigs.ward.ingest import ListeningPart
from tests.rigs.ward.proxy import MISSING, Proxy

DEV, NEIGHBOUR = "c-7f3a9c21b04d", "c-0123456789ab"
PIECE_B = 1 << 20
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}


class Intake(ListeningPart):
    """A configuration, a database, and an intake on them that can be killed; its proxy stays. Skips without nginx."""

    started_as = ("tests.rigs.ward.quick_intake",)

    def __init__(self, folder: Path, **more: object) -> None:
        """`more` are keys of [intake] beyond the usual."""
        if MISSING:
            pytest.skip(MISSING)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.config, self.log = folder / "exports", folder / "ward.toml", folder / "intake.log"
        self.port, self.metrics_port = free_port(), free_port()
        self.authority = Authority(folder / "pki", "ward-ca")
        self.certificates = {name: self.authority.issue(name) for name in ("intake", DEV, NEIGHBOUR)}
        self.authority.revoke()
        self.key = folder / "receipt.pem"
        keys.make(self.key)
        self.socket = folder / "intake.sock"
        self.proxy = Proxy(folder / "proxy", self.port, self.socket, self.authority, self.certificates["intake"])
        usual = {"socket": str(self.socket), "url": f"https://localhost:{self.port}/exports",
                 "crl": str(self.authority.crl), "receipt_key": str(self.key), "folder": str(self.folder), "free_gb": 0,
                 "metrics_port": self.metrics_port, **more}
        url = f"sqlite:///{folder}/ward.db"
        lines = [f"{name} = {json.dumps(value)}" for name, value in usual.items()]
        self.config.write_text("\n".join(["[intake]", *lines, "[database]", f'url = "{url}"', ""]))
        self.engine = database.open_engine(url)
        self.requests = PictureRequests(self.engine)

    def ask(self, kind: str = "clip", dev: str = DEV, **changes: Any) -> str:
        """A request of the ward in the database, as for the packages of tests/rigs/store/exports; returns its id."""
        now_ms = time.time_ns() // 1_000_000
        request = PictureRequest(
            id=ulid.make(now_ms, os.urandom(10)), dev=dev, kind=kind, cam="gate", case_no=CASE["case"],
            purpose=CASE["purpose"], officer=CASE["officer"], basis="Luật", made_ms=now_ms,
            until_ms=now_ms + 86_400_000, command='{"id":"as it was signed"}', state="sent",
            **({"begin_ms": BEGIN_MS, "end_ms": END_MS} if kind == "clip" else {}))
        self.requests.add(replace(request, **changes))
        return request.id

    def heard(self, dev: str, health: dict[str, Any]) -> None:
        """A health report of the device is in the database."""
        with self.engine.begin() as db:
            db.execute(sql.delete(database.device).where(database.device.c.dev == dev))
            db.execute(sql.insert(database.device).values(
                to_row(DeviceRecord(dev, first_ms=0, health=json.dumps(health)))))

    def device(self, name: str = DEV) -> "Device":
        """A device with a certificate."""
        return Device(self, self.certificates[name])

    def public(self) -> bytes:
        """The key that its receipts are signed with."""
        return CommandKey.load(str(self.key)).key.public_key().public_bytes_raw()

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.proxy.__exit__()
        self.engine.dispose()


class Device:
    """What a device says to the intake, on one connection that is made anew when it breaks."""

    def __init__(self, intake: Intake, certificate: tuple[Path, Path] | None) -> None:
        self._intake = intake
        self._context = ssl.create_default_context(cafile=intake.authority.ca)
        self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT   # the tests' authority leaves out what 3.13 insists on
        if certificate:
            self._context.load_cert_chain(*certificate)
        self._connection: http.client.HTTPSConnection | None = None

    def says(self, method: str, path: str, headers: dict[str, str] | None = None,
             body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer. Raises OSError where there is none."""
        is_new = self._connection is None
        connection = self._connection = self._connection or http.client.HTTPSConnection(
            "localhost", self._intake.port, context=self._context, timeout=HANG_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            self._connection = None
            if is_new:
                raise ConnectionError(str(error)) from error
            return self.says(method, path, headers, body)

    def announce(self, request: str, upload: "Upload", **changes: str) -> tuple[int, dict[str, str], bytes]:
        """POST; `changes` replace headers, with _ for -."""
        told = {"request": request, "kind": upload.kind, "sha256": upload.sha256}
        told |= {"manifest": upload.manifest} if upload.manifest else {}
        headers = TUS | {"Upload-Length": str(len(upload.data)), "Upload-Metadata": metadata(told)}
        return self.says("POST", "/exports", headers | {name.replace("_", "-"): text for name, text in changes.items()})

    def offset(self, request: str) -> int:
        """HEAD."""
        status, headers, _ = self.says("HEAD", f"/exports/{request}", TUS)
        assert status == 200, status
        return int(headers["upload-offset"])

    def sends(self, request: str, at: int, data: bytes, **changes: str) -> tuple[int, dict[str, str], bytes]:
        """PATCH of one piece."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers = PIECE | {"Upload-Offset": str(at), "Upload-Checksum": f"sha256 {digest}"}
        return self.says("PATCH", f"/exports/{request}", headers | {
            name.replace("_", "-"): text for name, text in changes.items()}, data)

    def brings(self, request: str, upload: "Upload") -> tuple[int, dict[str, Any]]:
        """All of it, from wherever it has come to; returns the status and content of the receipt's answer."""
        self.announce(request, upload)
        at = self.offset(request)
        while at < len(upload.data):
            status, headers, _ = self.sends(request, at, upload.data[at:at + PIECE_B])
            assert status == 204, status
            at = int(headers["upload-offset"])
        return self.receipt(request)

    def receipt(self, request: str) -> tuple[int, dict[str, Any]]:
        """The answer after the check; its status and content."""
        def answer() -> tuple[int, bytes] | None:
            status, headers, body = self.says("GET", f"/exports/{request}/receipt")
            assert status != 202 or int(headers["retry-after"])
            if status == 502:
                raise ConnectionError("the intake is away")
            return (status, body) if status != 202 else None
        status, body = until(answer)
        return status, json.loads(body)


class Upload:
    """Something to upload."""

    def __init__(self, data: bytes, kind: str = "clip", manifest: str | None = None) -> None:
        self.data, self.kind, self.manifest = data, kind, manifest
        self.sha256 = hashlib.sha256(data).hexdigest()

    @classmethod
    def of(cls, folder: Path) -> "Upload":
        """An export's folder as one file."""
        files = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
        data = b"".join(tar("export", [Item(name, len(data), [data]) for name, data in files], 1_795_000_000))
        manifest = folder / "manifest.json"
        return cls(data, manifest=hashlib.sha256(manifest.read_bytes() if manifest.exists() else b"").hexdigest())


def metadata(told: dict[str, str]) -> str:
    """The value of Upload-Metadata."""
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())


PICTURE = Upload(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40, "snapshot")
