"""Receives messages from the broker: checks them, caches them, commits them in batches, and then owes receipts."""
import functools
import logging

from agent.core.contract.wire import ward_side
from agent.core.contract.wire.citytopics import CityTopics, WardTopics
from agent.host.clock import Clock
from agent.mqtt.connection import Arrived
from agent.ward import register
from agent.ward.device_cache import DeviceCache, TooManyDevices
from agent.ward.events import Came
from agent.ward.metrics import ReceptionMetrics
from agent.ward.receipts import Receipts
from agent.ward.register import Arrival

BATCH_N = 500               # messages of a commit, at most
EVENTS_WAIT_S = 0.1         # an event waits so long for others to be committed with it,
REPORTS_WAIT_S = 1.0        # and a report, which gets no receipt

_log = logging.getLogger(__name__)


class Reception:
    """Messages on their way from the broker to the cache, and the receipts for them."""

    def __init__(self, topics: WardTopics | CityTopics, cache: DeviceCache, clock: Clock,
                 metrics: ReceptionMetrics) -> None:
        self._topics, self._cache, self._clock, self._metrics = topics, cache, clock, metrics
        self._since_mono_s: float | None = None         # the oldest message that is not committed
        self.receipts = Receipts()

    def receive(self, arrived: Arrived) -> None:
        """Check a message and cache it. A bad one is counted by its reason; a bad event is rejected to its device."""
        where = self._topics.place(arrived.topic)
        if where is None:
            self._refuse("strange_topic")
            return
        when = Arrival(self._clock.now().wall_ms, arrived.expiry_s)
        try:
            if arrived.payload:
                self._note(ward_side.read(where, arrived.payload), when)
            else:
                self._gone(where, when)
        except ward_side.Unacceptable as bad:
            if bad.seq is None:
                self._refuse(bad.code)
            else:
                self._reject(where.dev, bad.seq, bad.code)
            return
        except TooManyDevices:
            self._refuse("too_many_devices")
            return
        self._metrics.messages.labels(where.what).inc()
        if self._since_mono_s is None:
            self._since_mono_s = self._clock.mono_s()

    def wait_s(self) -> float:
        """Seconds until `commit` is due."""
        if self._since_mono_s is None or not self._cache.waiting_n:
            return float("inf")
        if self._cache.waiting_n >= BATCH_N:
            return 0.0
        patience_s = EVENTS_WAIT_S if self._cache.events_n else REPORTS_WAIT_S
        return max(0.0, self._since_mono_s + patience_s - self._clock.mono_s())

    def commit(self) -> None:
        """Commit what has come; only then are receipts owed. Raises DatabaseFault."""
        began_mono_s = self._clock.mono_s()
        done = self._cache.commit()
        self._since_mono_s = None
        self._metrics.commit_s.observe(self._clock.mono_s() - began_mono_s)
        now_ms = self._clock.now().wall_ms
        for dev, seq in done.safe:
            self.receipts.confirm(dev, seq)
        for dev, seq in done.reused:
            self._reject(dev, seq, "seq_reused")
            _log.warning("%s: its numbers start anew: was its card replaced? It needs a new id; enrol it again", dev)
        for event in done.new:
            self._count(event, now_ms)
        self._metrics.repeated.inc(len(done.safe) - len(done.new))
        self._metrics.zombies.inc(done.past_n)

    def _note(self, message: ward_side.Message, when: Arrival) -> None:
        dev, remember = message.dev, functools.partial(self._cache.remember, message.dev, now_ms=when.now_ms)
        match message.told:
            case ward_side.Status() as status:
                remember(lambda known: register.with_status(known, status, when))
            case ward_side.Birth() as birth:
                remember(lambda known: register.with_birth(known, birth, message.text))
            case ward_side.Health() as health:
                remember(lambda known: register.with_health(known, health, message.text, when))
                self._cache.remember_health(dev, message.text, when.now_ms)
            case ward_side.CommandAnswer() as answer:
                self._cache.remember_answer(dev, answer, when.now_ms)
            case ward_side.Event() as event:
                self._cache.remember_event(Came(dev, event, message.text, when))
                if event.data.kind == "command" and (answered := ward_side.answer_in(message.text)):
                    self._cache.remember_answer(dev, answered, when.now_ms)

    def _gone(self, where: ward_side.Place, when: Arrival) -> None:
        """An empty payload: a retained message was deleted at the broker."""
        if where.what == "status":
            self._cache.remember(where.dev, register.removed, when.now_ms)

    def _reject(self, dev: str, seq: int, code: str) -> None:
        """Refuse an event for good: its device sets it aside, and reports it."""
        self._refuse(code)
        self._metrics.rejected.inc()
        self.receipts.reject(dev, seq, code)

    def _refuse(self, code: str) -> None:
        self._metrics.bad.labels(code).inc()
        _log.warning("a message was not taken: %s", code)

    def _count(self, event: ward_side.Event, now_ms: int) -> None:
        self._metrics.count_event(event.data.kind)
        if event.time and event.clock == "ntp" and not event.data.hist:
            self._metrics.lag_s.observe(max(0.0, now_ms / 1000 - event.time.timestamp()))
