"""Examines a running device: listens, tries it with commands, and sends its receipts if wanted."""
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from agent.core.contract import ulid, wire
from agent.host.clock import Clock
from agent.mqtt.fault import WARD_DESK
from agent.ward import settings
from taimat_conformance.device import prods
from taimat_conformance.device.prods import ANSWER_S, Prod
from taimat_conformance.device.receipts import AGAIN_S
from taimat_conformance.device.settle import Settler
from taimat_conformance.transcript import Transcript
from taimat_conformance.visit import Visit, VisitAccount, VisitRecord

NAME = "ops"                    # the account that may give commands
FIRST_S = 2.0                   # retained messages come within this
TURN_S = 0.5                    # between two looks at owed receipts
REPORTS_N = 2                   # of health, of one boot: what an interval is between


@dataclass(frozen=True, slots=True)
class ExamineOptions:
    """How to examine."""

    length_s: float = 120.0
    as_ingest: bool = False             # also stand in for the ward's ingest
    again_s: float = AGAIN_S            # the device's wait for a receipt; tests set a shorter one


def examine(own: settings.Settings, dev: str, wishes: ExamineOptions, clock: Clock) -> Transcript:
    """Examine a device. Raises VisitFault."""
    record, topics = VisitRecord(clock), wire.Topics(own.ward.ward, dev)
    with ExitStack() as visits:
        ops = visits.enter_context(_as_ops(own, topics, record))
        settler = visits.enter_context(Settler(own, dev, record, wishes.again_s)) if wishes.as_ingest else None
        examiner = Examiner(ops, topics, settler)
        examiner.listen(FIRST_S)
        examiner.try_commands()
        if record.heard:                # an absent device sends no more
            examiner.listen(wishes.length_s - record.at_s)
            examiner.wait_for_reports(wishes.length_s)
        return record.look(topics.ward, dev)


def _as_ops(own: settings.Settings, topics: wire.Topics, record: VisitRecord) -> Visit:
    ops = own.ops
    account = VisitAccount(own.ward.tls, own.ward.ca, ops.cert, ops.key, ops.user, ops.password_file)
    listen = f"{topics.root}/#", wire.Topics(topics.ward, prods.NOBODY).response(NAME, "#")
    return Visit(own.ward, account, NAME, listen, record, audience=WARD_DESK)


class Examiner:
    """Tries one device."""

    def __init__(self, ops: Visit, topics: wire.Topics, settler: Settler | None) -> None:
        self._ops, self._topics, self._record, self._settler = ops, topics, ops.record, settler
        self._ids: dict[str, str] = {}

    def listen(self, seconds: float) -> None:
        """Listen for so long, and send receipts that are due. Raises VisitFault."""
        until_s = self._record.at_s + seconds
        while (left_s := until_s - self._record.at_s) > 0:
            self._ops.listen(lambda: False, min(left_s, TURN_S))
            if self._settler:
                self._settler.turn()

    def wait_for_reports(self, seconds: float) -> None:
        """Where health comes at all, wait until it has come twice: the machine may be busy. Raises VisitFault."""
        until_s = self._record.at_s + seconds
        while self._record.at_s < until_s and self._has_a_single_report():
            self.listen(TURN_S)

    def _has_a_single_report(self) -> bool:
        live = [report for heard, report in self._so_far().reports if not heard.stored]
        return bool(live) and sum(report.boot == live[-1].boot for report in live) < REPORTS_N

    def try_commands(self) -> None:
        """Send the commands; those that build on others follow once these are answered. Raises VisitFault."""
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
        """Wait until all answers have come, or ANSWER_S have passed."""
        until_s = self._record.at_s + ANSWER_S
        while self._record.at_s < until_s and not self._all_answered():
            self.listen(TURN_S)

    def _all_answered(self) -> bool:
        look = self._so_far()
        return all(look.answer(said) for said in look.tried(*prods.ALL))

    def _so_far(self) -> Transcript:
        return self._record.look(self._topics.ward, self._topics.dev)
