"""A device's outbox by a real one's rules (core.delivery.outbox), in memory: these devices lose no power."""
from agent.core.contract import wire
from agent.core.delivery.outbox import Offers, OutboxPace, is_late
from agent.host.clock import Instant
from agent.mqtt.messages import Outgoing
from agent.mqtt.session import Session
from scripts.benches.city_simulation.tally import DeviceTally

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


class Outbox:
    """Events that wait for the ward's receipt."""

    def __init__(self, topics: wire.Topics, pace: OutboxPace, tally: DeviceTally) -> None:
        self._topics, self.tally = topics, tally
        self._offers = Offers(pace)
        self._rows: dict[int, wire.Entry] = {}
        self.last_seq = 0

    def __len__(self) -> int:
        """How many events wait."""
        return len(self._rows)

    def append(self, kind: str, camera: str, now: Instant, data: str) -> None:
        """Add an event."""
        self.last_seq += 1
        self._rows[self.last_seq] = wire.Entry(self.last_seq, kind, camera, now.boot, now.mono_ms, now.wall_ms,
                                               now.clock, data)
        self.tally.events_n += 1

    def wait_s(self, now_mono_s: float, room_n: int) -> float:
        """Seconds until `turn` has something to do."""
        if not self._rows or room_n <= 0:
            return float("inf")
        return max(0.0, self._offers.wait_s(now_mono_s, self.last_seq > self._offers.cursor))

    def turn(self, session: Session, now: Instant) -> None:
        """Offer what is due, then what is new, as far as rate, window and the broker allow."""
        if not self._rows:
            return
        now_mono_s = now.mono_ms / 1000
        limit_n = min(self._offers.allowed_n(now_mono_s), session.room_n)
        due = self._offers.due(now_mono_s, limit_n)
        fresh_n = max(0, min(limit_n - len(due), self._offers.fresh_n))
        first = self._offers.cursor + 1
        for seq in (*due, *range(first, min(self.last_seq + 1, first + fresh_n))):
            self._offer(self._rows[seq], session, now)

    def taken(self, seq: int) -> None:
        """The broker has this event."""
        self._offers.taken(seq)

    def receipt(self, ack: wire.Ack, now_mono_s: float) -> None:
        """Heed a receipt: the ward has these events."""
        settled = self._offers.out(ack.also)
        self._offers.settled(settled)
        for seq in settled:
            self.tally.lags_s.append(now_mono_s - self._rows.pop(seq).mono_ms / 1000)
        if settled:
            self._offers.shorten_waits(now_mono_s)

    def lost(self, now_mono_s: float) -> None:
        """The connection is gone."""
        self._offers.lost(now_mono_s)

    def hurry(self, now_mono_s: float) -> None:
        """The ward's ingest is at work again."""
        self._offers.shorten_waits(now_mono_s)

    def _offer(self, entry: wire.Entry, session: Session, now: Instant) -> None:
        late = is_late(entry, now.boot, now.mono_ms)
        payload = wire.cloud_event(self._topics.ward, self._topics.dev, entry, late)
        self._offers.offered(entry.seq, now.mono_ms / 1000)
        session.publish(Outgoing(self._topics.evt, payload, content_type=CONTENT_TYPE), entry.seq)
        self.tally.offers_n += 1
