"""Stands in for the ward's ingest: sends receipts for a device's events, one of them late, and one refusal.

Nobody keeps these events: it is for a device on a bench, at a broker without an ingest.
"""
from agent.core.contract import wire
from agent.mqtt.messages import Outgoing
from agent.ward import settings
from agent.ward.citytopics import WardTopics
from taimat_conformance.channels import WARD_LIVES_S
from taimat_conformance.device import receipts
from taimat_conformance.visit import Visit, VisitRecord

CODE = "conformance"
RECEIPT_LIVES_S = 3600          # nothing of ours is to stay at the broker


class Settler:
    """A context manager; its `turn` must be called now and then."""

    def __init__(self, own: settings.Settings, dev: str, record: VisitRecord, again_s: float) -> None:
        """Connect as the ingest, for a device that waits `again_s` for a receipt. Raises VisitFault."""
        self._ward, self._dev, self._record = WardTopics(own.ward.ward), dev, record
        self._patience_s = again_s * receipts.LATE + 1.0
        self._given: set[int] = set()
        self._late: int | None = None           # the seq whose receipt has to wait,
        self._late_s = 0.0                      # and since when it does
        self._refused: int | None = None
        listen = (wire.Topics(own.ward.ward, dev).status,)      # ops hears all of that, too
        self._link = Visit(own.ward, own.ward, own.ward.name, listen, VisitRecord(record.clock), self._state(False))
        self._link.say("state", self._state(True))

    def turn(self) -> None:
        """Send what is due. Raises VisitFault."""
        events = self._record.look(self._ward.ward, self._dev).events
        seqs = [event.seq for _, event in events if event.seq not in self._given]
        for seq in dict.fromkeys(seqs):
            if self._late is None:
                self._late, self._late_s = seq, self._record.at_s
            elif self._refused is None and seq != self._late:
                self._refused = seq
                self._give(receipts.REFUSAL, wire.Ack(upto=0, reject=[wire.Rejected(seq=seq, code=CODE)]), seq)
            elif seq != self._late or self._record.at_s - self._late_s > self._patience_s:
                self._give(receipts.RECEIPT, wire.Ack(upto=0, also=[seq]), seq)
        self._link.listen(lambda: False, 0.01)

    def close(self) -> None:
        """Say that no ingest is at work, and leave."""
        self._link.say("state", self._state(False))
        self._link.listen(lambda: False, 0.2)
        self._link.close()

    def __enter__(self) -> "Settler":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _give(self, what: str, ack: wire.Ack, seq: int) -> None:
        self._given.add(seq)
        outgoing = Outgoing(self._ward.receipt(self._dev), wire.encode(ack), expiry_s=RECEIPT_LIVES_S)
        self._link.say(what, outgoing)
        self._record.note(what, outgoing)

    def _state(self, online: bool) -> Outgoing:
        return Outgoing(self._ward.state, wire.encode(wire.WardState(online=online)), retain=True,
                        expiry_s=WARD_LIVES_S if online else None)
