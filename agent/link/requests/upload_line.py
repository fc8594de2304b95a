"""The open requests, and the one upload that may go on at a time, with its progress.

The progress messages also show whether the line is still quick for others: if the broker confirms one late, the upload
waits.
"""
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agent.core.contract import wire
from agent.core.delivery.backoff import Waits
from agent.link.context import LinkContext
from agent.link.flow import FollowedView
from agent.link.requests.tus import Upload
from agent.link.requests.uploader import Uploader
from agent.store import commands, membership, requests
from agent.store.commands import Ordered, of_request, state
from agent.store.link_questions import note_upload
from agent.store.requests import WardRequest

LOOK_EVERY_S = 2.0              # in case a poke gets lost: while something is to be sent,
LOOK_IDLE_S = 15.0              # and while the household has not decided
SENT_EVERY_S = 2.0              # an upload's progress, to the ward
NOTED_EVERY_S = 15.0            # the same on the card, for the page
SLOW_S = 2.0                    # if the broker confirms a message later than this, uploads wait
DEAF_S = 60.0                   # after this it will not confirm the message at all
TURN_S = 60.0                   # an upload without progress for so long gives way to another


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
