"""Questions of link and page to the keeper, which writes for them: a line of JSON, and its answer.

A question says what has happened to something that the link owns, never what a row should contain. So a link that was
taken over can do only what a link must. Each question is a function here, which the keeper calls. The link sends its
name and its parameters after the first two.
"""
import contextlib
import inspect
import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union

import msgspec
from msgspec import Meta, Struct

from agent import __version__
from agent.config.derived import listens, weighed
from agent.config.settings import Settings
from agent.core import release
from agent.core.contract import wire
from agent.core.contract.wire.commands import (
    COMMANDS,
    ClipCancel,
    ClipExport,
    Replay,
    Replayed,
    SetSettings,
    SettingsInEffect,
    Snapshot,
    Update,
    args,
)
from agent.core.contract.wire.device_side import CommandState
from agent.core.contract.wire.inbound import Seq
from agent.core.delivery.outbox import not_kept
from agent.core.evidence.ledger.acts import Configured
from agent.core.evidence.ledger.claim import Claim
from agent.host.clock import Clock, Instant
from agent.host.updates import key_file
from agent.store import (
    commands,
    holds,
    ledger,
    meta,
    notify,
    numbers,
    outbox,
    requests,
    signing_requests,
    updates,
    ward_settings,
)
from agent.store.announce import storage
from agent.store.boots import is_sure
from agent.store.commands import CommandRefused, News, Ordered, going_on, state
from agent.store.database import StoreConnection, transaction, unflushed
from agent.store.home import RetainedTopics, remember
from agent.store.requests import RequestError, WishRefused, request_of
from agent.store.updates import UpdateOrder
from agent.store.ward_settings import Given

QUESTION_B_MAX = 1 << 20        # the claim of an hour in short clips
SOCKET = "keeper/link.sock"             # in the runtime folder
SEQS_MAX = 2_000
AHEAD_MS = 60_000                       # by which the ward's clock may be ahead of ours
REPLAYED_MAX = 10_000                   # rows that one command reads
GIVEN_UP_MS = 7 * 86_400_000            # after the approval of a request

Word = Annotated[str, Meta(max_length=64)]
Seqs = Annotated[list[Seq], Meta(max_length=SEQS_MAX)]
Text = Annotated[str, Meta(max_length=16_384)]
Payload = Annotated[bytes, Meta(max_length=16_384)]
Clips = Annotated[list[Seq], Meta(max_length=10_000)]
ReadReason = Annotated[str, Meta(pattern="^read [0-9a-f]{12}$")]

_log = logging.getLogger(__name__)


class LinkAnswer(Struct, frozen=True, omit_defaults=True):
    """The keeper's answer to any question."""

    why: str = ""                       # why it was not done
    said: msgspec.Raw = msgspec.Raw(b"null")


class Writer(NamedTuple):
    """What the keeper needs to write."""

    clock: Clock
    now: Instant
    settings: Settings
    require_signed: Callable[[StoreConnection, bytes, str | None], None]    # raises otherwise


class LinkQuestion(Struct, frozen=True, tag_field="ask"):
    """The base of the questions. `write` does everything that is asked; `answer` is the type of its answer."""


QUESTIONS: list[Any] = []


def question(work: Callable[..., Any]) -> Callable[..., LinkQuestion]:
    """Turns a function into the question that asks for it."""
    given = list(inspect.signature(work).parameters.values())[2:]
    fields = [(one.name, one.annotation, *([] if one.default is one.empty else [one.default])) for one in given]
    made = msgspec.defstruct(work.__name__, fields, bases=(LinkQuestion,), tag=work.__name__, frozen=True, namespace={
        "answer": work.__annotations__["return"],
        "write": lambda self, db, by: work(db, by, *msgspec.structs.astuple(self))})
    QUESTIONS.append(made)
    return made


@question
def count_connection(db: StoreConnection, by: Writer) -> int:
    """Counts a connection to the ward that is about to be made; returns the new total."""
    return meta.count_up(db, numbers.CONN)


@question
def settle_messages(db: StoreConnection, by: Writer, seqs: Seqs, code: Word | None = None) -> list[str]:
    """The ward has these messages or, with a code, nothing takes them. Returns the known kinds of the latter.

    A message whose deletion is lost in a power cut is sent again, and the ward drops the second one. So that costs no
    flush of the card.
    """
    kinds = []
    with unflushed(db) if code is None else contextlib.nullcontext(), transaction(db):
        for seq in seqs if code is not None else []:
            kinds += [row["kind"] for row in outbox.after(db, seq - 1, 1) if row["seq"] == seq]
            outbox.quarantine(db, seq, code)
        outbox.settle(db, seqs)
    return kinds


@question
def tell_ward(db: StoreConnection, by: Writer, kind: Literal["security", "health_hist"], data: Text) -> None:
    """The link sends a message of its own."""
    with transaction(db):
        outbox.append(db, kind, None, by.now, data)


