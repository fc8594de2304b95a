"""Sees each request through: told to the ward, photographed if it is a picture, uploaded, receipted, done.

What is where lies in the store, so a kill at any moment costs nothing but time. Somebody else may move a request at any
moment (the household, the keeper): a poke says so, and now and then it is looked anyway, while there is any.
"""
import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.facts import Poke
from agent.core.contract.wire import requests as handover
from agent.core.delivery.backoff import Waits
from agent.host.clock import Clock
from agent.host.datagram import Outlet
from agent.link.answers import is_final, of_request
from agent.link.audit import Audit
from agent.link.commands import ANSWER_EXPIRY_S
from agent.link.requests import queries as book
from agent.link.requests.policy import RequestPolicy
from agent.link.requests.queries import RequestView
from agent.link.requests.snapshot import PictureTaker
from agent.link.requests.tus import Upload
from agent.link.requests.uploader import Delivered, NotAccepted, Uploader, give_up
from agent.link.store_thread import StoreThread
from agent.link.verifier import BUSY, UNCHECKED, Verifier
from agent.mqtt.connection import Outgoing
from agent.mqtt.credentials import load
from agent.mqtt.fault import LinkFault
from agent.store import requests
from agent.store.commands import Ordered
from agent.store.folders import Folders
from agent.store.requests import WardRequest

AT_WORK_S = 0.25                # between looks at what the other threads do
LOOK_EVERY_S = 2.0              # for a poke gets lost at times: while something is to leave,
LOOK_IDLY_S = 15.0              # and while the household has not decided
TOLD_EVERY_S = 2.0              # how far an upload is
NOTED_EVERY_S = 15.0            # the same on the card, for the page
SLOW_S = 2.0                    # the ward's answers come later than this: the line is not for uploads now
TURN_S = 60.0                   # an upload that gets nowhere for so long lets another one try
DEAF_S = 60.0                   # after this nobody will say any more that it has come
PROGRESS = "progress"           # tag of answers after which another follows
WAITS = Waits(lost_s=5.0, step_s=10.0, longest_s=600.0)

_log = logging.getLogger(__name__)


