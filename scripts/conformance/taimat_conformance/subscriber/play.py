"""Plays a device for the ward's subscriber: sends it right and wrong messages, and records its answers."""
from dataclasses import dataclass
from typing import Any

from agent.core.contract import wire
from agent.host.clock import Clock
from agent.mqtt.credentials import BrokerAccount
from agent.mqtt.fault import TESTED_SUBSCRIBER
from agent.mqtt.messages import Outgoing
from agent.ward import settings
from taimat_conformance.subscriber.rules import (
    ANSWER_S,
    ASKED_S,
    BEHIND,
    GAP,
    HELD,
    PATIENCE_S,
    TAKEN,
    receipts,
    replays,
)
from taimat_conformance.subscriber.says import NOBODY, SPOILED, Speaker, later, spoiled
from taimat_conformance.transcript import Transcript
from taimat_conformance.visit import Visit, VisitRecord, client_id

FIRST_S = 2.0                   # retained messages come within this
TURN_S = 0.5
PLAIN_N, GAP_N, BURST_N = 3, 3, 1000


@dataclass(frozen=True, slots=True)
class PlayTempo:
    """Waits, and the size of the burst; tests set less."""

    patience_s: float = PATIENCE_S      # of the subscriber, before it asks for missing events
    late_s: float = 10.0                # a request for them may come so much later
    burst_n: int = BURST_N


def play(own: settings.Ward, account: BrokerAccount, tempo: PlayTempo, clock: Clock) -> Transcript:
    """The whole play, some minutes long, as the device that the certificate names. Raises VisitFault."""
    record = VisitRecord(clock)
    speaker = Speaker(wire.Topics(own.ward, client_id(account, NOBODY, TESTED_SUBSCRIBER)))
    topics, will = speaker.topics, speaker.status(clock.now(), False, "lost")
    listen = topics.ack, f"{topics.root}/cmd/#", topics.ward_state
    with Visit(own, account, topics.dev, listen, record, will, TESTED_SUBSCRIBER) as visit:
        player = Player(visit, speaker, tempo)
        try:
            player.begin()
            player.tell()
            player.wait_for_the_gap()
            look = record.look(topics.ward, topics.dev)
        except KeyboardInterrupt:
            player.leave()
            raise
        player.leave()
    return look


class Player:
    """A device that also sends what a real one never would."""

    def __init__(self, visit: Visit, speaker: Speaker, tempo: PlayTempo) -> None:
        self._visit, self._speaker, self._tempo = visit, speaker, tempo
        self._record, self._clock = visit.record, visit.record.clock
        # Seqs begin at the clock's ms: so no two runs share one, and nothing need be remembered.
        self._seq = self._record.began_ms
        self._held: dict[int, Outgoing] = {}
        self._answered: set[str] = set()

    def begin(self) -> None:
        """Come up, and name all seqs before this run as missing, so that nobody waits for them. Raises VisitFault."""
        self._listen(FIRST_S)
        now = self._clock.now()
        for what, message in (("status", self._speaker.status(now, True)),
                              ("birth", self._speaker.birth(now, self._seq)), ("health", self._speaker.health(now))):
            self._visit.say(what, message)
        self._tell("past", self._speaker.gap(now, self._seq, 1, self._seq - 1))

    def tell(self) -> None:
        """Send right events, wrong ones, a gap, and many at once. Raises VisitFault."""
        plain = [self._event() for _ in range(PLAIN_N)]
        for each in plain:
            self._tell("plain", each)
        self._tell("later", later(self._event()))
        self._wait_for_receipts()
        self._tell("repeat", plain[0])
        for word in SPOILED:
            self._tell(word, spoiled(word, self._event()))
        self._tell("plain", self._event())
        left_out = [self._event() for _ in range(GAP_N)]
        self._held = {left_out[0]["seq"]: self._speaker.wrap(left_out[0])}
        self._tell(BEHIND, self._event())
        for _ in range(self._tempo.burst_n):
            self._tell("burst", self._event())
        self._wait_for_receipts()

    def wait_for_the_gap(self) -> None:
        """Wait until the gap has been asked for, and as long again, to see that it is not asked for twice."""
        until_s = self._record.at_s + self._tempo.patience_s + ASKED_S
        while self._record.at_s < until_s and self._held:
            self._listen(TURN_S)
        self._listen(self._tempo.patience_s + self._tempo.late_s)

    def leave(self) -> None:
        """Say "offline", and delete what is retained. Raises VisitFault."""
        self._visit.say("status", self._speaker.status(self._clock.now(), False, "shutdown"))
        topics = self._speaker.topics
        for topic in (topics.status, topics.birth, topics.health):
            self._visit.say("clear", Outgoing(topic, b"", retain=True))
        self._listen(TURN_S)

    def _event(self) -> dict[str, Any]:
        """The next event, not sent yet."""
        self._seq += 1
        return self._speaker.event(self._clock.now(), self._seq)

    def _tell(self, what: str, event: dict[str, Any] | bytes) -> None:
        self._visit.say(what, self._speaker.wrap(event))

    def _listen(self, seconds: float) -> None:
        """Listen for so long, and obey `replay`."""
        until_s = self._record.at_s + seconds
        while (left_s := until_s - self._record.at_s) > 0:
            self._visit.listen(lambda: False, min(left_s, TURN_S))
            for _, command, asked in replays(self._look()):
                if command.id not in self._answered:
                    self._answered.add(command.id)
                    self._replay(command.id, range(asked.first, min(asked.last, self._seq) + 1))

    def _replay(self, command_id: str, asked: range) -> None:
        """Send the event that was held back, and name the others as missing."""
        now = self._clock.now()
        self._visit.say("answer", self._speaker.answer(now, command_id))
        come = [seq for seq in self._held if seq in asked]
        for seq in come:
            self._visit.say(HELD, self._held.pop(seq))
        left = range(come[-1] + 1, asked.stop) if come else asked
        if left:
            self._seq += 1
            self._tell(GAP, self._speaker.gap(now, self._seq, left.start, left.stop - 1))

    def _wait_for_receipts(self) -> None:
        """Wait until each right event has its receipt, or ANSWER_S have passed."""
        until_s = self._record.at_s + ANSWER_S
        while self._record.at_s < until_s and not self._all_settled():
            self._listen(TURN_S)

    def _all_settled(self) -> bool:
        look = self._look()
        done = {seq for _, ack in receipts(look) for seq in ack.also}
        upto = max((ack.upto for _, ack in receipts(look)), default=0)
        return all(said.seq in done or said.seq <= upto for said in look.tried(*TAKEN, "later", "burst"))

    def _look(self) -> Transcript:
        return self._record.look(self._speaker.topics.ward, self._speaker.topics.dev)
