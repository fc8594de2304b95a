"""A household whose link is busy, and a look at whether anything of it still reaches the broker."""
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

from agent.core.contract.facts import Poke
from agent.store import outbox
from agent.store.database import connect, transaction
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import until
from tests.rigs.ward.handover import DEV, House

WITHIN_S = 5.0
EVERY_S = 0.05              # a message is written, of each kind by turns
KINDS = ("motion", "camera", "clip", "storage", "tamper")


@contextlib.contextmanager
def busy(house: House) -> Iterator[None]:
    """Something happens all the time."""
    over = threading.Event()

    def happen() -> None:
        with contextlib.closing(connect(house.folders.root)) as db:
            for kind in itertools.cycle(KINDS):
                if over.wait(EVERY_S):
                    return
                with transaction(db):
                    outbox.append(db, kind, "gate", house.rig.clock.now(), '{"event":1,"phase":"start","start_ms":5}')
                house.rig.outlet.send(Poke(what="outbox"), "link")

    thread = threading.Thread(target=happen)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_quiet(house: House, heard: Callable[[], int]) -> bool:
    """Whether nothing more is heard while the link goes on living, and things go on happening."""
    heard_n, beats_n = heard(), len(house.rig.beats)
    until(lambda: house.rig.facts() and len(house.rig.beats) > beats_n + 6, "the link lives")
    return heard() == heard_n


def from_us(broker: Broker) -> int:
    """How many packets of ours the broker has in its log."""
    return sum("Received " in line and f"from {DEV}" in line for line in broker.log.read_text().splitlines())
