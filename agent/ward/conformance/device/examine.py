"""Looks at a running device: listens, tries it with commands, and where asked to sends its receipts."""
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from agent.core.contract import ulid, wire
from agent.host.clock import Clock
from agent.mqtt.fault import WARD_DESK
from agent.ward import settings
from agent.ward.conformance.device import prods
from agent.ward.conformance.device.prods import ANSWER_S, Prod
from agent.ward.conformance.device.receipts import AGAIN_S
from agent.ward.conformance.device.settle import Settler
from agent.ward.conformance.transcript import Transcript
from agent.ward.conformance.witness import Record, Witness
from agent.ward.opslink import NAME, Account

FIRST_S = 2.0                   # what lies at the broker comes within this
TURN_S = 0.5                    # between two looks at what is owed


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to look."""

    length_s: float = 120.0
    as_ingest: bool = False             # stand in for the ward's ingest, too
    again_s: float = AGAIN_S            # so long the device waits for a receipt; tests have it wait shorter


def examine(own: settings.Settings, dev: str, wishes: Wishes, clock: Clock) -> Transcript:
    """Look at a device. Raises VisitFault."""
    record, topics = Record(clock), wire.Topics(own.ward.ward, dev)
    with ExitStack() as visits:
        ops = visits.enter_context(_as_ops(own, topics, record))
        settler = visits.enter_context(Settler(own, dev, record, wishes.again_s)) if wishes.as_ingest else None
        examiner = Examiner(ops, topics, settler)
        examiner.listen(FIRST_S)
        examiner.try_commands()
        if record.heard:                # of one that is not there, no more comes
            examiner.listen(wishes.length_s - record.at_s)
        return record.look(topics.ward, dev)


def _as_ops(own: settings.Settings, topics: wire.Topics, record: Record) -> Witness:
    ops = own.ops
    account = Account(own.ward.tls, own.ward.ca, ops.cert, ops.key, ops.user, ops.password_file)
    listen = f"{topics.root}/#", wire.Topics(topics.ward, prods.NOBODY).response(NAME, "#")
    return Witness(own.ward, account, NAME, listen, record, audience=WARD_DESK)


class Examiner:
    """Tries one device."""

    def __init__(self, ops: Witness, topics: wire.Topics, settler: Settler | None) -> None:
        self._ops, self._topics, self._record, self._settler = ops, topics, ops.record, settler
        self._ids: dict[str, str] = {}

    def listen(self, seconds: float) -> None:
        """Listen for so long, and let the device have its receipts. Raises VisitFault."""
        until_s = self._record.at_s + seconds
        while (left_s := until_s - self._record.at_s) > 0:
            self._ops.listen(lambda: False, min(left_s, TURN_S))
            if self._settler:
                self._settler.turn()

    def try_commands(self) -> None:
        """Give the commands, those that build on others when these have been answered. Raises VisitFault."""
        for prod in prods.PRODS:
            self._say(prod)
        self._wait_for_answers()
        self._say(prods.TWICE, self._ids["rebirth"])
        if seqs := [event.seq for _, event in self._so_far().events]:
            self._say(prods.REPLAY, args={"from": seqs[-1], "to": seqs[-1]})
        self._wait_for_answers()

    def _say(self, prod: Prod, command_id: str | None = None, args: dict[str, Any] | None = None) -> None:
        now_ms = self._record.clock.now().wall_ms
        command_id = self._ids[prod.what] = command_id or ulid.make(now_ms, os.urandom(ulid.CHANCE_B))
        correlation = b"\x00\xff" + os.urandom(4)       # any bytes must come back
        self._ops.say(prod.what, prods.outgoing(prod, self._topics, command_id, now_ms, correlation, args))

    def _wait_for_answers(self) -> None:
        """Until all have come, or the device's time for them is over."""
        until_s = self._record.at_s + ANSWER_S
        while self._record.at_s < until_s and not self._all_answered():
            self.listen(TURN_S)

    def _all_answered(self) -> bool:
        look = self._so_far()
        return all(look.answer(said) for said in look.tried(*prods.ALL))

    def _so_far(self) -> Transcript:
        return self._record.look(self._topics.ward, self._topics.dev)
