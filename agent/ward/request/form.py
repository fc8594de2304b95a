"""A request as it was typed, checked: every mistake is told with what would be right."""
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from agent.core.contract.wire.commands import LONGEST_MS, Purpose, Text
from agent.core.household.sharing_rules import Kind
from agent.ward.settings import ID

LONGEST = timedelta(milliseconds=LONGEST_MS)
TEXTS = {"case": "the case's number", "officer": "who answers for it", "basis": "the law that it is asked by"}
CAMERA_MAX = 64
TIME = re.compile(r"\d{1,2}(:\d\d){1,2}")


class BadOrder(Exception):
    """The request can't be made like that; the text says what would be right, `code` what is wrong."""

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


def read(kind: Kind, given: Mapping[str, str], now: datetime) -> RequestOrder:
    """The request of these options: dev, cam, case, purpose, officer, basis; for a clip also from and to.

    Raises BadOrder.
    """
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
        raise BadOrder("to_ahead", f"--to {until}: lies ahead; ask for what is recorded already")
    if end - begin > LONGEST:
        middle = begin + LONGEST
        raise BadOrder("too_long", "that is longer than an hour, and a household decides about an hour at most; ask "
                       f"several times: --from '{_spell(begin)}' --to '{_spell(middle)}', then --from "
                       f"'{_spell(middle)}' and so on")
    return begin, end


def moment(text: str, option: str, day: datetime) -> datetime:
    """The moment in a text: local time or RFC 3339; a time of day alone is on `day`. Raises BadOrder."""
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
