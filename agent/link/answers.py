"""Answers to commands: what they say of requests and updates, and those that wait to be sent."""
import msgspec

from agent.core.contract import wire
from agent.core.contract.wire.answers import HandedOver, Installed
from agent.core.contract.wire.device_side import CommandState
from agent.host.clock import Instant
from agent.mqtt.connection import Outgoing
from agent.store.commands import Ordered
from agent.store.requests import WardRequest
from agent.store.updates import UpdateOrder

OF_REQUESTS: dict[str, tuple[CommandState, str | None]] = {
    "new": ("accepted", None), "waiting": ("waiting_consent", None), "approved": ("running", None),
    "packed": ("running", None), "delivered": ("done", None), "refused": ("refused", "refused"),
    "lapsed": ("refused", "lapsed"), "cancelled": ("refused", "cancelled")}
OF_UPDATES: dict[str, CommandState] = {
    "waiting": "waiting_consent", "approved": "running", "handed": "running",
    "done": "done", "failed": "failed", "refused": "refused"}
EXPIRY_S = 7 * 86_400
SENT_AT_ONCE = 16
News = list[tuple[Ordered, bytes]]      # answers that nobody was sent yet, with their commands
GOING_ON = ("accepted", "waiting_consent", "running")


class AnswerState(msgspec.Struct, frozen=True):
    """The one field of an answer that matters here."""

    st: str


class AnswerQueue:
    """Answers that wait to be sent, the newest of each command. Each lies on the card, too: what is lost here is said
    again with the next connection.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, bytes | None], tuple[Ordered, bytes]] = {}      # in order

    def put(self, ordered: Ordered, payload: bytes) -> None:
        """Have this sent as the answer to that command."""
        self._waiting[ordered.who, ordered.id, ordered.correlation] = ordered, payload

    def remove(self, topics: wire.Topics) -> list[Outgoing]:
        """Some of them, the oldest first, as messages."""
        removed = [self._waiting.pop(key) for key in list(self._waiting)[:SENT_AT_ONCE]]
        return [Outgoing(topics.response(ordered.who, ordered.id), payload, expiry_s=EXPIRY_S,
                         correlation=ordered.correlation) for ordered, payload in removed]


UNDATED = "undated"


def of_request(request: WardRequest, now: Instant, sent_b: int | None = None, undated: bool = False) -> wire.Response:
    """The answer as it stands; `sent_b` bytes are uploaded, where somebody knows better than the card.

    `undated`: as things are nothing will come of it, because nobody knows when those recordings were made.
    """
    st, code = OF_REQUESTS.get(request.state, ("failed", request.code))
    if code == "refused" and request.decided_by == "rule":
        code = "no_consent"
    if undated and st in GOING_ON:
        code = UNDATED
    open_one, packed = st in GOING_ON, request.state == "packed"
    return wire.Response(
        v=wire.VERSION, id=request.id, st=st, code=code, ts=None if now.clock == "unset" else now.wall_ms,
        data=msgspec.to_builtins(_handed_over(request)) if st == "done" else None,
        request=request.n if open_one else None,
        sent_b=(request.sent_b if sent_b is None else sent_b) if packed else None,
        total_b=request.bytes if packed else None)


def of_update(order: UpdateOrder, now: Instant) -> wire.Response:
    """The answer as it stands to the order of a version."""
    st = OF_UPDATES[order.state]
    return wire.Response(v=wire.VERSION, id=order.id, st=st, code=order.code,
                         ts=None if now.clock == "unset" else now.wall_ms,
                         data=msgspec.to_builtins(Installed(version=order.version)) if st == "done" else None)


def is_final(payload: bytes) -> bool:
    """Whether this answer, or report, is the last one of its command."""
    return state(payload) not in GOING_ON


def state(payload: bytes) -> str:
    """The state in an answer."""
    return msgspec.json.decode(payload, type=AnswerState).st


def _handed_over(request: WardRequest) -> HandedOver:
    assert request.bytes is not None and request.sha256 is not None
    return HandedOver(bytes=request.bytes, sha256=request.sha256, manifest=request.manifest)
