"""The inbox of a role: whose word a datagram is, and that none, whatever is in it, ends who reads it. Needs root."""
import array
import os
import socket
from collections.abc import Iterator

import msgspec
import pytest

from agent.core.contract.facts import Beat, CameraFacts, LinkFacts, Message, Poke, ReachFacts, WebFacts
from agent.host import runtime
from agent.host.datagram import LARGEST_B, Inbox, Outlet
from tests.rigs.store.users import Premises

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: users of other roles")
WELL = CameraFacts(camera="gate", state="ok", recording=True)


def beat(role: str, unit: str = "", **more: object) -> Beat:
    return Beat(role=role, unit=unit or role, pid=1, mono_s=1.0, up_s=1.0, **more)


@pytest.fixture
def home() -> Iterator[Premises]:
    with Premises() as made:
        yield made


@pytest.fixture
def inbox(home: Premises) -> Iterator[Inbox]:
    made = Inbox(home.runtime, "link")
    yield made
    made.close()


def heard(home: Premises, inbox: Inbox, role: str, *messages: Message) -> list[Message]:
    """What the link hears of these, sent by the role's user: heartbeats name the sender's process."""
    def send() -> int:
        for each in messages:
            Outlet(home.runtime).send(each, "link")
        return os.getpid()

    pid, said = home.as_role(role, send), [*inbox.waiting()]
    assert all(each.pid == pid for each in said if isinstance(each, Beat))
    return [msgspec.structs.replace(each, pid=1) if isinstance(each, Beat) else each for each in said]


@pytest.mark.parametrize("forger", ["web", "link", "keeper"])
def test_a_heartbeat_counts_from_the_user_of_its_role_alone(home: Premises, inbox: Inbox, forger: str) -> None:
    true = beat("capture", "capture@gate", cameras=[WELL])
    assert heard(home, inbox, forger, true) == []
    assert heard(home, inbox, "capture", true) == [true]


@pytest.mark.parametrize("forged", [
    beat("web", "capture@gate"), beat("web", cameras=[WELL]), beat("web", facts=LinkFacts(broker="connected")),
    beat("run")], ids=["another's unit", "cameras", "another's facts", "nobody's"])
def test_a_role_tells_nothing_of_others_in_a_heartbeat_of_its_own(home: Premises, inbox: Inbox, forged: Beat) -> None:
    honest = beat("web", facts=WebFacts(viewers_n=1))
    assert heard(home, inbox, "web", forged, honest) == [honest]


def test_pokes_and_reach_count_from_those_who_may_say_them(home: Premises, inbox: Inbox) -> None:
    said = [Poke(what="database"), Poke(what="space"), Poke(what="requests"), ReachFacts(net_up=True)]
    assert heard(home, inbox, "link", *said) == heard(home, inbox, "web", *said) == said[2:]
    assert heard(home, inbox, "capture", *said) == said[:2]
    assert heard(home, inbox, "root", *said) == said


def test_a_role_named_by_a_path_has_no_user(home: Premises, inbox: Inbox) -> None:
    data = b'{"type":"beat","role":"../../../tmp","unit":"../../../tmp","pid":1,"mono_s":1,"up_s":1}'
    home.as_role("web", lambda: send(home, data))
    assert [*inbox.waiting()] == []


def send(home: Premises, data: bytes, *ancillary: tuple[int, int, array.array]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.connect(str(runtime.inbox(home.runtime, "link")))
        end.sendmsg([data], ancillary)


HOSTILE = {
    "no text": b'{"type":"poke","what":"\xff\xfe"}', "no text in the tag": b'{"type":"\xff"}',
    "very deep": b'{"type":"poke","what":"requests","x":' + b"[" * (LARGEST_B - 100),
    "NUL": bytes(100), "nothing": b"", "half a character": b'{"type":"poke","what":"\\ud800"}',
    "a large number": b'{"type":"beat","role":"web","unit":"web","pid":' + b"9" * 5000 + b',"mono_s":1,"up_s":1}',
    "too long": b'{"type":"poke","what":"requests"}' + b" " * LARGEST_B}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_no_bytes_end_who_reads_them(home: Premises, inbox: Inbox, data: bytes) -> None:
    for read in (lambda: [*inbox.waiting()], lambda: [inbox.receive(1.0), inbox.receive(1.0)]):
        home.as_role("web", lambda: send(home, data))
        home.as_role("web", lambda: Outlet(home.runtime).send(Poke(what="notify"), "link"))
        assert Poke(what="notify") in read()


def test_descriptors_that_come_along_are_not_kept(home: Premises, inbox: Inbox) -> None:
    before_n = len(os.listdir("/proc/self/fd"))
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 250))
    home.as_role("web", lambda: [send(home, b'{"type":"poke","what":"notify"}', rights) for _ in range(5)])
    assert [*inbox.waiting()] == [Poke(what="notify")] * 5
    assert len(os.listdir("/proc/self/fd")) == before_n
