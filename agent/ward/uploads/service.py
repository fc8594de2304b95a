"""Decides which uploads a device may begin, continue, query and withdraw, by the ward's own requests."""
import asyncio
import hashlib
import logging
import weakref
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from agent.core.household.sharing_rules import Kind
from agent.host.clock import Clock
from agent.ward.database import DatabaseFault
from agent.ward.metrics import IntakeMetrics
from agent.ward.requests import NO_ANSWER, PictureRequest, PictureRequests
from agent.ward.uploads.checker import Checker, Spool, Trouble
from agent.ward.uploads.headers import Announced, UploadRefusal

STEPS_MAX = 100             # of one request: changes of mind must not fill the database
AGAIN_S = 60.0              # an unfinished check is tried again after this, if the device asks
SOON_S, LATER_S = "2", "60"
ASIDE_S = 30 * 86_400       # how long refused uploads are kept
UNHEARD = ("made", "sent")
LATE_MS = 600_000           # after its command has expired, an answer would have come
IDLE_S = 3 * 86_400         # an idle upload is given up after this: longer than a weekend without power

_log = logging.getLogger(__name__)
COPIES_N = 2                # an export needs its size twice while it is unpacked
AHEAD_B = 64_000_000        # for a device, of what it has announced and not brought


class ComingUpload(NamedTuple):
    dev: str
    bytes: int              # of all of it
    have_b: int             # have come


def is_within_share(dev: str, wish_b: int, coming: Iterable[ComingUpload], share_b: int) -> bool:
    """Whether the device's announced uploads and this one fit into one device's share."""
    return sum(each.bytes for each in coming if each.dev == dev) + wish_b <= share_b


def kept_b(coming: Iterable[ComingUpload]) -> int:
    """The bytes to keep free for these uploads; at most AHEAD_B for what a device has not brought yet."""
    copies_b, ahead_b = 0, defaultdict[str, int](int)
    for each in coming:
        copies_b += (COPIES_N - 1) * each.have_b
        ahead_b[each.dev] += each.bytes - each.have_b
    return copies_b + COPIES_N * sum(min(left_b, AHEAD_B) for left_b in ahead_b.values())


