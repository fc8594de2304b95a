"""A house and its ward for tests of the hand-over: link and keeper as processes, a broker, an intake, and footage."""
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from agent.core.contract.facts import Beat, CameraFacts, Poke
from agent.core.household.sharing_rules import Decision
from agent.store import ledger, requests
from agent.store.folders import Folders
from tests.rigs.device.beats import own_facts
from tests.rigs.device.link_role import ROOT, LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.store.exports import BEGIN_MS, END_MS, shoot
from tests.rigs.wait import until
from tests.rigs.ward.orders import Orders, rfc3339
from tests.rigs.ward.receiver import Ingest
from tests.rigs.ward.requests import decide
from tests.rigs.ward.tus import Tus

DEV = "c-7f3a9c21b04d"
AGO_MS = 3_600_000
HOUSE = '''
[[camera]]
name = "gate"
source = "picamera:0"
{more}
'''


class House(Orders):
    """A context manager: everything runs. `begin_ms` and `end_ms` are where the footage of the camera "gate" lies."""

    def __init__(self, folder: Path, broker: Broker, tus: Tus, sharing: str = "") -> None:
        """`sharing` is TOML for the [sharing] table."""
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(Ingest(broker.port, folder), tus, DEV, lambda: self.rig.clock.now().wall_ms)
        public = folder / "command.pem"
        public.write_bytes(self.public_pem())
        certificate, key = tus.authority.issue(DEV)
        papers = f'command_key = "{public}"\nca = "{tus.authority.ca}"\ncert = "{certificate}"\nkey = "{key}"'
        self.rig = LinkRig(folder / "device", broker.port, papers,
                           HOUSE.format(more=f"[sharing]\n{sharing}" if sharing else ""))
        self.db, self.folders = self.rig.db, Folders(folder / "device" / "store").create()
        self._keeper: subprocess.Popen[bytes] | None = None
        shift_ms = self.rig.clock.now().wall_ms - AGO_MS - BEGIN_MS
        self.begin_ms, self.end_ms = BEGIN_MS + shift_ms, END_MS + shift_ms
        shoot(self.db, self.folders, shift_ms)

    def __enter__(self) -> "House":
        self.rig.start()
        self.start_keeper()
        until(lambda: self.ward.last("/birth"), "the link is there")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_keeper()
        self.rig.__exit__()
        self.ward.close()

    def start_keeper(self) -> None:
        with (self.rig.folder / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen([sys.executable, "-m", "agent.keeper", "--config", self.rig.config],
                                            cwd=ROOT, stderr=log)

    def films(self) -> bool:
        """A heartbeat of the process that records "gate", which does not run here; the link believes it for a while."""
        gate = CameraFacts(camera="gate", state="ok", recording=True, last_frame_age_s=0.1, width=320, height=180)
        now_mono_s = self.rig.clock.mono_s()
        self.rig.outlet.send(Beat(role="capture", unit="capture@gate", pid=1, mono_s=now_mono_s, up_s=100.0,
                                  starts_n=1, cameras=[gate], facts=own_facts("capture")), "link")
        return True

    def kill_keeper(self) -> None:
        """SIGKILL it."""
        assert self._keeper
        self._keeper.kill()
        self._keeper.wait()

    def clip(self, begin_ms: int | None = None, end_ms: int | None = None, **more: Any) -> str:
        """Ask for the footage, or for another time."""
        return self.order("clip.export", self.wish(**{"from": rfc3339(begin_ms or self.begin_ms),
                                                      "to": rfc3339(end_ms or self.end_ms)}, **more))

    def decide(self, order_id: str, code: Decision) -> None:
        """The household's word, as a command or the page gives it."""
        decide(self.db, order_id, code, "command")
        self.rig.outlet.send(Poke(what="requests"), "keeper", "link")

    def request(self, order_id: str) -> requests.WardRequest | None:
        """As it lies in the store."""
        return requests.find(self.db, order_id)

    def rows(self) -> list[str]:
        """Kinds of the ledger's rows."""
        return [json.loads(line.doc)["kind"] for line in ledger.lines(self.db)]
