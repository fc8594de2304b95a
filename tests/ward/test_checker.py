"""A check that does not come to its end delays no other device's receipt, and is not begun for ever."""
import asyncio
import os
import time

import pytest

from agent.core.contract import ulid
from agent.host.clock import SystemClock
from agent.ward import database, keys
from agent.ward.command_signer import CommandKey
from agent.ward.metrics import IntakeMetrics
from agent.ward.requests import PictureRequest, PictureRequests
from agent.ward.uploads import checker
from agent.ward.uploads.checker import TRIES_N, Checker, Spool, Trouble
from tests.rigs.ward.intake import DEV, NEIGHBOUR, PICTURE

IMPATIENT_S = 0.5


class Desk:
    """Whole uploads, and a checker whose process can begin at any time anew."""

    def __init__(self, folder):
        keys.make(folder / "receipt.pem")
        self.key, self.spool = CommandKey.load(str(folder / "receipt.pem")), Spool(folder / "exports")
        self.requests = PictureRequests(database.open_engine(f"sqlite:///{folder}/ward.db"))

    def checker(self):
        return Checker(self.requests, self.spool, self.key, SystemClock(), IntakeMetrics(""))

    def whole(self, dev, endless=False):
        """A request whose picture has come; one that is `endless` has a hole of a terabyte in it."""
        now_ms = time.time_ns() // 1_000_000
        request = PictureRequest(
            id=ulid.make(now_ms, os.urandom(10)), dev=dev, kind="snapshot", cam="gate", case_no="1", purpose="crime",
            officer="A", basis="B", made_ms=now_ms, until_ms=now_ms + 86_400_000, command="{}", state="sent")
        self.requests.add(request)
        self.requests.announced(request.id, len(PICTURE.data), PICTURE.sha256, None, "", now_ms)
        path = self.spool.path(request.id)
        path.write_bytes(PICTURE.data)
        if endless:
            os.truncate(path, 1 << 40)
        found = self.requests.find(request.id)
        assert found
        return found


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_one_that_takes_for_ever_delays_nobody(desk):
    bad, good = [desk.whole(DEV, endless=True) for _ in range(4)], desk.whole(NEIGHBOUR)

    async def beside_each_other():
        ours = desk.checker()
        slow = [asyncio.create_task(ours.check(request)) for request in bad]
        await asyncio.sleep(0)
        await ours.settle(good, await ours.check(good))
        assert not any(each.done() for each in slow), "the neighbour has waited for none of them"
        for each in slow:
            each.cancel()
        await asyncio.wait(slow)
    asyncio.run(beside_each_other())
    assert desk.requests.find(good.id).state == "done"
    assert not any(desk.requests.unchecked_n(each.id) for each in bad), "one that was ended by us is no try"


def test_what_takes_for_ever_is_refused_after_two_tries_whatever_restarts_in_between(desk, monkeypatch):
    monkeypatch.setattr(checker, "FIRST_S", IMPATIENT_S)
    monkeypatch.setattr(checker, "AGAIN_S", IMPATIENT_S)
    request = desk.whole(DEV, endless=True)
    with pytest.raises(Trouble):
        asyncio.run(desk.checker().check(request))
    verdicts = [asyncio.run(desk.checker().check(request)) for _ in range(2)]
    assert [verdict.code for verdict in verdicts] == ["uncheckable", "uncheckable"]
    assert desk.requests.unchecked_n(request.id) == TRIES_N, "and it is not begun a third time"


def test_a_disk_that_is_full_is_not_the_upload_s_fault(desk):
    request = desk.whole(DEV)
    desk.spool.path(request.id).unlink()            # stands for any error of the disk
    with pytest.raises(Trouble, match="room"):
        asyncio.run(desk.checker().check(request))
    assert desk.requests.unchecked_n(request.id) == 0


def test_a_check_whose_process_is_killed_counts(desk, monkeypatch):
    monkeypatch.setattr("agent.ward.uploads.checker.sys.executable", "/bin/false")
    request = desk.whole(DEV)
    with pytest.raises(Trouble, match="code"):
        asyncio.run(desk.checker().check(request))
    assert desk.requests.unchecked_n(request.id) == 1
