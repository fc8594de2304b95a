"""Takes each request to its end: uploads it once the keeper has packed it, checks the receipt, answers the ward.

One upload goes on at a time. Its progress messages also show whether the line is still quick for others: if the broker
confirms one late, the upload waits.
"""
import logging
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agent.core.contract import wire
from agent.core.contract.facts import Poke
from agent.core.contract.wire.requests import receipt as parse_receipt
from agent.core.delivery.backoff import Waits
from agent.host.datagram import Outlet
from agent.link.context import LinkContext
from agent.link.flow import Flow, FlowRunner, FollowedView, Follower, SignatureCheck, Until
from agent.link.requests.tus import Upload
from agent.link.requests.uploader import NotAccepted, UploadDone, Uploader, give_up
from agent.link.verifier import BUSY, UNCHECKED
from agent.mqtt.credentials import load
from agent.mqtt.fault import LinkFault
from agent.store import commands, membership, requests
from agent.store.commands import Ordered, of_request, state
from agent.store.link_questions import end_request, note_upload
from agent.store.requests import WardRequest

LOOK_EVERY_S = 2.0              # in case a poke gets lost: while something is to be sent,
LOOK_IDLE_S = 15.0              # and while the household has not decided
SENT_EVERY_S = 2.0              # an upload's progress, to the ward
NOTED_EVERY_S = 15.0            # the same on the card, for the page
SLOW_S = 2.0                    # if the broker confirms a message later than this, uploads wait
DEAF_S = 60.0                   # after this it will not confirm the message at all
TURN_S = 60.0                   # an upload without progress for so long gives way to another
AT_WORK_S = 0.25                # between looks at the other threads

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenRequests(FollowedView):
    open: Mapping[str, WardRequest] = field(default_factory=dict)       # by id, oldest first
    orders: Mapping[str, Ordered] = field(default_factory=dict)         # the commands that they came with, by id

    @property
    def packed(self) -> Collection[str]:
        """Ids of the requests whose files can be uploaded."""
        return [request.id for request in self.open.values() if request.state == "packed"]

    def state(self, request_id: str) -> str | None:
        request = self.open.get(request_id)
        return request.state if request else None


def look(db: sqlite3.Connection, repeat: bool) -> OpenRequests:
    """Reads all requests; with `repeat`, the news have every answer that stands.

    A request that the ward has cancelled is not open, and none is once the household has left the ward, even before
    the keeper has written that.
    """
    orders = {ordered.id: ordered for ordered in commands.going_on(db)}
    news = [(ordered, ordered.answer) for ordered in orders.values() if repeat and state(ordered.answer) != "accepted"]
    wanted = [] if membership.has_left(db) else [one for one in requests.open_ones(db) if one.cancel is None]
    idle = bool(wanted) and all(request.state == "waiting" for request in wanted)
    again_s = float("inf") if not (wanted or orders) else LOOK_IDLE_S if idle else LOOK_EVERY_S
    found = {request.id: request for request in wanted}
    return OpenRequests(news, found, again_s, open=found, orders=orders)


class UploadLine:
    """Gives the line to one request after the other: the oldest, or the next if the oldest has had its turn."""

    def __init__(self, link: LinkContext, waits: Waits) -> None:
        self._link, self._waits = link, waits
        self._holder: str | None = None             # the request that has the line
        self._turns_n: dict[str, int] = {}          # how often each open request has had it
        self.uploader: Uploader | None = None
        self._sent_b, self._sent_mono_s, self._noted_mono_s = 0, 0.0, 0.0
        self._asked_mono_s: float | None = None     # when progress was sent that the broker has not confirmed yet

    def is_free_for(self, request_id: str, view: OpenRequests) -> bool:
        self._turns_n = {key: n for key, n in self._turns_n.items() if key in view.open}
        return self._holder is None and request_id == min(view.packed, key=lambda packed: self._turns_n.get(packed, 0))

    def begin(self, request: WardRequest) -> Uploader:
        assert request.bytes is not None and request.sha256 is not None
        settings = self._link.settings
        self._holder, self._turns_n[request.id] = request.id, self._turns_n.get(request.id, 0) + 1
        self._sent_b, self._noted_mono_s = 0, 0.0
        upload = Upload(request.id, request.kind, request.bytes, request.sha256, request.manifest)
        self.uploader = Uploader(
            settings.ward, request.upload, upload, file=self._link.folders.export(request.id, request.kind),
            share=settings.sharing.upload_pct / 100, clock=self._link.clock, waits=self._waits)
        return self.uploader

    def may_go_on(self, uploader: Uploader, view: OpenRequests) -> bool:
        """Whether the upload is alive, still wanted, and does not block another one while it makes no progress."""
        request = view.open.get(uploader.upload.request)
        return (request is not None and request.state == "packed" and request.sha256 == uploader.upload.sha256
                and uploader.is_alive() and not (len(view.packed) > 1 and uploader.stuck_s > TURN_S))

    def stop(self) -> None:
        """Stops the upload if one goes on; its request still has the line."""
        if self.uploader:
            self.uploader.stop()
        self.uploader = None

    def release(self) -> None:
        self._holder = None

    def clear(self) -> None:
        """The broker has the last progress message, or the connection has lost it."""
        self._asked_mono_s = None

    def turn(self, view: OpenRequests, ward_is_up: bool) -> None:
        """Pauses the upload if others need the line; notes and sends its progress."""
        uploader, now_mono_s = self.uploader, self._link.clock.mono_s()
        if uploader is None:
            return
        waited_s = now_mono_s - (now_mono_s if self._asked_mono_s is None else self._asked_mono_s)
        uploader.hold(SLOW_S < waited_s < DEAF_S)
        if uploader.sent_b and now_mono_s - self._noted_mono_s >= NOTED_EVERY_S:
            self._noted_mono_s = now_mono_s
            self._link.store.ask(note_upload(uploader.upload.request, uploader.sent_b))
        if ward_is_up:
            self._send_progress(uploader, view, now_mono_s)

    def _send_progress(self, uploader: Uploader, view: OpenRequests, now_mono_s: float) -> None:
        since_s = now_mono_s - self._sent_mono_s
        too_early = since_s < SENT_EVERY_S or (self._asked_mono_s is not None and since_s < DEAF_S)
        request, ordered = view.open.get(uploader.upload.request), view.orders.get(uploader.upload.request)
        if request and ordered and uploader.sent_b != self._sent_b and not too_early:
            self._sent_b, self._sent_mono_s, self._asked_mono_s = uploader.sent_b, now_mono_s, now_mono_s
            self._link.answers.put(ordered, wire.encode(of_request(request, self._link.clock.now(), uploader.sent_b)))