@question
def fold_outbox(db: StoreConnection, by: Writer, after_seq: Seq) -> int:
    """The outbox is over its bound: messages after this one may be replaced by a count."""
    return outbox.keep(db, by.clock, after_seq)


@question
def settle_deferred(db: StoreConnection, by: Writer) -> outbox.Settled:
    """Releases or drops deferred messages whose events have a label."""
    return outbox.settle_deferred(db, by.now)


@question
def overtake(db: StoreConnection, by: Writer, known_n: Seq, out: Seqs, refused: Seqs) -> bool:
    """The ward has `known_n`, or others under `refused`; `out` are being sent. Returns whether the card was behind."""
    with transaction(db):
        if not numbers.overtake(db, known_n, out, refused):
            return False
        number = max(known_n, *refused, 0)
        meta.put(db, numbers.WENT_BACK, str(number))
        storage(db, by.now, "card_went_back", over=True, detail=f"message {number} was not known here")
    _log.error("the ward has message %d, which this card does not know: the card went back in time, or a copy of it is "
               "in use; waiting messages get higher numbers", number)
    return True


@question
def note_command(db: StoreConnection, by: Writer, ordered: Ordered, code: Word | None = None) -> tuple[bytes, bool]:
    """Logs a command, refused if there is a code. Returns the answer that stands, and whether the command is new."""
    state(ordered.answer)               # raises if it is not an answer
    return commands.register(db, ordered, code)


@question
def finish_command(db: StoreConnection, by: Writer, ordered: Ordered, state: CommandState, code: Word | None = None,
                   data: dict[str, Any] | None = None, command: Payload | None = None) -> tuple[bytes, News]:
    """A command was carried out, except for its rows if `command`, its payload, is given. Returns all answers."""
    news: News = []
    return commands.complete(db, ordered, (state, code), by.now, lambda: data if command is None else carry_out(
        db, by, ordered, command, news)), news


@question
def got_answer(db: StoreConnection, by: Writer, command: Word) -> None:
    """A subscriber has the answer to this command."""
    commands.mark_sent(db, command)


@question
def close_interrupted(db: StoreConnection, by: Writer) -> None:
    """The link has just started: commands that its earlier process left unfinished have failed."""
    commands.close_interrupted(db, by.now)


@question
def follow_commands(db: StoreConnection, by: Writer, what: Literal["requests", "update"]) -> News:
    """Returns the new answers to commands, after changes of their requests or of the update."""
    if what == "update":
        with transaction(db):
            return commands.follow_update(db, order, by.now) if (order := updates.read(db)) else []
    sure = is_sure(db, by.now.boot, by.now.clock)
    for request in requests.open_ones(db) if sure else []:
        if request.decided_ms is not None and by.now.wall_ms - request.decided_ms > GIVEN_UP_MS:
            _fail(db, request.id, "undelivered")
    if not going_on(db):
        return []
    with transaction(db):
        return commands.follow(db, by.now)


@question
def end_request(db: StoreConnection, by: Writer, request: Word, code: Word, receipt: Text = "") -> News:
    """A request has failed with this code or, without one, was delivered with the intake's receipt."""
    if code:
        _fail(db, request, code)
    with contextlib.suppress(RequestError), transaction(db):
        if not code:
            requests.deliver(db, request, receipt, by.now)
            holds.hand_out(db, request)
        return commands.follow(db, by.now)
    return []


def _fail(db: StoreConnection, request: str, code: str) -> None:
    with contextlib.suppress(RequestError):
        requests.fail(db, request, code)


@question
def note_upload(db: StoreConnection, by: Writer, request: Word, sent_b: Seq | None = None) -> None:
    """Notes how many bytes are uploaded. None: the file is gone, and the keeper packs it again."""
    if sent_b is None:
        requests.unpacked(db, request)
    else:
        requests.sent(db, request, sent_b)


@question
def move_update(db: StoreConnection, by: Writer, order: Word, state: updates.State,
                code: release.Code | None = None) -> News:
    """Changes the state of the ordered version."""
    with transaction(db):
        moved = updates.move(db, order, state, code)
        return commands.follow_update(db, moved, by.now) if moved else []


@question
def approve_update(db: StoreConnection, by: Writer) -> bool:
    """Home Assistant's button was pressed. Returns whether an update was waiting for that."""
    return updates.decide(db, approve=True) is not None


@question
def keep_notified(db: StoreConnection, by: Writer, states: dict[str, notify.PlaceState]) -> None:
    """Stores how far the household's phones have been notified."""
    places = {place.name for place in by.settings.notify}
    notify.keep(db, {name: state for name, state in states.items() if name in places})


@question
def show_home(db: StoreConnection, by: Writer, topics: RetainedTopics | None) -> None:
    """Stores what the link is about to leave at the household's broker; None: nothing is left there."""
    remember(db, topics)


@question
def hold_for_export(db: StoreConnection, by: Writer, clips: Clips, reason: ReadReason) -> None:
    """The page is about to read these clips: retention must not delete them."""
    with transaction(db):
        holds.hold_to_read(db, clips, reason, by.now)


