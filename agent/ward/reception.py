"""Receives messages from the broker: checks them, caches them, commits them in batches, and then owes receipts.

A message that triggers a fault of ours, when it is read or committed, is set aside; those around it are taken.
"""
import functools
import logging
import traceback
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.core.contract.wire.inbound import REFUSED_MAX, Ack, Rejected
from agent.host.clock import Clock
from agent.mqtt.messages import Arrived
from agent.ward import register, ward_side
from agent.ward.citytopics import CityTopics, WardTopics
from agent.ward.database import DatabaseFault, UnfitValue
from agent.ward.device_cache import Committed, DeviceCache, TooManyDevices
from agent.ward.events import Came
from agent.ward.metrics import KINDS, IngestMetrics
from agent.ward.quota import Excess, Quota
from agent.ward.register import Arrival

BATCH_N = 500               # messages of a commit, at most
EVENTS_WAIT_S = 0.1         # how long an event waits for others to be committed with it,
REPORTS_WAIT_S = 1.0        # and a report, which gets no receipt
EXCESS_EVERY_S = 60.0       # how often a device's excess is logged

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Owed:
    taken: set[int] = field(default_factory=set)
    rejected: dict[int, str] = field(default_factory=dict)


class Receipts:
    """Owed receipts by device, oldest first. They name each seq: "all up to" would settle events that never came."""

    def __init__(self) -> None:
        self._owed: OrderedDict[str, _Owed] = OrderedDict()

    def confirm(self, dev: str, seq: int) -> None:
        self._owed.setdefault(dev, _Owed()).taken.add(seq)

    def reject(self, dev: str, seq: int, code: str) -> None:
        self._owed.setdefault(dev, _Owed()).rejected[seq] = code

    def next(self) -> tuple[str, Ack] | None:
        """Removes and returns the next device and its receipt; None if none is owed."""
        if not self._owed:
            return None
        dev, owed = self._owed.popitem(last=False)
        also, reject = sorted(owed.taken), sorted(owed.rejected.items())
        rest = _Owed(set(also[REFUSED_MAX:]), dict(reject[REFUSED_MAX:]))
        if rest.taken or rest.rejected:
            self._owed[dev] = rest
        return dev, Ack(upto=0, also=also[:REFUSED_MAX],
                        reject=[Rejected(seq=seq, code=code) for seq, code in reject[:REFUSED_MAX]])

    def __len__(self) -> int:
        return len(self._owed)


class Received(NamedTuple):
    """A cached message that is not committed; without `message`, a retained one was deleted at the broker."""

    topic: str
    where: ward_side.Place
    message: ward_side.Message | None
    when: Arrival


