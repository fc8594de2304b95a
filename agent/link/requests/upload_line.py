"""The one upload that may be under way, and how far it is.

Telling the ward how far shows whether the line is still quick for others: if the broker answers late, the upload waits.
"""
from collections.abc import Collection

from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.delivery.backoff import Waits
from agent.link.answers import AnswerQueue
from agent.link.flow import FlowRunner
from agent.link.requests.queries import OpenRequests
from agent.link.requests.tus import Upload
from agent.link.requests.uploader import Uploader
from agent.link.store_thread import StoreThread
from agent.store.commands import of_request
from agent.store.folders import Folders
from agent.store.link_questions import note_upload
from agent.store.requests import WardRequest

TOLD_EVERY_S = 2.0              # how far an upload is
NOTED_EVERY_S = 15.0            # the same on the card, for the page
SLOW_S = 2.0                    # the ward's answers come later than this: the line is not for uploads now
DEAF_S = 60.0                   # after this nobody will say any more that it has come
TURN_S = 60.0                   # an upload that gets nowhere for so long lets another one try


class UploadLine:
    """Gives the line to one request after the other: the oldest, or the next if the oldest has had its turn."""

    def __init__(self, settings: Settings, folders: Folders, store: StoreThread, flows: FlowRunner, waits: Waits,
                 answers: AnswerQueue) -> None:
        self._settings, self._folders, self._store, self._waits = settings, folders, store, waits
        self._clock, self._answers = flows.clock, answers
        self._holder: str | None = None             # the request that has the line
        self._turns_n: dict[str, int] = {}          # how often each open request has had it
        self.uploader: Uploader | None = None
        self._told_b, self._told_mono_s, self._noted_mono_s = 0, 0.0, 0.0
        self._asked_mono_s: float | None = None     # when the ward was told last, as long as nobody says that it hears

    def is_free_for(self, request_id: str, view: OpenRequests) -> bool:
        """Whether this request is the next one."""
        self._turns_n = {key: n for key, n in self._turns_n.items() if key in view.open}
        return self._holder is None and request_id == min(_packed(view), key=lambda each: self._turns_n.get(each, 0))

    def begin(self, request: WardRequest) -> Uploader:
        """Give the line to this request, whose file lies there; returns what uploads it."""
        assert request.bytes is not None and request.sha256 is not None
        self._holder, self._turns_n[request.id] = request.id, self._turns_n.get(request.id, 0) + 1
        self._told_b, self._noted_mono_s = 0, 0.0
        self.uploader = Uploader(
            self._settings.ward, request.upload,
            Upload(request.id, request.kind, request.bytes, request.sha256, request.manifest),
            self._folders.export(request.id, request.kind), self._settings.sharing.upload_pct / 100, self._clock,
            self._waits)
        return self.uploader

    def may_go_on(self, uploader: Uploader, view: OpenRequests) -> bool:
        """Whether the upload is alive, still wanted, and keeps no other one waiting while it gets nowhere."""
        request = view.open.get(uploader.upload.request)
        return (request is not None and request.state == "packed" and request.sha256 == uploader.upload.sha256
                and uploader.is_alive() and not (len(_packed(view)) > 1 and uploader.stuck_s > TURN_S))

    def stop(self) -> None:
        """Stop the upload, if one is under way; its request still has the line."""
        if self.uploader:
            self.uploader.stop()
        self.uploader = None

    def release(self) -> None:
        """Let another request have the line."""
        self._holder = None

    def clear(self) -> None:
        """The broker has the last message about an upload, or it was lost with the connection."""
        self._asked_mono_s = None

    def turn(self, view: OpenRequests, ward_is_up: bool) -> None:
        """Slow the upload down where others need the line; note and tell how far it is."""
        uploader, now_mono_s = self.uploader, self._clock.mono_s()
        if uploader is None:
            return
        waited_s = now_mono_s - (now_mono_s if self._asked_mono_s is None else self._asked_mono_s)
        uploader.hold(SLOW_S < waited_s < DEAF_S)
        if uploader.sent_b and now_mono_s - self._noted_mono_s >= NOTED_EVERY_S:
            self._noted_mono_s = now_mono_s
            self._store.ask(note_upload(uploader.upload.request, uploader.sent_b))
        if ward_is_up:
            self._tell(uploader, view, now_mono_s)

    def _tell(self, uploader: Uploader, view: OpenRequests, now_mono_s: float) -> None:
        since_s = now_mono_s - self._told_mono_s
        too_early = since_s < TOLD_EVERY_S or (self._asked_mono_s is not None and since_s < DEAF_S)
        request, ordered = view.open.get(uploader.upload.request), view.orders.get(uploader.upload.request)
        if request and ordered and uploader.sent_b != self._told_b and not too_early:
            self._told_b, self._told_mono_s, self._asked_mono_s = uploader.sent_b, now_mono_s, now_mono_s
            self._answers.put(ordered, wire.encode(of_request(request, self._clock.now(), uploader.sent_b)))


def _packed(view: OpenRequests) -> Collection[str]:
    return [each.id for each in view.open.values() if each.state == "packed"]
