"""A card that is as it was at an earlier time: the ward has more than it knows, and refuses nothing of what comes."""
import json
import shutil
from collections.abc import Callable

import pytest

from agent.core.contract import wire
from agent.store import meta, outbox
from agent.store.database import FILE, connect
from agent.store.numbers import BELIEVED_MAX, LEAP, PAGE, WENT_BACK
from tests.rigs.device.link_role import LinkRig
from tests.rigs.store.joined import join
from tests.rigs.wait import until
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.receiver import Ingest

RECEIPTS = 'delivery = "receipt"'


class Strict(Ingest):
    """A ward's program that knows nothing of `top`, and refuses a number that it has for something else."""

    def _commit(self, dev: str, payload: bytes) -> None:
        event = json.loads(payload)
        had = self._db.execute("SELECT event FROM evt WHERE dev = ? AND seq = ?", (dev, event["seq"])).fetchone()
        if had and json.loads(had[0])["data"] != event["data"]:
            self.acknowledge(dev, {"v": 1, "upto": 0, "reject": [{"seq": event["seq"], "code": "seq_reused"}]})
        else:
            super()._commit(dev, payload)


def send(rig: LinkRig, n: int) -> list[int]:
    """Events that all reach the ward; the link is stopped behind them."""
    seqs = [rig.append() for _ in range(n)]
    rig.start()
    until(lambda: rig.waiting_n() == 0, "the outbox is empty")
    rig.stop()
    return seqs


def put_aside(rig: LinkRig) -> Callable[[], None]:
    """Copies the card as it is; the function writes the copy back."""
    rig.db.close()                          # copying an open one would give up our locks on it
    shutil.copytree(rig.folder / "store", rig.folder / "image")
    rig.db = connect(rig.folder / "store")

    def back() -> None:
        rig.db.close()
        shutil.rmtree(rig.folder / "store")
        (rig.folder / "image").rename(rig.folder / "store")
        rig.db = connect(rig.folder / "store")
    return back


def test_an_old_image_goes_on_behind_what_the_ward_has_and_nothing_is_refused(tmp_path, broker):
    with WardIngest(tmp_path / "ward", broker.port) as ward:
        rig = LinkRig(tmp_path / "link", broker.port, RECEIPTS)
        send(rig, 20)
        write_back = put_aside(rig)
        before = send(rig, 30)
        until(lambda: len(ward.seqs()) == 50)
        ward.stop()                         # it leaves with the broker how far each device is
        write_back()
        with ward:
            after = send(rig, 10)
            assert after == before[:10]     # as they were written; as they went:
            first = 50 + LEAP["outbox"] + 1
            until(lambda: [seq for seq in ward.seqs() if seq > 50] == list(range(first, first + 11)))
            figures = ward.figures()
        assert not figures.get('taimat_ward_rejected_total') and outbox.quarantined_n(rig.db) == 0
        assert meta.get(rig.db, WENT_BACK) == "50"
        rig.__exit__()


def test_a_ward_that_only_refuses_gets_each_message_once_under_a_number_of_its_own(tmp_path, broker):
    with Strict(broker.port, tmp_path) as ward:
        rig = LinkRig(tmp_path / "link", broker.port, RECEIPTS)
        send(rig, 5)
        write_back = put_aside(rig)
        for n in range(30):
            rig.append(data=f'{{"event":{n},"phase":"start","start_ms":5}}')
        send(rig, 1)
        write_back()
        for n in range(100, 125):
            rig.append(data=f'{{"event":{n},"phase":"start","start_ms":5}}')
        with rig:
            until(lambda: rig.waiting_n() == 0, "the outbox is empty")
            got = [event["data"]["event"] for event in ward.events() if event["data"].get("event", 0) >= 100]
            assert sorted(got) == list(range(100, 125))
            assert outbox.quarantined_n(rig.db) == 0
            assert any(event["data"].get("code") == "card_went_back" for event in ward.events())


def test_a_database_that_is_lost_under_the_link_s_hands_goes_on_behind_what_was_offered(tmp_path, broker):
    with LinkRig(tmp_path / "link", broker.port, RECEIPTS) as rig, Ingest(broker.port, tmp_path) as ward:
        for _ in range(7):
            rig.append()
        until(lambda: rig.waiting_n() == 0)
        rig.db.close()
        for name in (FILE, f"{FILE}-wal", f"{FILE}-shm", PAGE):
            (rig.folder / "store" / name).unlink(missing_ok=True)
        rig.db = join(connect(rig.folder / "store"))
        assert rig.append() == 1
        until(lambda: rig.waiting_n() == 0, "it goes on")
        assert min(event["seq"] for event in ward.events() if event["seq"] > 7) > LEAP["outbox"]


@pytest.mark.parametrize("top", [BELIEVED_MAX + 1, 2**63 - 1])
def test_a_receipt_that_claims_what_nobody_can_have_counted_changes_nothing(tmp_path, broker, top):
    with LinkRig(tmp_path / "link", broker.port, RECEIPTS) as rig, Ingest(broker.port, tmp_path) as ward:
        ward.publish(f"{rig.dev()}/ack", wire.encode(wire.Ack(upto=0, top=top)), retain=True)
        rig.append()
        until(lambda: rig.waiting_n() == 0)
        assert rig.append() == 2 and meta.get(rig.db, WENT_BACK) is None


def test_a_receipt_of_the_present_is_no_proof(tmp_path, broker):
    with WardIngest(tmp_path / "ward", broker.port) as ward:
        rig = LinkRig(tmp_path / "link", broker.port, RECEIPTS)
        for _ in range(3):
            send(rig, 5)
            ward.stop()
            ward.start()
        assert ward.seqs() == list(range(1, 16)) and meta.get(rig.db, WENT_BACK) is None
        rig.__exit__()