class RequestFlow:
    """Works on the loop's thread; the store, an uploader and a picture have threads of their own."""

    def __init__(self, settings: Settings, folders: Folders, runtime: Path, own_id: str, clock: Clock,
                 store: StoreThread, audit: Audit, waits: Waits, written: Callable[[], None]) -> None:
        """`written` is called when an event may have been written."""
        self._settings, self._folders, self._runtime, self._own_id = settings, folders, runtime, own_id
        self._clock, self._store, self._audit, self._waits, self._written = clock, store, audit, waits, written
        self.policy = RequestPolicy(settings, self._changed)
        self._outlet, self._verifier = Outlet(runtime), Verifier("", clock)
        self._look_mono_s, self._looking, self._repeat = clock.mono_s(), False, False
        self._open: dict[str, WardRequest] = {}
        self._orders: dict[str, Ordered] = {}
        self._news: dict[str, tuple[Ordered, bytes]] = {}
        self._uploader: Uploader | None = None
        self._turns_n: dict[str, int] = {}      # so often an uploader of it has set out
        self._picture: tuple[str, PictureTaker] | None = None
        self._busy = False                      # what came of an uploader or a picture is being written down
        self._told_b, self._told_mono_s, self._noted_mono_s = 0, 0.0, 0.0
        self._asked_mono_s: float | None = None     # when the ward was told last, as long as nobody says that it hears

    def hurry(self) -> None:
        """Something has changed: look at once."""
        self._look_mono_s = self._clock.mono_s()

    def up(self) -> None:
        """A connection has come up: say how everything stands."""
        self._news.clear()
        self._repeat = True
        self.lost()
        self.hurry()

    def lost(self) -> None:
        """The connection is gone, and what was on its way with it."""
        self._asked_mono_s = None

    def heard(self) -> None:
        """The broker has what was told last of an upload."""
        self._asked_mono_s = None

    def wait_s(self) -> float:
        """Seconds until `turn` may have something to do."""
        return min(self._verifier.wait_s(), AT_WORK_S if self._uploader or self._picture else float("inf"))

    def turn(self) -> None:
        """Look if it is time, and go on with what is under way."""
        now_mono_s = self._clock.mono_s()
        self._verifier.turn()
        if now_mono_s >= self._look_mono_s and not self._looking:
            self._look_mono_s = float("inf")
            job = functools.partial(book.look, now=self._clock.now(), repeat=self._repeat)
            self._looking = self._store.ask(job, functools.partial(self._seen, self._repeat))
            self._repeat = self._repeat and not self._looking
            if not self._looking:
                self._look_mono_s = now_mono_s + LOOK_IDLY_S
        if self._uploader:
            waited_s = now_mono_s - (now_mono_s if self._asked_mono_s is None else self._asked_mono_s)
            self._uploader.hold(SLOW_S < waited_s < DEAF_S)
            self._note_progress(self._uploader, now_mono_s)
        if not self._busy:
            self._take_up_results()

    def due(self, topics: wire.Topics) -> list[tuple[Outgoing, str]]:
        """Answers to send, each with its tag: "" for a final one."""
        self._tell_progress()
        news, self._news = self._news, {}
        messages = []
        for ordered, payload in news.values():
            topic = topics.response(ordered.who, ordered.id)
            messages.append((Outgoing(topic, payload, expiry_s=ANSWER_EXPIRY_S, correlation=ordered.correlation),
                             "" if is_final(payload) else PROGRESS))
        return messages

    def close(self) -> None:
        """Let go of what is under way; it goes on with the next process."""
        if self._uploader:
            self._uploader.stop()
        if self._picture:
            self._picture[1].stop()
        self._outlet.close()

    def _changed(self) -> None:
        self.hurry()
        self._outlet.send(Poke(what="requests"), "keeper", "web")

    def _seen(self, repeat: bool, seen: RequestView | None) -> None:
        """None where the card does not answer."""
        self._looking = False
        now_mono_s = self._clock.mono_s()
        if seen is None:
            self._look_mono_s, self._repeat = now_mono_s + LOOK_IDLY_S, self._repeat or repeat
            return
        self._turns_n = {key: n for key, n in self._turns_n.items() if any(key == each.id for each in seen.open)}
        self._open, self._orders = {each.id: each for each in seen.open}, dict(seen.orders)
        if self._open:
            waiting = all(each.state == "waiting" for each in seen.open)
            self._look_mono_s = min(self._look_mono_s, now_mono_s + (LOOK_IDLY_S if waiting else LOOK_EVERY_S))
        self._say(seen.news)
        self._drop_what_is_over()
        self._begin()

    def _say(self, news: book.News) -> None:
        for ordered, payload in news:
            self._news[ordered.id] = ordered, payload
        if any(is_final(payload) for _, payload in news):
            self._written()
            self._outlet.send(Poke(what="requests"), "keeper", "web")

    def _drop_what_is_over(self) -> None:
        if self._uploader:
            self._see_to(self._uploader)
        if self._picture and self._state(self._picture[0]) != "approved":
            self._picture[1].stop()
            self._picture = None

    def _see_to(self, uploader: Uploader) -> None:
        """Whether it is to go on: wanted still, alive, and no other one waits behind an intake that does not answer."""
        request = self._open.get(uploader.upload.request)
        if request is None or request.state != "packed":
            uploader.stop()
            give_up(self._settings.ward, uploader.url, uploader.upload.request)
            self._uploader = None
        elif uploader.outcome is None and (not uploader.is_alive() or request.sha256 != uploader.upload.sha256
                                           or (len(self._packed()) > 1 and uploader.stuck_s > TURN_S)):
            uploader.stop()
            self._uploader = None

    def _begin(self) -> None:
        """One upload at a time, and one picture: the oldest; or the next, if the oldest has had its turn.

        Not while something is written down: what was just delivered would be taken for what is still to be carried.
        """
        if self._busy:
            return
        if self._uploader is None and (packed := self._packed()):
            request = min(packed, key=lambda each: self._turns_n.get(each.id, 0))
            assert request.bytes is not None and request.sha256 is not None
            self._turns_n[request.id] = self._turns_n.get(request.id, 0) + 1
            upload = Upload(request.id, request.kind, request.bytes, request.sha256, request.manifest)
            self._uploader = Uploader(self._settings.ward, request.upload, upload, self._file(request),
                                      self._settings.sharing.upload_pct / 100, self._clock, self._waits)
            self._told_b, self._noted_mono_s = 0, 0.0
        for request in self._open.values():
            if request.state == "approved" and request.kind == "snapshot" and self._picture is None:
                self._picture = request.id, PictureTaker(self._runtime / f"snap-{request.camera}.sock",
                                                         self._file(request))

    def _packed(self) -> list[WardRequest]:
        return [request for request in self._open.values() if request.state == "packed"]

    def _file(self, request: WardRequest) -> Path:
        return self._folders.export(request.id, request.kind)

    def _take_up_results(self) -> None:
        if self._picture and not self._picture[1].is_alive():
            (request_id, picture), self._picture = self._picture, None
            if picture.sha256:
                self._write(functools.partial(book.packed, request_id=request_id, size_b=picture.size_b,
                                              sha256=picture.sha256))
            else:
                self._fail(request_id, "no_picture")
        elif self._uploader and (outcome := self._uploader.outcome):
            request = self._open.get(self._uploader.upload.request)
            match outcome:
                case Delivered(receipt) if request:
                    self._judge(request, receipt)
                case NotAccepted(code) if request and code == "file":
                    self._uploader = None
                    self._write(functools.partial(requests.unpacked, request_id=request.id))
                case NotAccepted(code) if request:
                    self._uploader = None
                    self._fail(request.id, code)

    def _judge(self, request: WardRequest, receipt: bytes) -> None:
        """Whether the intake says that it has just this, and is who the command says."""
        try:
            dev = load(self._settings.ward, self._own_id).dev
        except LinkFault as fault:
            _log.warning("%s", fault)
            self._judged(request, receipt, UNCHECKED)
            return
        if not _is_about(request, dev, receipt):
            self._judged(request, receipt, "bad_receipt")
            return
        self._busy = True
        self._verifier.check(receipt, functools.partial(self._judged, request, receipt), request.receipt_key)

    def _judged(self, request: WardRequest, receipt: bytes, code: str | None) -> None:
        self._busy = False
        if self._uploader and self._uploader.upload.request == request.id:
            self._uploader = None
        if code is None:
            self._write(functools.partial(book.deliver, request_id=request.id, receipt=receipt.decode(),
                                          now=self._clock.now()))
        elif code in (UNCHECKED, BUSY):
            self._look_mono_s = self._clock.mono_s() + LOOK_IDLY_S
        else:
            self._audit.note("bad_receipt", "handover")
            self._fail(request.id, "bad_receipt")

    def _fail(self, request_id: str, code: str) -> None:
        _log.warning("request %s failed: %s", request_id, code)
        self._write(functools.partial(book.fail, request_id=request_id, code=code))

    def _write(self, job: Callable[..., Any]) -> None:
        """Have it written, then look; what the card did not take comes out of the next look again."""
        def then(news: book.News | None) -> None:
            self._busy = False
            self._say(news or [])
            self.hurry()

        self._busy = self._store.ask(job, then)
        if not self._busy:
            self._look_mono_s = self._clock.mono_s() + LOOK_IDLY_S

    def _note_progress(self, uploader: Uploader, now_mono_s: float) -> None:
        if uploader.sent_b and now_mono_s - self._noted_mono_s >= NOTED_EVERY_S:
            self._noted_mono_s = now_mono_s
            self._store.ask(functools.partial(requests.sent, request_id=uploader.upload.request,
                                              sent_b=uploader.sent_b))

    def _tell_progress(self) -> None:
        """Tell how far it is. That is also how it is seen whether the line is still quick for others."""
        uploader, now_mono_s = self._uploader, self._clock.mono_s()
        since_s = now_mono_s - self._told_mono_s
        waits = since_s < TOLD_EVERY_S or (self._asked_mono_s is not None and since_s < DEAF_S)
        if uploader is None or uploader.sent_b == self._told_b or waits:
            return
        request, ordered = self._open.get(uploader.upload.request), self._orders.get(uploader.upload.request)
        if request and ordered and ordered.id not in self._news:
            self._told_b, self._told_mono_s, self._asked_mono_s = uploader.sent_b, now_mono_s, now_mono_s
            told = of_request(request, self._clock.now(), uploader.sent_b)
            self._news[ordered.id] = ordered, wire.encode(told)

    def _state(self, request_id: str) -> str | None:
        request = self._open.get(request_id)
        return request.state if request else None


def _is_about(request: WardRequest, dev: str, receipt: bytes) -> bool:
    try:
        told = handover.receipt(receipt)
    except wire.BadPayload as error:
        _log.warning("the intake's answer is no receipt: %s", error)
        return False
    return (told.request, told.dev, told.sha256, told.bytes, told.manifest) == (
        request.id, dev, request.sha256, request.bytes, request.manifest)
