"""Sees each request through: told to the ward, uploaded once the keeper has packed it, receipted, done."""
import logging
from collections.abc import Callable
from pathlib import Path

from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.facts import Poke
from agent.core.contract.wire.requests import receipt as parse_receipt
from agent.core.delivery.backoff import Waits
from agent.host.datagram import Outlet
from agent.link.answers import AnswerQueue
from agent.link.audit import Audit
from agent.link.flow import Flow, FlowRunner, SignatureCheck, Until
from agent.link.follower import Follower
from agent.link.requests import queries
from agent.link.requests.queries import LOOK_IDLY_S, OpenRequests
from agent.link.requests.upload_line import UploadLine
from agent.link.requests.uploader import NotAccepted, UploadDone, give_up
from agent.link.verifier import BUSY, UNCHECKED
from agent.mqtt.credentials import load
from agent.mqtt.fault import LinkFault
from agent.store.link_questions import end_request, follow_commands, note_upload
from agent.store.requests import WardRequest

AT_WORK_S = 0.25                # between looks at what the other threads do
WAITS = Waits(lost_s=5.0, step_s=10.0, longest_s=600.0)

_log = logging.getLogger(__name__)


class RequestFlow:
    """Works on the loop's thread; the store and an uploader have threads of their own."""

    def __init__(self, settings: Settings, runtime: Path, own_id: str, flows: FlowRunner,
                 line: UploadLine, audit: Audit, answers: AnswerQueue, written: Callable[[], None]) -> None:
        """`written` is called when an event may have been written."""
        self._settings, self._own_id = settings, own_id
        self._flows, self._clock, self._line, self._audit, self._written = flows, flows.clock, line, audit, written
        self._outlet = Outlet(runtime)
        self._follower = Follower(flows, answers, (follow_commands("requests"), queries.look), self._life,
                                  OpenRequests(), self._ended, LOOK_IDLY_S)

    def start(self) -> None:
        """Begin to look."""
        self._follower.start()

    def hurry(self) -> None:
        """Something has changed: look at once."""
        self._follower.hurry()

    def up(self) -> None:
        """A connection has come up: say how everything stands."""
        self._line.clear()
        self._follower.up()

    def heard(self) -> None:
        """The broker has the last message about an upload, or it was lost with the connection."""
        self._line.clear()

    def wait_s(self) -> float:
        """Seconds until `turn` may have something to do."""
        return AT_WORK_S if self._line.uploader else float("inf")

    def turn(self, ward_is_up: bool) -> None:
        """Slow down or report the upload that is under way."""
        self._line.turn(self._follower.view, ward_is_up)

    def leave(self) -> None:
        """The household has left the ward: what is under way stops at once, and the next look tells what is over."""
        self._line.stop()
        self.hurry()

    def close(self) -> None:
        """Let go of what is under way; it goes on with the next process."""
        self._line.stop()
        self._outlet.close()

    def changed(self) -> None:
        """A request is new, or the ward has cancelled one."""
        self.hurry()
        self._outlet.send(Poke(what="requests"), "keeper", "web")

    def _ended(self) -> None:
        self._written()
        self._outlet.send(Poke(what="requests"), "keeper", "web")

    def _life(self, request_id: str) -> Flow:
        """One open request, from wherever it stands to its end; a file that is gone is packed anew."""
        while self._request(request_id):
            yield Until(lambda: self._state(request_id) in ("packed", None))        # decided, and packed by the keeper
            yield Until(lambda: self._state(request_id) != "packed"
                        or self._line.is_free_for(request_id, self._follower.view))
            yield from self._upload(request_id)

    def _request(self, request_id: str, state: str | None = None) -> WardRequest | None:
        """The request if it is open, and in that state."""
        request = self._follower.view.open.get(request_id)
        return request if request and state in (None, request.state) else None

    def _state(self, request_id: str) -> str | None:
        return self._follower.view.state(request_id)

    def _upload(self, request_id: str) -> Flow:
        """Part of a life: one turn on the line, to the receipt if it goes well."""
        if (request := self._request(request_id, "packed")) is None:
            return
        uploader = self._line.begin(request)
        yield Until(lambda: uploader.outcome or not self._line.may_go_on(uploader, self._follower.view))
        if uploader.outcome is None:        # it is over, or gets nowhere, or there is another file now
            self._line.stop()
            self._follower.hurry()
            yield self._follower.next_look()
        match uploader.outcome:
            case _ if self._request(request_id, "packed") is None:
                self._line.stop()
                give_up(self._settings.ward, uploader.url, request_id)
            case UploadDone(receipt):
                code = yield from self._judge(request, receipt)
                self._line.stop()
                yield from self._settle(request, receipt, code)
            case NotAccepted("file"):
                self._line.stop()
                yield from self._follower.write(note_upload(request_id))
            case NotAccepted(code):
                self._line.stop()
                yield from self._fail(request, code)
        self._line.release()

    def _judge(self, request: WardRequest, receipt: bytes) -> Flow:
        """Part of a life: check that the receipt is about this file, and signed by the intake that the command names.

        Returns None if so, else a code.
        """
        try:
            dev = load(self._settings.ward, self._own_id).dev
        except LinkFault as fault:
            _log.warning("%s", fault)
            return UNCHECKED
        if not _is_about(request, dev, receipt):
            return "bad_receipt"
        code: str | None = yield SignatureCheck(receipt, request.receipt_key)
        return code

    def _settle(self, request: WardRequest, receipt: bytes, code: str | None) -> Flow:
        """Part of a life: write down what the receipt is worth."""
        if code is None:
            yield from self._follower.write(end_request(request.id, "", receipt.decode()))
        elif code in (UNCHECKED, BUSY):
            yield self._flows.after(LOOK_IDLY_S)
        else:
            self._audit.note("bad_receipt", "handover")
            yield from self._fail(request, "bad_receipt")

    def _fail(self, request: WardRequest, code: str) -> Flow:
        _log.warning("request %s failed: %s", request.id, code)
        yield from self._follower.write(end_request(request.id, code))


def _is_about(request: WardRequest, dev: str, receipt: bytes) -> bool:
    try:
        told = parse_receipt(receipt)
    except wire.BadPayload as error:
        _log.warning("the intake's answer is no receipt: %s", error)
        return False
    return (told.request, told.dev, told.sha256, told.bytes, told.manifest) == (
        request.id, dev, request.sha256, request.bytes, request.manifest)
