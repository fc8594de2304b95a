"""The ward's wish as a request: link and keeper read the same in the command that the ward has signed."""
import urllib.parse

from agent.core.contract import wire
from agent.core.contract.wire.commands import COMMANDS, LONGEST_MS, ClipExport, Snapshot, args
from agent.store.requests import WardRequest


class WishRefused(Exception):
    """Nothing can come of that wish; the text is the code that the ward is told."""


def request_of(command: bytes) -> WardRequest:
    """The request that a command makes; its signature and its age are others' to judge. Raises WishRefused."""
    try:
        order = wire.decode(wire.Command, command)
        wish = args(order, COMMANDS[order.name or ""].args)
    except (wire.BadPayload, LookupError):
        raise WishRefused("bad_args") from None
    if not isinstance(wish, Snapshot | ClipExport):
        raise WishRefused("bad_args")
    if not _is_intake(wish.upload):
        raise WishRefused("bad_upload")
    begin_ms, end_ms = _span_ms(wish) if isinstance(wish, ClipExport) else (None, None)
    return WardRequest(id=order.id, kind="snapshot" if begin_ms is None else "clip", camera=wish.cam,
                       begin_ms=begin_ms, end_ms=end_ms, case_no=wish.case, purpose=wish.purpose,
                       officer=wish.officer, basis=wish.basis, upload=wish.upload, receipt_key=wish.receipt_key,
                       command=command)


def _span_ms(wish: ClipExport) -> tuple[int, int]:
    begin_ms, end_ms = (round(moment.timestamp() * 1000) for moment in (wish.begin, wish.end))
    if begin_ms >= end_ms:
        raise WishRefused("no_range")
    if end_ms - begin_ms > LONGEST_MS:
        raise WishRefused("too_long")
    return begin_ms, end_ms


def _is_intake(upload: str) -> bool:
    """Whether this is a URL of an intake."""
    try:
        parts = urllib.parse.urlsplit(upload)
        return parts.scheme == "https" and bool(parts.hostname and parts.path) and parts.port != 0 and not parts.query
    except ValueError:
        return False