class UploadService:
    """The uploads of one ward. Work with disk or database runs on a thread. Its methods raise UploadRefusal."""

    def __init__(self, requests: PictureRequests, spool: Spool, checker: Checker, clock: Clock, metrics: IntakeMetrics,
                 free_b: int, share_b: int) -> None:
        """`free_b` of the disk stay free; the uploads that one device has announced may have `share_b`."""
        self._requests, self._spool, self._checker = requests, spool, checker
        self._clock, self._metrics, self._free_b, self._share_b = clock, metrics, free_b, share_b
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._tried_mono_s: dict[str, float] = {}

    async def begin(self, peer: str, wish: Announced, certificate: str) -> None:
        """Accepts an announcement, perhaps a repeated one; `certificate` is the SHA-256 of the sender's public key."""
        async with self._lock(wish.request):
            request = await self._theirs(peer, wish.request)
            _require_kind(request, wish.kind, wish.manifest)
            if request.bytes is None and not await asyncio.to_thread(
                    self._announce, request, wish, certificate):
                request = await self._theirs(peer, wish.request)
            if request.bytes is not None and (request.bytes, request.sha256, request.manifest) != (
                    wish.bytes, wish.sha256, wish.manifest):
                raise UploadRefusal(409, "announced", "another upload was announced for this request: DELETE it first")
            if request.open:
                await asyncio.to_thread(self._spool.begin, request.id)

    async def state(self, peer: str, request_id: str) -> tuple[int, int]:
        async with self._lock(request_id):
            request = await self._announced(peer, request_id)
            return await asyncio.to_thread(self._size, request), request.bytes or 0

    async def append_piece(self, peer: str, request_id: str, offset_b: int, piece: bytes, digest: bytes | None) -> int:
        """Returns the received bytes. The second of two pieces for the same place is refused."""
        if digest is not None and await asyncio.to_thread(lambda: hashlib.sha256(piece).digest()) != digest:
            raise UploadRefusal(460, "checksum", "the piece is not what Upload-Checksum says; nothing of it was kept")
        async with self._lock(request_id):
            request = await self._announced(peer, request_id)
            have_b = await asyncio.to_thread(self._size, request)
            if offset_b != have_b:
                raise UploadRefusal(409, "offset", f"there are {have_b} bytes, not {offset_b}",
                                    Upload_Offset=str(have_b))
            if have_b + len(piece) > (request.bytes or 0):
                raise UploadRefusal(413, "too_long", f"more than the {request.bytes} bytes that were announced")
            if not request.open:
                return have_b
            have_b = await asyncio.to_thread(self._append, request_id, piece)
        self._metrics.taken_b.inc(len(piece))
        if have_b == request.bytes:
            self._check(request)
        return have_b

    async def receipt(self, peer: str, request_id: str) -> str | None:
        """Returns the receipt; None while the upload is being checked."""
        async with self._lock(request_id):
            request = await self._theirs(peer, request_id, ended=True)
            is_whole = request.bytes is not None and await asyncio.to_thread(self._size, request) == request.bytes
        if request.receipt:
            return request.receipt
        if request.state == "failed":
            raise UploadRefusal(422, request.code or "failed", "what came is not what was asked for; it is kept aside")
        _require_open(request, self._clock.now().wall_ms)
        if not is_whole:
            raise UploadRefusal(409, "not_whole", "the upload is not whole yet")
        self._check(request)
        return None

    async def withdraw(self, peer: str, request_id: str) -> None:
        await self._theirs(peer, request_id, ended=True)
        await self._stop_check(request_id)
        async with self._lock(request_id):
            request = await self._theirs(peer, request_id, ended=True)
            if request.receipt:
                raise UploadRefusal(409, "kept", "the ward has stored it, and has signed a receipt")
            await asyncio.to_thread(self._requests.withdrawn, request_id, self._clock.now().wall_ms)
            await asyncio.to_thread(self._checker.forget, request)

    async def tidy(self) -> None:
        """Continues interrupted uploads and checks, and deletes abandoned ones. Raises DatabaseFault and OSError."""
        now_ms, coming_n = self._clock.now().wall_ms, 0
        for request in await asyncio.to_thread(self._requests.open_ones):
            if request.until_ms <= now_ms:
                await asyncio.to_thread(self._requests.become, request.id, "expired", "intake", now_ms)
            elif request.state in UNHEARD and request.command_until_ms + LATE_MS <= now_ms:
                await asyncio.to_thread(self._requests.become, request.id, "expired", "intake", now_ms, code=NO_ANSWER)
            elif request.bytes is not None:
                coming_n += 1
                if await asyncio.to_thread(self._spool.size_b, request.id) == request.bytes:
                    self._check(request)
                else:
                    await self._give_up_idle(request.id, now_ms)
        for name in await asyncio.to_thread(self._spool.names):
            await self._sweep(name)
        await asyncio.to_thread(self._spool.tidy_aside, now_ms / 1000 - ASIDE_S)
        self._metrics.coming.set(coming_n)
        self._metrics.free_b.set(await asyncio.to_thread(self._spool.free_b))

    async def _give_up_idle(self, request_id: str, now_ms: int) -> None:
        async with self._lock(request_id):
            request = await asyncio.to_thread(self._requests.find, request_id)
            idle_s = now_ms / 1000 - await asyncio.to_thread(self._spool.touched_s, request_id)
            if request and request.open and idle_s > IDLE_S and (
                    await asyncio.to_thread(self._spool.size_b, request_id) != request.bytes):
                await asyncio.to_thread(self._requests.withdrawn, request_id, now_ms, "nothing came for days")
                await asyncio.to_thread(self._checker.forget, request)
                _log.warning("%s of %s: given up: nothing more of it came for days", request_id, request.dev)

    async def _sweep(self, request_id: str) -> None:
        """Deletes an upload that no open request waits for."""
        request = await asyncio.to_thread(self._requests.find, request_id)
        if request and request.open and request.bytes is not None:
            return
        await self._stop_check(request_id)
        async with self._lock(request_id):
            request = await asyncio.to_thread(self._requests.find, request_id)
            if request is None or request.state == "done":
                await asyncio.to_thread(self._spool.drop, request_id)
            elif not request.open or request.bytes is None:
                await asyncio.to_thread(self._checker.forget, request)
                _log.info("%s: its upload was deleted: no request waits for it", request_id)

    async def _stop_check(self, request_id: str) -> None:
        """Cancels a running check, and waits until its result, if any, is stored."""
        if check := self._checks.get(request_id):
            check.cancel()
            await asyncio.wait([check])

    @property
    def is_checking(self) -> bool:
        return bool(self._checks)

    async def close(self) -> None:
        """Cancels the running checks; they start again with the next start."""
        for check in self._checks.values():
            check.cancel()
        if self._checks:
            await asyncio.wait(self._checks.values())

    async def _theirs(self, peer: str, request_id: str, ended: bool = False) -> PictureRequest:
        """Returns this device's request: an open or done one, or any if `ended`."""
        request = await asyncio.to_thread(self._requests.find, request_id)
        if request is None:
            raise UploadRefusal(404, "unknown", "this ward has not asked for that")
        if request.dev != peer:
            raise UploadRefusal(403, "not_yours", "another device was asked for that")
        now_ms = self._clock.now().wall_ms
        if not ended and request.code == NO_ANSWER and request.may_go_on(now_ms):
            await asyncio.to_thread(self._requests.become, request.id, "running", "device", now_ms=now_ms,
                                    detail="it has come late")
            return await self._theirs(peer, request_id)
        if not ended and request.state != "done":
            _require_open(request, now_ms)
        return request

    async def _announced(self, peer: str, request_id: str) -> PictureRequest:
        request = await self._theirs(peer, request_id)
        if request.bytes is None:
            raise UploadRefusal(404, "not_announced", "begin with a POST")
        return request

    def _announce(self, request: PictureRequest, wish: Announced, certificate: str) -> bool:
        """Whether this is the first announcement. Refuses it without room, or after too many."""
        if len(self._requests.steps(request.id)) >= STEPS_MAX:
            raise UploadRefusal(429, "too_often", "it was announced and given up too often", Retry_After=LATER_S)
        coming = [ComingUpload(each.dev, each.bytes, self._spool.size_b(each.id) or 0)
                  for each in self._requests.open_ones() if each.bytes is not None]
        if not is_within_share(request.dev, wish.bytes, coming, self._share_b):
            _log.warning("%s of %s: it has announced its share of the room already, and has to bring that first: see "
                         "[intake] max_gb", request.id, request.dev)
            self._metrics.over_share.inc()
            self._requests.over_share(request.dev, self._clock.now().wall_ms)
            raise UploadRefusal(507, "share", "bring what you have announced first, or give it up", Retry_After=LATER_S)
        if self._spool.free_b() - self._free_b < kept_b(coming) + COPIES_N * wish.bytes:
            _log.error("%s of %s: no room for %d bytes beside what is coming: make some, or see [intake] free_gb",
                       request.id, request.dev, wish.bytes)
            raise UploadRefusal(507, "no_room", "there is no room for it at the moment", Retry_After=LATER_S)
        _log.info("%s of %s: %d bytes are coming", request.id, request.dev, wish.bytes)
        return self._requests.announced(request.id, wish.bytes, wish.sha256, wish.manifest,
                                        certificate=certificate, now_ms=self._clock.now().wall_ms)

    def _size(self, request: PictureRequest) -> int:
        if not request.open:
            return request.bytes or 0
        return self._spool.size_b(request.id) or 0

    def _append(self, request_id: str, piece: bytes) -> int:
        if self._spool.free_b() - len(piece) < self._free_b:
            raise UploadRefusal(507, "no_room", "there is no room for it at the moment", Retry_After=LATER_S)
        return self._spool.append(request_id, piece)

    def _lock(self, request_id: str) -> asyncio.Lock:
        return self._locks.setdefault(request_id, asyncio.Lock())

    def _check(self, request: PictureRequest) -> None:
        now_mono_s = self._clock.mono_s()
        if request.id in self._checks or now_mono_s < self._tried_mono_s.get(request.id, -AGAIN_S) + AGAIN_S:
            return
        self._tried_mono_s[request.id] = now_mono_s
        self._checks[request.id] = task = asyncio.create_task(self._judged(request))
        task.add_done_callback(lambda _: self._checks.pop(request.id, None))

    async def _judged(self, request: PictureRequest) -> None:
        try:
            verdict = await self._checker.check(request)
            async with self._lock(request.id):
                await self._checker.settle(request, verdict)
            self._tried_mono_s.pop(request.id, None)
        except (Trouble, DatabaseFault, OSError) as error:
            _log.error("%s of %s could not be checked, and will be again: %s", request.id, request.dev, error)


def _require_kind(request: PictureRequest, kind: Kind, manifest: str | None) -> None:
    if request.kind != kind:
        raise UploadRefusal(409, "kind", f"a {request.kind} was asked for")
    if (manifest is None) == (kind == "clip"):
        raise UploadRefusal(400, "metadata", "Upload-Metadata names the manifest's SHA-256 with a clip, and only then")


def _require_open(request: PictureRequest, now_ms: int) -> None:
    if not request.open:
        raise UploadRefusal(410, request.state, f"that is at its end: {request.state}")
    if now_ms >= request.until_ms:
        raise UploadRefusal(410, "expired", "that was asked for too long ago")