class RequestFlow(Follower[OpenRequests]):
    """Works on the loop's thread; the store and an uploader have threads of their own."""

    followed = "requests"
    _look = staticmethod(look)

    def __init__(self, link: LinkContext, flows: FlowRunner, own_id: str, waits: Waits) -> None:
        super().__init__(link, flows, OpenRequests(), LOOK_IDLE_S)
        self._own_id, self._line, self._outlet = own_id, UploadLine(link, waits), Outlet(link.runtime)

    def up(self) -> None:
        self._line.clear()
        super().up()

    def progress_confirmed(self) -> None:
        """The broker has the last message about an upload, or the connection has lost it."""
        self._line.clear()

    def wait_s(self) -> float:
        return AT_WORK_S if self._line.uploader else float("inf")

    def turn(self, ward_is_up: bool) -> None:
        """Slows down or reports the upload that goes on."""
        self._line.turn(self.view, ward_is_up)

    def leave(self) -> None:
        """The household has left the ward: stops the upload; the next look ends the requests."""
        self._line.stop()
        self.look_now()

    def close(self) -> None:
        """Stops the upload; the next process of the link goes on with it."""
        self._line.stop()
        self._outlet.close()

    def changed(self) -> None:
        self.look_now()
        self._outlet.send(Poke(what="requests"), "keeper", "web")

    def _ended(self) -> None:
        self._link.written()
        self._outlet.send(Poke(what="requests"), "keeper", "web")

    def _life(self, command_id: str) -> Flow:
        """One open request, from its present state to its end; a file that is gone is packed again."""
        while command_id in self.view.open:
            yield Until(lambda: self.view.state(command_id) in ("packed", None))    # decided, and packed by the keeper
            yield Until(lambda: self.view.state(command_id) != "packed"
                        or self._line.is_free_for(command_id, self.view))
            yield from self._upload(command_id)

    def _packed(self, request_id: str) -> WardRequest | None:
        return self.view.open[request_id] if self.view.state(request_id) == "packed" else None

    def _upload(self, request_id: str) -> Flow:
        """Part of a life: one turn on the line, up to the receipt if all goes well."""
        if (request := self._packed(request_id)) is None:
            return
        uploader = self._line.begin(request)
        yield Until(lambda: uploader.outcome or not self._line.may_go_on(uploader, self.view))
        if uploader.outcome is None:        # it is over, makes no progress, or the file is another one now
            self._line.stop()
            self.look_now()
            yield self._next_look()
        match uploader.outcome:
            case _ if self._packed(request_id) is None:
                self._line.stop()
                give_up(self._link.settings.ward, uploader)
            case UploadDone(receipt):
                code = yield from self._judge(request, receipt)
                self._line.stop()
                yield from self._settle(request, receipt, code)
            case NotAccepted("file"):
                self._line.stop()
                yield from self._write(note_upload(request_id))
            case NotAccepted(code):
                self._line.stop()
                yield from self._fail(request, code)
        self._line.release()

    def _judge(self, request: WardRequest, receipt: bytes) -> Flow:
        """Part of a life: checks that the receipt is about this file, and signed by the intake that the command names.

        Returns None if so, else a code.
        """
        try:
            dev = load(self._link.settings.ward, self._own_id).dev
        except LinkFault as fault:
            _log.warning("%s", fault)
            return UNCHECKED
        if not _is_about(request, dev, receipt):
            return "bad_receipt"
        code: str | None = yield SignatureCheck(receipt, request.receipt_key)
        return code

    def _settle(self, request: WardRequest, receipt: bytes, code: str | None) -> Flow:
        if code is None:
            yield from self._write(end_request(request.id, "", receipt.decode()))
        elif code in (UNCHECKED, BUSY):
            yield self._flows.after(LOOK_IDLE_S)
        else:
            self._link.audit.note("bad_receipt", "handover")
            yield from self._fail(request, "bad_receipt")

    def _fail(self, request: WardRequest, code: str) -> Flow:
        _log.warning("request %s failed: %s", request.id, code)
        yield from self._write(end_request(request.id, code))


def _is_about(request: WardRequest, dev: str, receipt: bytes) -> bool:
    try:
        given = parse_receipt(receipt)
    except wire.BadPayload as error:
        _log.warning("the intake's answer is no receipt: %s", error)
        return False
    return (given.request, given.dev, given.sha256, given.bytes, given.manifest) == (
        request.id, dev, request.sha256, request.bytes, request.manifest)
