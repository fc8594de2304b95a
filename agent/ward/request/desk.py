"""Requests for pictures: checks the options, stores the request, then signs and sends it.

The ingest receives the answers.
"""
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from agent.core.contract.wire.commands import LONGEST_MS, ClipExport, Purpose, Snapshot, Text
from agent.core.household.sharing_rules import Kind
from agent.host.clock import Clock
from agent.ward.keys import public_half
from agent.ward.opslink import NAME, OpsFault, OrdersBy
from agent.ward.orders import OrderWriter, SignedOrder
from agent.ward.requests import PictureRequest, PictureRequests, State
from agent.ward.settings import ID, Settings

LONGEST = timedelta(milliseconds=LONGEST_MS)
TEXTS = {"case": "the case's number", "officer": "who answers for it", "basis": "the law that it is asked by"}
CAMERA_MAX = 64
TIME = re.compile(r"\d{1,2}(:\d\d){1,2}")


class BadOrder(Exception):
    """The options are wrong; the text says what would be right, `code` what is wrong."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOrder:
    """A request before it is sent. Times have a zone."""

    dev: str
    kind: Kind
    cam: str
    case: str
    purpose: str
    officer: str
    basis: str
    begin: datetime | None = None
    end: datetime | None = None


def read_order(kind: Kind, given: Mapping[str, str], now: datetime) -> RequestOrder:
    """Checks the options dev, cam, case, purpose, officer, basis, and for a clip from and to. Raises BadOrder."""
    if not ID.fullmatch(given["dev"]):
        raise BadOrder("dev", f"--dev {given['dev']}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d; "
                       "taimat ward watch lists them")
    if not _is(given["cam"], Text) or len(given["cam"]) > CAMERA_MAX:
        raise BadOrder("cam", f"--cam: takes the camera's name, up to {CAMERA_MAX} letters")
    if not _is(given["purpose"], Purpose):
        raise BadOrder("purpose", f"--purpose {given['purpose']}: takes one word that households have their rules by, "
                       "in a-z, 0-9 and '-': theft, fire, missing-person")
    for name, what in TEXTS.items():
        if not _is(given[name], Text):
            raise BadOrder(name, f"--{name}: takes {what}, on one line of up to 200 letters")
    begin, end = _range(given["from"], given["to"], now) if kind == "clip" else (None, None)
    return RequestOrder(kind=kind, begin=begin, end=end, **{name: given[name] for name in (
        "dev", "cam", "case", "purpose", "officer", "basis")})


def _range(since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    begin = moment(since, "--from", now)
    end = moment(until, "--to", begin)
    if begin >= end:
        raise BadOrder("to_before", f"--to {until}: has to be later than --from {since}")
    if end > now:
        raise BadOrder("to_ahead", f"--to {until}: is in the future; ask for a time that is recorded already")
    if end - begin > LONGEST:
        middle = begin + LONGEST
        raise BadOrder("too_long", "that is longer than an hour, and a household decides about an hour at most; ask "
                       f"several times: --from '{_spell(begin)}' --to '{_spell(middle)}', then --from "
                       f"'{_spell(middle)}' and so on")
    return begin, end


def moment(text: str, option: str, day: datetime) -> datetime:
    """Reads local time or RFC 3339; a time without a date is on `day`. Raises BadOrder."""
    text = text.strip()
    try:
        if TIME.fullmatch(text):
            text = f"{day.astimezone():%Y-%m-%d} {text:0>{5 if text.count(':') == 1 else 8}}"
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise BadOrder(option.removeprefix("--"), f"{option} {text}: takes a moment, as in '2026-11-25 14:00' (local "
                       "time), 14:00 (today; with --to, on the day of --from) or 2026-11-25T14:00:00+07:00") from None


def _spell(when: datetime) -> str:
    return when.isoformat(sep=" ", timespec="seconds")


def _is(text: str, kind: object) -> bool:
    try:
        msgspec.convert(text, kind)     # type: ignore[call-overload]
    except msgspec.ValidationError:
        return False
    return bool(text.strip())


UPLOAD_MS = 21 * 86_400_000         # how long an upload is accepted: a household has a week, and its line may be slow
COMMANDS = {"clip": "clip.export", "snapshot": "snapshot"}
CANCEL = "clip.cancel"


class NotSent(OpsFault):
    """A stored request has failed, because it did not reach the broker."""

    def __init__(self, request: str, why: str) -> None:
        super().__init__(why)
        self.request = request


class RequestDesk:
    """The requests of one ward. Its methods raise OpsFault, DatabaseFault and SigningKeyFault."""

    def __init__(self, own: Settings, requests: PictureRequests, clock: Clock, who: OrdersBy = NAME,
                 officer: str | None = None) -> None:
        """Loads the command key; `who` asks, `officer` is noted. Raises SigningKeyFault."""
        self._intake, self._requests, self._clock = own.intake, requests, clock
        self._who, self._officer = who, officer
        self._orders = OrderWriter(own, clock, who)

    def ask(self, wish: RequestOrder) -> PictureRequest:
        """Sends a request; returns it. Raises NotSent, and BadOrder if the ward has no intake."""
        order = self._orders.write(wish.dev, COMMANDS[wish.kind], self._args(wish))
        request = _request(wish, order)
        self._requests.add(request, self._who, self._officer)
        try:
            self._send(order)
        except OpsFault as fault:
            self._become(request, "failed", str(fault), code="not_sent")
            raise NotSent(request.id, str(fault)) from fault
        self._become(request, "sent")
        return request

    def cancel(self, request: PictureRequest) -> bool:
        """Returns False if it had ended. A device that does not hear of it is refused by the intake."""
        order = self._orders.write(request.dev, CANCEL, {"request": request.id})
        if not self._become(request, "cancelled", self._officer):
            return False
        self._send(order)
        return True

    def _args(self, wish: RequestOrder) -> dict[str, object]:
        if not self._intake.url:
            raise BadOrder("no_intake", "[intake] url: is not set: it tells devices where to bring what is asked for")
        given = {"case": wish.case, "purpose": wish.purpose, "officer": wish.officer, "basis": wish.basis,
                 "cam": wish.cam, "upload": self._intake.url,
                 "receipt_key": public_half(self._intake.receipt_key).hex()}
        args: dict[str, object] = msgspec.to_builtins(
            Snapshot(**given) if wish.begin is None or wish.end is None else
            ClipExport(**given, begin=wish.begin, end=wish.end))
        return args

    def _become(self, request: PictureRequest, state: State, detail: str | None = None, **changes: str) -> bool:
        return self._requests.become(request.id, state, self._who, self._clock.now().wall_ms, detail, **changes)

    def _send(self, order: SignedOrder) -> None:
        with self._orders.link([order]) as ops:
            if not self._orders.send(ops, order):
                raise OpsFault(f"{order.dev}: has been away for more than an hour, so the broker keeps nothing for it: "
                               "ask again when taimat ward watch shows it")


def _request(wish: RequestOrder, order: SignedOrder) -> PictureRequest:
    return PictureRequest(
        id=order.id, dev=wish.dev, kind=wish.kind, cam=wish.cam, case_no=wish.case, purpose=wish.purpose,
        officer=wish.officer, basis=wish.basis, made_ms=order.made_ms, until_ms=order.made_ms + UPLOAD_MS,
        command=order.command, begin_ms=None if wish.begin is None else int(wish.begin.timestamp() * 1000),
        end_ms=None if wish.end is None else int(wish.end.timestamp() * 1000))