@question
def release_export(db: StoreConnection, by: Writer, reason: ReadReason) -> None:
    """The page has read them."""
    holds.release_read(db, reason)


@question
def ask_signature(db: StoreConnection, by: Writer, claim: Claim) -> int:
    """The page asks the keeper to sign an export. Returns the request's number."""
    return signing_requests.ask(db, claim)


@question
def take_back_signature(db: StoreConnection, by: Writer, number: Seq) -> None:
    """The page has read the answer, or stopped waiting."""
    signing_requests.take_back(db, number)


PAGE_QUESTIONS = (hold_for_export, release_export, ask_signature, take_back_signature)     # all others are the link's
Questions = Union[tuple(QUESTIONS)]     # noqa: UP007


def carry_out(db: StoreConnection, by: Writer, ordered: Ordered, command: bytes,
              news: News) -> Replayed | SettingsInEffect | None:
    """Writes the rows that a command asks for, within the transaction of its answer. Returns the answer's data, if any;
    answers to others are added to `news`. Raises CommandRefused."""
    try:
        wish = args(wire.decode(wire.Command, command), COMMANDS[ordered.name].args)
    except (wire.BadPayload, KeyError):
        raise CommandRefused("bad_args") from None
    match wish:
        case Snapshot() | ClipExport():
            _open(db, by, command)
        case ClipCancel(request=request):
            _cancel(db, request, command)
        case Update():
            news += _order(db, by, ordered.id, wish)
        case SetSettings():
            return _set(db, by, command)
        case Replay(first=first, last=last):
            return _announce(db, by.now, max(1, first), last)
    return None


def _set(db: StoreConnection, by: Writer, command: bytes) -> SettingsInEffect:
    order = wire.decode(wire.Command, command)
    by.require_signed(db, command, order.dev)
    given = Given(ver=order.iat, cfg=order.args, payload=command.decode(), id=order.id)
    if order.name != "set":
        raise CommandRefused("other_order")
    if not listens(by.settings):
        raise CommandRefused("not_allowed")
    if not given.overtakes(ward_settings.read(db)):
        raise CommandRefused("old_version")
    in_effect = weighed(by.settings, given.cfg)
    ward_settings.put(db, given)
    outbox.append(db, "config", None, by.now, wire.encode(wire.ConfigData(
        ver=given.ver, cfg=given.cfg, clamped=dict(in_effect.clamped))))
    ledger.note(db, by.now, Configured(ver=given.ver, cfg=given.cfg))
    return SettingsInEffect(cfg=in_effect.values, clamped=dict(in_effect.clamped))


def _open(db: StoreConnection, by: Writer, command: bytes) -> None:
    try:
        request = request_of(command)
    except WishRefused as refusal:
        raise CommandRefused(str(refusal)) from None
    if request.camera not in {camera.name for camera in by.settings.camera}:
        raise CommandRefused("unknown_camera")
    if request.end_ms is not None and request.end_ms > by.now.wall_ms + AHEAD_MS:
        raise CommandRefused("in_future")
    if requests.find(db, request.id):       # its answer was dropped already
        return
    try:
        requests.add(db, request, by.now)
    except RequestError:
        raise CommandRefused("too_many") from None


def _cancel(db: StoreConnection, request_id: str, command: bytes) -> None:
    if requests.find(db, request_id) is None:
        raise CommandRefused("no_such_request")
    try:
        requests.cancel(db, request_id, command)
    except RequestError:
        raise CommandRefused("too_late") from None


def _order(db: StoreConnection, by: Writer, command_id: str, wish: Update) -> News:
    """Accepts a new order; one that was still waiting for the household is answered now."""
    before, rules = updates.read(db), by.settings.update
    if rules.rule == "never":
        raise CommandRefused("forbidden")
    if not key_file(rules.release_key).exists():
        raise CommandRefused("no_release_key")
    if release.order(wish.version) <= release.order(__version__):
        raise CommandRefused("not_newer")
    if before and before.open and before.state != "waiting":
        raise CommandRefused("busy")
    moved = updates.move(db, before.id, "refused", "superseded") if before else None
    news = commands.follow_update(db, moved, by.now) if moved else []
    updates.put(db, UpdateOrder(id=command_id, version=wish.version, url=wish.url, sha256=wish.sha256, bytes=wish.bytes,
                          state="approved" if rules.rule == "allow" else "waiting"))
    return news


def _announce(db: StoreConnection, now: Instant, first: int, last: int) -> Replayed:
    """Writes a gap event for missing messages. Returns how many are sent again, and up to where both hold."""
    last = min(last, outbox.next_seq(db) - 1)
    kept = outbox.seqs(db, first, last, REPLAYED_MAX)
    if len(kept) == REPLAYED_MAX:
        last = kept[-1]
    gap, last = not_kept(first, last, kept)
    if gap:
        outbox.append(db, "gap", None, now, wire.encode(gap))
    return Replayed(again_n=sum(seq <= last for seq in kept), missing_n=gap.n if gap else 0, upto=last)
