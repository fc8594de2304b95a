"""What the ward is told of a request, by what has become of it."""
import msgspec

from agent.core.contract import wire
from agent.core.contract.wire.answers import HandedOver
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.store.requests import Request

TOLD: dict[str, tuple[CommandState, str | None]] = {
    "waiting": ("waiting_consent", None), "approved": ("running", None), "packed": ("running", None),
    "delivered": ("done", None), "refused": ("refused", "refused"), "lapsed": ("refused", "lapsed"),
    "cancelled": ("refused", "cancelled")}
GOING_ON = ("accepted", "waiting_consent", "running")


class Said(msgspec.Struct, frozen=True):
    """The one thing in a payload of ours that matters here."""

    st: str


def answer(request: Request, now: Instant, sent_b: int | None = None) -> wire.Response:
    """The answer as it stands; `sent_b` of the upload, where somebody knows better than the card."""
    st, code = TOLD.get(request.state, ("failed", request.code))
    open_one, packed = st in GOING_ON, request.state == "packed"
    return wire.Response(
        v=wire.VERSION, id=request.id, st=st, code=code, ts=None if now.clock == "unset" else now.wall_ms,
        data=msgspec.to_builtins(_data(request)) if st == "done" else None, request=request.n if open_one else None,
        sent_b=(request.sent_b if sent_b is None else sent_b) if packed else None,
        total_b=request.bytes if packed else None)


def is_final(payload: bytes) -> bool:
    """Whether nothing will be said after this answer, or report, of ours."""
    return state(payload) not in GOING_ON


def state(payload: bytes) -> str:
    """What an answer of ours says."""
    return msgspec.json.decode(payload, type=Said).st


def _data(request: Request) -> HandedOver:
    assert request.bytes is not None and request.sha256 is not None
    return HandedOver(bytes=request.bytes, sha256=request.sha256, manifest=request.manifest)
