"""The link role as a process with the contract's waits made short: `python -m tests.rigs.device.link_role CONFIG`."""
import dataclasses
import shutil
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import msgspec

from agent.config.load import load
from agent.core.contract.facts import Beat, Poke
from agent.core.delivery.backoff import Waits
from agent.core.delivery.outbox import OutboxPace
from agent.host.clock import SystemClock
from agent.host.datagram import Inbox, Outlet
from agent.host.updates import UpdateFolders
from agent.link import outbox_upkeep, ward_link
from agent.link.context import LinkTempo
from agent.link.main import serve
from agent.process import heartbeat
from agent.process.role import Role
from agent.process.role import main as live_as
from agent.store import identity, outbox
from agent.store.database import connect, transaction
from agent.store.folders import Folders
from tests.rigs.forked import Part
from tests.rigs.store.joined import join
from tests.rigs.store.kept_store import link_desk

ROOT = Path(__file__).resolve().parents[3]
QUICK = LinkTempo(waits=Waits(start_s=0.1, lost_s=0.4, step_s=0.3, longest_s=0.6, hopeless_s=(0.5, 1.0)),
                  again=Waits(lost_s=0.4, step_s=0.3, longest_s=0.6),
              pace=OutboxPace(per_s=200, burst_n=20, again_s=1.0, again_max_s=2.0), will_delay_s=1,
              home=Waits(start_s=0.1, lost_s=0.4, step_s=0.3, longest_s=0.6, hopeless_s=(0.5, 1.0)),
              notify=Waits(start_s=0.1, lost_s=0.2, step_s=0.2, longest_s=0.4, hopeless_s=(0.5, 1.0)),
              upload=Waits(start_s=0.1, lost_s=0.2, step_s=0.2, longest_s=0.4),
              update=Waits(start_s=0.1, lost_s=0.2, step_s=0.2, longest_s=0.4))


class LinkRig(Part):
    """A store, a configuration, and a link process on them that can be killed."""

    started_as = ("tests.rigs.device.link_role",)       # "agent.link" has the contract's waits

    def __init__(self, folder: Path, port: int, ward: str = "", more: str = "") -> None:
        """`ward` is TOML for the [ward] table beyond the usual, `more` further tables."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.config = folder, folder / "taimat.toml"
        self.runtime = Path(tempfile.mkdtemp(prefix="taimat-"))         # a socket's name must be short
        given = {line.split("=")[0].strip() for line in ward.splitlines()}
        usual = {"enabled": "true", "ward": '"w07"', "host": '"127.0.0.1"', "port": str(port), "tls": "false",
                 "health_every_s": "5", "keepalive_s": "5"}
        lines = [f"{key} = {value}" for key, value in usual.items() if key not in given]
        self.config.write_text("\n".join([
            "[device]", 'site = "HH-07-0412"', "[store]", f'folder = "{folder}/store"', f'runtime = "{self.runtime}"',
            "[web]", "enabled = false", "[ward]", *lines, ward, more, ""]))
        (folder / "store").mkdir(exist_ok=True)
        self.db = join(connect(folder / "store"), tomllib.loads(self.config.read_text())["ward"]["ward"])
        self.dev()                      # no keeper gives it one here
        self.clock = SystemClock()
        self.open_desk()
        self.outlet, self.inbox = Outlet(self.runtime), Inbox(self.runtime, "run")
        self.beats: list[tuple[float, Beat]] = []
        self.log = folder / "link.log"

    def open_desk(self) -> None:
        """Serve the keeper's desk by the configuration as it is now."""
        self.desk = link_desk(self.folder / "store", self.runtime, self.clock, load(self.config))

    def append(self, kind: str = "motion", data: str = '{"event":1,"phase":"start","start_ms":5}',
               **when: object) -> int:
        """Write a message as a role would, and poke the link."""
        with transaction(self.db):
            seq = outbox.append(self.db, kind, "gate", dataclasses.replace(self.clock.now(), **when), data)
        self.outlet.send(Poke(what="outbox"), "link")
        return seq

    def waiting_n(self) -> int:
        """Messages in the outbox."""
        return outbox.waiting(self.db)[0]

    def facts(self) -> dict[str, object]:
        """What the newest heartbeat told; empty before the first."""
        while (beat := self.inbox.receive(0)) is not None:
            self.beats.append((time.monotonic(), beat))
        return msgspec.to_builtins(self.beats[-1][1].facts) if self.beats else {}

    def beats_after(self, when_s: float) -> int:
        """Heartbeats heard since then."""
        self.facts()
        return sum(heard_s > when_s for heard_s, _ in self.beats)

    def dev(self) -> str:
        """The device's id."""
        return identity.name(Folders(self.folder / "store"), self.db)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.desk.close()
        self.db.close()
        self.inbox.close()
        self.outlet.close()
        shutil.rmtree(self.runtime)


def _serve(role: Role) -> None:
    heartbeat.EVERY_S = ward_link.LOOK_EVERY_S = outbox_upkeep.LEAP_EVERY_S = 0.2
    serve(role, QUICK, UpdateFolders(role.runtime / "update", role.folders.root / "told"))


if __name__ == "__main__":
    sys.exit(live_as("link", _serve))
