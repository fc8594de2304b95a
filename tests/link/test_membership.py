"""A link with a real broker, and a household that is in no ward yet, joins one, and leaves it."""
import contextlib
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from agent.core.contract.facts import Beat, CameraFacts, Poke
from agent.core.evidence.ledger.acts import Agreed
from agent.core.household import consent as consent_text
from agent.store import outbox
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.link.agreement import JOINED, agree, never
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest

CAMERA = '[[camera]]\nname = "gate"\nsource = "picamera:0"'
BEAT = Beat(role="capture", unit="capture@gate", pid=1, mono_s=1, up_s=1,
            cameras=[CameraFacts(camera="gate", state="ok", source="picamera", width=640, height=360)])
ALONE = Agreed(cameras={}, keep_h=1, keep_continuous_h=1)


def test_without_a_ward_the_role_lives_and_nothing_is_kept(tmp_path: Path):
    rig = LinkRig(tmp_path / "link", 1, "enabled = false")
    never(rig.db)
    with rig:
        rig.append()
        facts = until(rig.facts)
        assert facts["broker"] == "off" and "ward disabled" in rig.log.read_text()
        assert "outbox_n" not in facts and rig.waiting_n() == 0


def test_the_settings_alone_tell_nothing_joining_confesses_nothing_and_leaving_ends_it(tmp_path: Path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward:
        rig = LinkRig(tmp_path / "link", broker.port)
        with contextlib.closing(decisions.connect(Folders(rig.folder / "store"))) as own:
            never(own)
        never(rig.db)
        with rig:
            rig.append()
            until(lambda: len(rig.beats) > 2 or rig.facts() and None, "time for a connection")
            assert rig.facts()["broker"] == "off" and not ward.all("/status") and not ward.all("/birth")
            agree(rig, JOINED)
            until(lambda: (ward.last("/status") or {}).get("online"), "it is there once the consent is noted")
            assert ward.last("/birth")["seq_next"] == 1
            rig.append()
            assert until(ward.events)[0]["seq"] == 1, "the first message is of after the joining"
            until(lambda: rig.facts()["broker"] == "connected")
            never(rig.db)                   # a database that was made anew, until the keeper puts the row back
            ward.receipts = False
            agree(rig, JOINED)
            rig.append()
            until(lambda: len(ward.events()) == 2)
            agree(rig, ALONE)
            until(lambda: ward.last("/status")["online"] is False, "it leaves")
            assert ward.last("/status")["why"] == "consent_withdrawn" and rig.waiting_n() == 0
            rig.append()
            facts = until(lambda: rig.facts() if rig.facts()["broker"] == "off" else None)
            assert "outbox_n" not in facts and rig.waiting_n() == 0 and outbox.next_seq(rig.db) == 3
            assert len(ward.events()) == 2


def test_what_a_household_keeps_to_itself_is_neither_told_nor_left_at_the_broker(tmp_path: Path):
    def born() -> dict[str, Any]:
        return ward.last("/birth") or {}

    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ward, \
            LinkRig(tmp_path / "link", broker.port, more=CAMERA) as rig:
        with contextlib.closing(decisions.connect(Folders(rig.folder / "store"))) as own:
            never(own)
        agree(rig, JOINED)
        until(lambda: ward.last("/health"))
        rig.outlet.send(BEAT, "link")
        until(lambda: ward.last("/health").get("cams"), "the camera is heard of")
        agree(rig, replace(JOINED, told=consent_text.kinds_sent(["health"])))
        rig.outlet.send(Poke(what="membership"), "link")
        until(lambda: born().get("withheld") == ["health"])
        assert born()["cams"] == [{"c": "gate"}]
        until(lambda: not ward.all("/health")[-1].payload, "the last report is taken away")
        told_n, births_n = len(ward.all("/health")), len(ward.all("/birth"))
        rig.kill()
        rig.start()
        until(lambda: len(ward.all("/birth")) > births_n)
        assert rig.append("storage") is None and rig.append() is not None
        until(lambda: ward.events() and ward.events()[-1]["data"]["kind"] == "motion")
        assert born()["withheld"] == ["health"] and not any(each.payload for each in ward.all("/health")[told_n:])
        with Ingest(broker.port, tmp_path, name="later") as later:
            until(lambda: later.last("/birth"))
            assert not later.all("/health"), "who comes now finds no report"
        rig.outlet.send(BEAT, "link")
        agree(rig, JOINED)
        until(lambda: ward.all("/health")[-1].payload and "withheld" not in born())
        agree(rig, ALONE)
        until(lambda: ward.last("/status")["online"] is False, "it leaves")
        until(lambda: not ward.all("/birth")[-1].payload and not ward.all("/health")[-1].payload)