class Reception:
    def __init__(self, topics: WardTopics | CityTopics, cache: DeviceCache, clock: Clock,
                 metrics: IngestMetrics, quota: Quota) -> None:
        self._topics, self._cache, self._clock, self._metrics, self._quota = topics, cache, clock, metrics, quota
        self._since_mono_s: float | None = None         # the oldest message that is not committed
        self._batch: list[Received] = []
        self.receipts = Receipts()

    def receive(self, arrived: Arrived) -> None:
        """Checks a message and caches it. Counts a bad one by its reason; rejects a bad event to its device."""
        where = self._topics.place(arrived.topic)
        if where is None:
            self._refuse("strange_topic", arrived.topic)
            return
        if over := self._quota.excess(where.dev, len(arrived.payload), where.what == "evt", self._clock.mono_s()):
            self._over(over, where.dev)
            return
        try:
            message = ward_side.read(where, arrived.payload) if arrived.payload else None
            received = Received(arrived.topic, where, message, Arrival(self._clock.now().wall_ms, arrived.expiry_s))
            self._note(received)
        except ward_side.Unacceptable as bad:
            self._refuse(bad.code, arrived.topic, where.dev, bad.seq)
            return
        except TooManyDevices as full:
            self._refuse("too_many_devices", arrived.topic, why=str(full))
            return
        except Exception as error:      # ours: other messages must be taken
            self._set_aside(error, arrived.topic, where.dev, ward_side.seq_of(where, arrived.payload))
            return
        self._batch.append(received)
        self._metrics.messages.labels(where.what).inc()
        self._wait()

    def wait_s(self) -> float:
        if self._since_mono_s is None or not self._cache.waiting_n:
            return float("inf")
        if self._cache.waiting_n >= BATCH_N:
            return 0.0
        patience_s = EVENTS_WAIT_S if self._cache.events_n else REPORTS_WAIT_S
        return max(0.0, self._since_mono_s + patience_s - self._clock.mono_s())

    def _wait(self) -> None:
        if self._since_mono_s is None:
            self._since_mono_s = self._clock.mono_s()

    def commit(self) -> None:
        """Commits what has come; only then are receipts owed. Raises DatabaseFault."""
        began_mono_s = self._clock.mono_s()
        batch, self._batch, self._since_mono_s = self._batch, [], None
        self._save(batch)
        self._metrics.commit_s.observe(self._clock.mono_s() - began_mono_s)

    def _save(self, batch: list[Received]) -> None:
        """Commits the cached batch; if something in it can't be committed, its halves."""
        try:
            self._settle(self._cache.commit())
        except Exception as error:      # ours, caused by one of them
            if isinstance(error, DatabaseFault) and not isinstance(error, UnfitValue):
                raise
            self._cache.clear()
            if len(batch) <= 1:
                for topic, where, message, _ in batch:
                    seq = message.told.seq if message and isinstance(message.told, ward_side.Event) else None
                    self._set_aside(error, topic, where.dev, seq)
                return
            middle = len(batch) // 2
            for half in (batch[:middle], batch[middle:]):
                for each in half:
                    self._note(each)
                self._save(half)

    def _settle(self, done: Committed) -> None:
        now_ms = self._clock.now().wall_ms
        for dev, seq in done.safe:
            self.receipts.confirm(dev, seq)
        for dev, seq in done.reused:
            self._refuse("seq_reused", f"{dev}/evt", dev, seq)
            _log.warning("%s: its numbers start again: was its card replaced or set back? It goes on behind ours; "
                         "if it does not, it needs a new id: enrol it again", dev)
        for dev in done.cloned:
            _log.warning("%s: two devices use its certificate: a card was copied. Throw both out by a new "
                         "claim for one: taimat ward enrol --again SERIAL", dev)
        for came in done.new:
            self._quota.keep(came.dev, len(came.text), self._clock.mono_s())
            self._count(came.event, now_ms)
        self._metrics.repeated.inc(len(done.safe) - len(done.new))
        self._metrics.zombies.inc(done.past_n)

    def _note(self, received: Received) -> None:
        """Raises TooManyDevices."""
        _, where, message, when = received
        dev, remember = where.dev, functools.partial(self._cache.remember, where.dev, now_ms=when.now_ms)
        match message.told if message else None:
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
                answered = ward_side.answer_in(message.text) if event.data.kind == "command" else None
                self._cache.remember_event(Came(dev, event, message.text, when))
                if answered:
                    self._cache.remember_answer(dev, answered, when.now_ms)
            case None if where.what == "status":
                remember(register.removed)

    def _over(self, why: Excess, dev: str) -> None:
        """Leaves what exceeds a device's share to the device, which offers it again later."""
        self._metrics.bad.labels(why).inc()
        if self._quota.is_news(dev, why, self._clock.mono_s(), EXCESS_EVERY_S):
            _log.warning("%s is over its share (%s): what is beyond it stays there, and comes again", dev, why)
            self._cache.remember_excess(dev, why, self._clock.now().wall_ms)
            self._wait()

    def _set_aside(self, error: Exception, topic: str, dev: str, seq: int | None) -> None:
        """Sets aside a message that triggered a fault of ours. Too little memory is not the message's fault."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("%s: a message on %s: %s at %s:%d: a fault of ours, please report it",
                   dev, topic, type(error).__name__, last.filename, last.lineno)
        self._refuse("fault", topic, dev, None if isinstance(error, MemoryError) else seq)

    def _refuse(self, code: str, topic: str, dev: str = "", seq: int | None = None, why: str = "") -> None:
        """Counts it. An event with a known seq is refused for good: its device sets it aside, and reports it."""
        self._metrics.bad.labels(code).inc()
        _log.warning("%s: a message on %.120r was not taken: %s", dev or "a stranger", topic, why or code)
        if dev and self._quota.is_news(dev, "not_taken", self._clock.mono_s(), EXCESS_EVERY_S):
            self._cache.remember_excess(dev, "not_taken", self._clock.now().wall_ms)
            self._wait()
        if dev and seq is not None:
            self._metrics.rejected.inc()
            self.receipts.reject(dev, seq, code)

    def _count(self, event: ward_side.Event, now_ms: int) -> None:
        kind = event.data.kind
        self._metrics.events.labels(kind if kind in KINDS else "other").inc()
        if event.time and event.clock == "ntp" and not event.data.hist:
            self._metrics.lag_s.observe(max(0.0, now_ms / 1000 - event.time.timestamp()))
