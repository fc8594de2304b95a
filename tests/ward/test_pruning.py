"""A running ingest deletes old events a few at a time, and only by a clock that is set."""
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from agent.host.clock import Instant
from agent.host.stop import Stop
from agent.ward import database, settings, ward_side
from agent.ward.device_cache import DeviceCache
from agent.ward.events import Came
from agent.ward.ingest import PRUNE_N, Ingest, IngestTempo
from agent.ward.metrics import IngestMetrics
from agent.ward.quota import Quota
from agent.ward.register import Arrival
from tests.rigs.wait import until

DEV, DAY_MS = "c-000000000001", 86_400_000
EVENTS_N = 2 * PRUNE_N + 50


@dataclass
class Hurried:
    """A clock that goes on by a minute and a half with each look at it."""

    clock: str
    mono: float = 0.0

    def mono_s(self) -> float:
        """Later than before."""
        self.mono += 90
        return self.mono

    def now(self) -> Instant:
        """The thirtieth day, as far as the clock is set."""
        return Instant("b", int(self.mono * 1000), 30 * DAY_MS, self.clock)


@pytest.fixture
def book(tmp_path):
    """With so many events of the first day, and one of the last."""
    book = DeviceCache(database.open_engine(f"sqlite:///{tmp_path}/ward.db"))
    for seq in range(1, EVENTS_N + 2):
        event = ward_side.Event(specversion="1.0", id=f"{DEV}/{seq}", type="cam.motion.v1", source="/cam", seq=seq,
                                boot="b", clock="ntp", data=ward_side.EventData(mono_ms=seq, kind="motion"),
                                time=datetime.now(UTC))
        book.remember_event(Came(DEV, event, "{}", Arrival(DAY_MS if seq <= EVENTS_N else 30 * DAY_MS)))
    book.commit()
    return book


def pruned_n(metrics):
    """How many events were deleted so far."""
    return metrics.registry.get_sample_value("taimat_ward_pruned_events_total")


def test_old_events_are_deleted_when_the_clock_is_set_and_not_before(book):
    own = settings.parse('[ward]\nhost = "127.0.0.1"\nport = 1\ntls = false\n[database]\nevent_days = 7\n', "ward.toml")
    clock, metrics, stop = Hurried("saved"), IngestMetrics(), Stop()
    ingest = threading.Thread(target=Ingest(own, book, clock, metrics, IngestTempo(), Quota(1e8)).run, args=(stop,))
    ingest.start()
    try:
        until(lambda: clock.mono > 8000, "it has looked twice")
        assert pruned_n(metrics) == 0
        clock.clock = "ntp"
        until(lambda: pruned_n(metrics) == EVENTS_N)
    finally:
        stop.set()
        ingest.join()
