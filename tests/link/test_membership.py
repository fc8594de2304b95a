"""A link with a real broker, and a household that is in no ward yet, joins one, and leaves it."""
import contextlib
import sqlite3
from pathlib import Path

from agent.core.evidence.ledger import Agreed
from agent.store import membership, outbox
from agent.store.decisions import consent
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.rigs.broker import Broker
from tests.rigs.links import LinkRig
from tests.rigs.wait import until
from tests.rigs.ward import Ingest

ALONE, JOINED = (Agreed(cameras={}, keep_h=1, keep_continuous_h=1, ward=ward) for ward in (None, "w07"))


def settle(rig: LinkRig, agreed: Agreed) -> None:
    """What the keeper does at its start."""
    with contextlib.closing(decisions.connect(Folders(rig.folder / "store"))) as own:
        consent.agree(own, rig.db, agreed, rig.clock.now())
        consent.follow(own, rig.db, rig.clock.now())


def never(db: sqlite3.Connection) -> None:
    """As if the household had never been in a ward."""
    db.execute("DELETE FROM meta WHERE key = ?", (membership.KEY,))


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
            settle(rig, JOINED)
            until(lambda: (ward.last("/status") or {}).get("online"), "it is there once the consent is noted")
            assert ward.last("/birth")["seq_next"] == 1
            rig.append()
            assert until(ward.events)[0]["seq"] == 1, "the first message is of after the joining"
            until(lambda: rig.facts()["broker"] == "connected")
            never(rig.db)                   # a database that was made anew, until the keeper puts the row back
            ward.receipts = False
            settle(rig, JOINED)
            rig.append()
            until(lambda: len(ward.events()) == 2)
            settle(rig, ALONE)
            until(lambda: ward.last("/status")["online"] is False, "it leaves")
            assert ward.last("/status")["why"] == "consent_withdrawn" and rig.waiting_n() == 0
            rig.append()
            facts = until(lambda: rig.facts() if rig.facts()["broker"] == "off" else None)
            assert "outbox_n" not in facts and rig.waiting_n() == 0 and outbox.next_seq(rig.db) == 3
            assert len(ward.events()) == 2
