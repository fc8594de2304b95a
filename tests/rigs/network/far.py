"""A link at the device's end of an emulated line, broker, ingest and intake at the ward's."""
import contextlib
import hashlib
import os
from pathlib import Path

from agent.core.contract.facts import Poke
from agent.store import commands, requests
from agent.store.commands import Ordered
from agent.store.database import transaction
from agent.store.folders import Folders
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.network.wan import WARD, Wan
from tests.rigs.pki import Authority
from tests.rigs.wait import accepts, until
from tests.rigs.ward.receiver import Ingest
from tests.rigs.ward.requests import ask
from tests.rigs.ward.tus import Tus

DEV, INSIDE = "c-7f3a9c21b04d", 1883


class Far(contextlib.ExitStack):
    """A context manager: all of it runs, and the link is connected. `line` is as good as a line can be at first."""

    def __init__(self, folder: Path, sharing: str = "") -> None:
        """`sharing` is TOML for the [sharing] table."""
        super().__init__()
        self._folder, self._sharing = folder, sharing

    def __enter__(self) -> "Far":
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def _build(self) -> None:
        authority = Authority(self._folder / "pki", "ward-ca")
        cert, key = authority.issue(DEV)
        lines = f'tls = true\nhost = "{WARD}"\nca = "{authority.ca}"\ncert = "{cert}"\nkey = "{key}"'
        tls = Tls(authority.ca, *authority.issue("broker", address=WARD), clients_ca=authority.ca)
        self.line = self.enter_context(Wan(seed=7))
        with self.line.ward():
            inside = f"listener {INSIDE} 127.0.0.1\nmax_inflight_messages 20"     # the ingest is not behind the line
            self.broker = broker = self.enter_context(Broker(self._folder / "broker", tls=tls, host=WARD, lines=inside))
            until(lambda: accepts(INSIDE))
            self.ward = self.enter_context(Ingest(INSIDE, self._folder))
            self.tus = self.enter_context(Tus(authority, host=WARD))
        with self.line.device():
            more = f"[sharing]\n{self._sharing}" if self._sharing else ""
            self.rig = self.enter_context(LinkRig(self._folder / "link", broker.port, lines, more))
        until(lambda: self.rig.facts().get("broker") == "connected", "the link is connected")

    def packed(self, size_b: int) -> tuple[str, bytes]:
        """Have the link find a request whose file lies there, and its command; its id, and the file."""
        rig = self.rig
        request = ask(rig.db, approved=True, upload=self.tus.url, receipt_key=self.tus.receipt_key)
        with transaction(rig.db):
            commands.add(rig.db, Ordered(request.id, "clip.export", "ops", "accepted", b'{"st":"running"}', True, "ops",
                                         None, rig.clock.now()))
        data = os.urandom(size_b)
        Folders(rig.folder / "store").create().export(request.id, "clip").write_bytes(data)
        requests.packed(rig.db, request.id, size_b, hashlib.sha256(data).hexdigest(), None)
        rig.outlet.send(Poke(what="requests"), "link")
        return request.id, data

    def state(self, request_id: str) -> str:
        """What has become of it."""
        request = requests.find(self.rig.db, request_id)
        assert request is not None
        return request.state

    def late_s(self) -> list[float]:
        """How long each event took from the device's clock to the ward, in the order of their seq."""
        return [self.ward.came_s[event["seq"]] - event["data"]["mono_ms"] / 1000 for event in self.ward.events()]
