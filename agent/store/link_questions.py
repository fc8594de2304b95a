"""What link and page ask of the keeper, which writes for them: a line of JSON, and its answer.

A question says what has become of something of the link's own, never what a row is to hold. So a link that somebody has
taken over can do by them what a link must do, and no more. Each is a function here, which the keeper calls and the link
names: its parameters behind the first two are what is asked with.
"""
import contextlib
import hashlib
import inspect
import logging
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union

import msgspec
from msgspec import Meta, Struct

from agent import __version__
from agent.config.settings import Settings
from agent.core import release
from agent.core.contract import wire
from agent.core.contract.wire.commands import COMMANDS, ClipCancel, ClipExport, Replay, Replayed, Snapshot, Update, args
from agent.core.contract.wire.device_side import CommandState
from agent.core.contract.wire.inbound import Seq
from agent.core.delivery.outbox import not_kept
from agent.core.evidence.ledger import Configured
from agent.core.evidence.ledger.claim import Claim
from agent.host.clock import Clock, Instant
from agent.host.updates import key_file
from agent.store import (
    command_log,
    deferred,
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
from agent.store.command_log import CommandRefused, News, state
from agent.store.commands import Ordered, going_on
from agent.store.database import StoreConnection, transaction
from agent.store.home import RetainedTopics, remember
from agent.store.pins import hand_out
from agent.store.requests import RequestError
from agent.store.updates import UpdateOrder
from agent.store.ward_settings import Given
from agent.store.wishes import WishRefused, request_of

QUESTION_B_MAX = 1 << 20        # the claim of an hour in short clips
SOCKET = "keeper/link.sock"             # in the runtime folder
SEQS_MAX = 2_000
AHEAD_MS = 60_000                       # that the ward's clock may be ahead of ours
REPLAYED_MAX = 10_000                   # rows that one command looks at
GIVEN_UP_MS = 7 * 86_400_000            # after a request was approved: nobody expects it any more

Word = Annotated[str, Meta(max_length=64)]
Seqs = Annotated[list[Seq], Meta(max_length=SEQS_MAX)]
Text = Annotated[str, Meta(max_length=16_384)]
Payload = Annotated[bytes, Meta(max_length=16_384)]
Clips = Annotated[list[Seq], Meta(max_length=10_000)]
ReadReason = Annotated[str, Meta(pattern="^read [0-9a-f]{12}$")]

_log = logging.getLogger(__name__)


class LinkAnswer(Struct, frozen=True, omit_defaults=True):
    """The keeper's answer to any question."""

    why: str = ""                       # it was not done
    said: msgspec.Raw = msgspec.Raw(b"null")


class Writer(NamedTuple):
    """What the keeper writes by."""

    clock: Clock
    now: Instant
    settings: Settings
    demand: Callable[[StoreConnection, bytes, str | None], None]    # that the ward has signed this for that device


class LinkQuestion(Struct, frozen=True, tag_field="ask"):
    """The base of all questions: `write` does what is asked, all at once, and `answer` is the type of its answer."""


QUESTIONS: list[Any] = []


def question(work: Callable[..., Any]) -> Callable[..., LinkQuestion]:
    """Make of a function the question by which it is asked for."""
    given = list(inspect.signature(work).parameters.values())[2:]
    fields = [(each.name, each.annotation, *([] if each.default is each.empty else [each.default])) for each in given]
    made = msgspec.defstruct(work.__name__, fields, bases=(LinkQuestion,), tag=work.__name__, frozen=True, namespace={
        "answer": work.__annotations__["return"],
        "write": lambda self, db, by: work(db, by, *msgspec.structs.astuple(self))})
    QUESTIONS.append(made)
    return made


@question
def count_connection(db: StoreConnection, by: Writer) -> int:
    """How many connections to the ward were there, with the one that is about to be made?"""
    return meta.count_up(db, numbers.CONN)


@question
def settle_messages(db: StoreConnection, by: Writer, seqs: Seqs, code: Word | None = None) -> list[str]:
    """The ward has these messages; with a code, nobody takes them. The answer has the kinds of such, if they are known.
    """
    kinds = []
    with transaction(db):
        for seq in seqs if code is not None else []:
            kinds += [row["kind"] for row in outbox.after(db, seq - 1, 1) if row["seq"] == seq]
            outbox.quarantine(db, seq, code)
        outbox.settle(db, seqs)
    return kinds


@question
def tell_ward(db: StoreConnection, by: Writer, kind: Literal["security", "health_hist"], data: Text) -> None:
    """The link has something to tell by itself."""
    with transaction(db):
        outbox.append(db, kind, None, by.now, data)


@question
def fold_outbox(db: StoreConnection, by: Writer, after_seq: Seq) -> int:
    """The outbox is over its bound: messages behind this one may give way."""
    return outbox.keep(db, by.clock, after_seq)


@question
def settle_deferred(db: StoreConnection, by: Writer) -> deferred.Settled:
    """Messages wait for a word: let those go that have it."""
    return deferred.settle(db, by.now)


@question
def overtake(db: StoreConnection, by: Writer, known_n: Seq, out: Seqs, refused: Seqs) -> bool:
    """The ward has the message `known_n`, or others under `refused`; `out` are under way. Was the card behind?"""
    with transaction(db):
        if not numbers.overtake(db, known_n, out, refused):
            return False
        number = max(known_n, *refused, 0)
        meta.put(db, numbers.WENT_BACK, str(number))
        storage(db, by.now, "card_went_back", over=True, detail=f"message {number} was not known here")
    _log.error("the ward has message %d, which this card does not know: the card went back in time, or a copy of it is "
               "in use; what waits goes on behind that", number)
    return True


@question
def note_command(db: StoreConnection, by: Writer, ordered: Ordered, code: Word | None = None) -> tuple[bytes, bool]:
    """A command has come, maybe refused with a code: which answer stands, and is the command new?"""
    state(ordered.answer)               # which has to be one
    return command_log.register(db, ordered, code)


@question
def finish_command(db: StoreConnection, by: Writer, ordered: Ordered, state: CommandState, code: Word | None = None,
                   data: dict[str, Any] | None = None, command: Payload | None = None) -> tuple[bytes, News]:
    """A command was carried out, but for what it leaves on the card if it is handed in as it came.

    The answer is that to the command, and those to others that came of it.
    """
    news: News = []
    return command_log.finish(db, ordered, state, code, by.now, lambda: data if command is None else carry_out(
        db, by, ordered, command, news)), news


@question
def got_answer(db: StoreConnection, by: Writer, command: Word) -> None:
    """Somebody has got the answer to this command."""
    command_log.got(db, command)


@question
def close_interrupted(db: StoreConnection, by: Writer) -> None:
    """The link has just started: what its earlier life has left unfinished failed."""
    command_log.close_interrupted(db, by.now)


@question
def follow_commands(db: StoreConnection, by: Writer, what: Literal["requests", "update"]) -> News:
    """Which are the new answers to commands, by what has become of what they asked for?"""
    if what == "update":
        with transaction(db):
            return command_log.follow_update(db, order, by.now) if (order := updates.read(db)) else []
    sure = is_sure(db, by.now.boot, by.now.clock)
    for each in requests.open_ones(db) if sure else []:
        if each.decided_ms is not None and by.now.wall_ms - each.decided_ms > GIVEN_UP_MS:
            _fail(db, each.id, "undelivered")
    if not going_on(db):
        return []
    with transaction(db):
        return command_log.follow(db, by.now)


@question
def end_request(db: StoreConnection, by: Writer, request: Word, code: Word, receipt: Text = "") -> News:
    """What was asked for can't be had, says a code, or the ward has it, says its intake's receipt."""
    if code:
        _fail(db, request, code)
    with contextlib.suppress(RequestError), transaction(db):
        if not code:
            requests.deliver(db, request, receipt, by.now)
            hand_out(db, request)
        return command_log.follow(db, by.now)
    return []


def _fail(db: StoreConnection, request: str, code: str) -> None:
    with contextlib.suppress(RequestError):
        requests.fail(db, request, code)


@question
def note_upload(db: StoreConnection, by: Writer, request: Word, sent_b: Seq | None = None) -> None:
    """So many bytes of the file are there; none: the file is gone, and is to be packed anew."""
    if sent_b is None:
        requests.unpacked(db, request)
    else:
        requests.sent(db, request, sent_b)


@question
def keep_configuration(db: StoreConnection, by: Writer, payload: Payload, clamped: dict[str, str]) -> bool:
    """The ward has set this, `clamped` by the household's settings. Does it hold, or was a newer one there?"""
    desired = wire.decode(wire.Desired, payload)
    by.demand(db, payload, desired.dev)
    digest = hashlib.sha256(payload).hexdigest()
    given = Given(ver=desired.ver, cfg=desired.cfg, digest=digest, payload=payload.decode())
    with transaction(db):
        known = ward_settings.read(db)
        if not given.overtakes(known):
            return False
        ward_settings.put(db, given)
        if given.ver != known.ver:
            told = wire.ConfigData(ver=given.ver, cfg=given.cfg, clamped=clamped)
            outbox.append(db, "config", None, by.now, wire.encode(told))
            ledger.note(db, by.now, Configured(ver=given.ver, cfg=given.cfg))
    return True


@question
def move_update(db: StoreConnection, by: Writer, order: Word, state: updates.State,
                code: release.Code | None = None) -> News:
    """The version that was ordered is further, or at its end."""
    with transaction(db):
        moved = updates.move(db, order, state, code)
        return command_log.follow_update(db, moved, by.now) if moved else []


@question
def approve_update(db: StoreConnection, by: Writer) -> bool:
    """Home Assistant's button was pressed. Had something waited for that?"""
    return updates.decide(db, approve=True) is not None


@question
def keep_notified(db: StoreConnection, by: Writer, states: dict[str, notify.PlaceState]) -> None:
    """How far the household's phones have been told."""
    places = {place.name for place in by.settings.notify}
    notify.keep(db, {name: state for name, state in states.items() if name in places})


@question
def show_home(db: StoreConnection, by: Writer, topics: RetainedTopics | None) -> None:
    """What is about to be left at the household's broker; none: nothing is there any more."""
    remember(db, topics)


@question
def hold_for_export(db: StoreConnection, by: Writer, clips: Clips, reason: ReadReason) -> None:
    """The page is about to read these clips: retention leaves them alone."""
    with transaction(db):
        holds.hold_to_read(db, clips, reason, by.now)


@question
def release_export(db: StoreConnection, by: Writer, reason: ReadReason) -> None:
    """The page has read them."""
    holds.release_read(db, reason)


@question
def ask_signature(db: StoreConnection, by: Writer, claim: Claim) -> int:
    """The page asks the keeper to sign an export. The answer has the request's number."""
    return signing_requests.ask(db, claim)


@question
def take_back_signature(db: StoreConnection, by: Writer, number: Seq) -> None:
    """The page has read the answer, or waits for none."""
    signing_requests.take_back(db, number)


PAGE_QUESTIONS = (hold_for_export, release_export, ask_signature, take_back_signature)     # all others are the link's
Questions = Union[tuple(QUESTIONS)]     # noqa: UP007


def carry_out(db: StoreConnection, by: Writer, ordered: Ordered, command: bytes, news: News) -> Replayed | None:
    """What a command leaves on the card, within the transaction of its answer.

    Returns the answer's data, where there is some; answers to others are added to `news`. Raises CommandRefused.
    """
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
        case Replay(first=first, last=last):
            return _announce(db, by.now, max(1, first), last)
    return None


def _open(db: StoreConnection, by: Writer, command: bytes) -> None:
    try:
        request = request_of(command)
    except WishRefused as refusal:
        raise CommandRefused(str(refusal)) from None
    if request.camera not in {camera.name for camera in by.settings.camera}:
        raise CommandRefused("unknown_camera")
    if request.end_ms is not None and request.end_ms > by.now.wall_ms + AHEAD_MS:
        raise CommandRefused("in_future")
    if requests.find(db, request.id):       # older than the answers that are kept
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
    """Accept a new order; one that still waited for the household is answered now."""
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
    news = command_log.follow_update(db, moved, by.now) if moved else []
    updates.put(db, UpdateOrder(id=command_id, version=wish.version, url=wish.url, sha256=wish.sha256, bytes=wish.bytes,
                          state="approved" if rules.rule == "allow" else "waiting"))
    return news


def _announce(db: StoreConnection, now: Instant, first: int, last: int) -> Replayed:
    """One gap event for what is not there any more; returns how many come again, and up to where both hold."""
    last = min(last, outbox.next_seq(db) - 1)
    kept = outbox.seqs(db, first, last, REPLAYED_MAX)
    if len(kept) == REPLAYED_MAX:
        last = kept[-1]
    gap, last = not_kept(first, last, kept)
    if gap:
        outbox.append(db, "gap", None, now, wire.encode(gap))
    return Replayed(again_n=sum(seq <= last for seq in kept), missing_n=gap.n if gap else 0, upto=last)
