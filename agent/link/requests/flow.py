"""Takes each request to its end: uploads it once the keeper has packed it, checks the receipt, answers the ward."""
import logging

from agent.core.contract import wire
from agent.core.contract.facts import Poke
from agent.core.contract.wire.requests import receipt as parse_receipt
from agent.core.delivery.backoff import Waits
from agent.host.datagram import Outlet
from agent.link.context import LinkContext
from agent.link.flow import Flow, FlowRunner, Follower, SignatureCheck, Until
from agent.link.requests.upload_line import LOOK_IDLE_S, OpenRequests, UploadLine, look
from agent.link.requests.uploader import NotAccepted, UploadDone, give_up
from agent.link.verifier import BUSY, UNCHECKED
from agent.mqtt.credentials import load
from agent.mqtt.fault import LinkFault
from agent.store.link_questions import end_request, note_upload
from agent.store.requests import WardRequest

AT_WORK_S = 0.25                # between looks at the other threads

_log = logging.getLogger(__name__)


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
                give_up(self._link.settings.ward, uploader.url, request_id)
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
