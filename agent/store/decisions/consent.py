"""What the household agrees to by its settings and its page: noted for the ledger at each change, and applied.

The membership of a ward is kept here. The shared database has a copy, which tells the other roles which messages to
keep. A withdrawal on the page must not wait for root, nor fail with it. So the keeper obeys the page at once, and the
stricter of page and configuration as long as they differ.
"""
import hashlib
import sqlite3
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from agent.core.evidence.ledger.acts import Agreed
from agent.core.evidence.ledger.row import canonical
from agent.core.household import consent
from agent.core.household.consent import BY_CARD, BY_PAGE, Switch
from agent.core.household.labels import PEOPLE
from agent.core.household.sharing_rules import Rules
from agent.host.clock import Instant
from agent.store import boots, commands, ledger, membership, meta, outbox, ward_settings
from agent.store.database import transaction
from agent.store.decisions import decided
from agent.store.membership import Membership

AGREED = "agreed"               # in meta: the digest of what was noted last
HEARD_MS = 180_000          # root obeys a change within two minutes or never
NO_PICTURES = Rules("never", {}, "never")
LEAVING = "leaving"             # the origin of refusals after the household has left its ward


class PageWord(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What the household has said on its page, as far as the configuration does not say it yet."""

    left: str = ""                  # the ward that it has left
    kept: list[Switch] = []         # the parts that it withholds
    people: bool = False            # the ward only gets motion of people and vehicles
    no_pictures: bool = False       # for any purpose
    joins: str = ""                 # the ward that it joins once root has changed the configuration
    change: str = ""                # the newest change of settings with such content
    boot: str = ""                  # when it came
    mono_ms: int = 0

    def over(self, agreed: Agreed) -> Agreed:
        if agreed.ward is None or agreed.ward == self.left:
            return replace(agreed, ward=None, text=None, told=[], only=[], pictures={}, snapshots=None,
                           configurable=False)
        rules = rules_of(agreed) if not self.no_pictures else NO_PICTURES
        gone = {kind for switch in self.kept for kind in consent.KINDS_OF[switch]}
        return replace(agreed, told=[kind for kind in agreed.told if kind not in gone],
                       only=[*PEOPLE] if self.people else agreed.only,
                       pictures={"*": rules.default, **rules.by_purpose}, snapshots=rules.snapshots)

    def beside(self, agreed: Agreed) -> "PageWord":
        withheld = consent.withheld(agreed.told)
        return replace(self, left=self.left if agreed.ward == self.left else "",
                       kept=[part for part in self.kept if part not in withheld],
                       people=self.people and not agreed.only and "events" not in withheld,
                       no_pictures=self.no_pictures and not rules_of(agreed).is_shut,
                       joins=self.joins if agreed.ward != self.joins else "")

    def door(self, agreed: Agreed, known_ward: str | None, now: Instant) -> str:
        """Returns whether the configuration's present content came from the page or from the settings."""
        heard = self.boot == now.boot and now.mono_ms - self.mono_ms <= HEARD_MS
        joining = agreed.ward is not None and agreed.ward != known_ward
        return consent.BY_PAGE if heard and (not joining or self.joins == agreed.ward) else consent.BY_SETTINGS


def rules_of(agreed: Agreed) -> Rules:
    purposes = {purpose: rule for purpose, rule in agreed.pictures.items() if purpose != "*"}
    return Rules(agreed.pictures.get("*", "never"), purposes, agreed.snapshots or "never")


read_word, put_word = meta.stored("page_word", PageWord, PageWord())


def agree(own: sqlite3.Connection, db: sqlite3.Connection, stated: Agreed, now: Instant,
          said: Callable[[PageWord], PageWord] | None = None, by_card: str = "") -> bool:
    """Notes a change of what holds; by it a ward may be joined or left. Returns whether there was a change.

    `stated` is what the configuration says. What only the page has said so far is added; `said` changes that now. A
    ward that was joined under an earlier text stays joined under that text: our update is no consent to a later one.
    `by_card` is the ward whose card joined this recorder, which counts once. The ledger in `db` is written first, so a
    power cut may write it twice. Raises sqlite3.Error.
    """
    with transaction(own):              # keeper and desk are two threads
        before, known = read_word(own), membership.read(own)
        word = said(before) if said else before.beside(stated)
        by = BY_PAGE if said else before.door(stated, known.ward if known else None, now)
        if by_card and by_card == stated.ward and not membership.ever(own):
            by = BY_CARD
        if word != before:
            put_word(own, word)
        changed = _note(own, db, word.over(stated), now, by)
    refuse(own, db, now)
    return changed


def refuse(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> None:
    """Refuses open requests if nothing may leave the house. Raises sqlite3.Error."""
    if membership.read(own) is None:
        decided.refuse_all(own, db, LEAVING, now)
    elif read_word(own).no_pictures:
        decided.refuse_all(own, db, BY_PAGE, now)


def follow(own: sqlite3.Connection, db: sqlite3.Connection, now: Instant) -> bool:
    """Makes the shared copy agree; returns True if it did not. Raises sqlite3.Error. Deletes what was kept for a ward
    that was left, and what the ward may no longer get."""
    if membership.read(own) == membership.read(db):
        return False
    with transaction(own), transaction(db):         # the household may leave at this moment
        wanted = membership.read(own)
        _forget(db, membership.read(db), wanted)
        for boot in wanted.boots if wanted else ():
            boots.remember(db, boot)
        membership.put(db, wanted)
    return True


def _note(own: sqlite3.Connection, db: sqlite3.Connection, agreed: Agreed, now: Instant, by: str) -> bool:
    """In the caller's transaction of `own`; returns whether it is a change."""
    known = membership.read(own)
    then = _membership(known, agreed, by, now)
    if then:
        agreed = replace(agreed, text=then.text, told=then.telling, by=then.by)
    elif known:
        agreed = replace(agreed, by=by)
    digest = hashlib.sha256(canonical(replace(agreed, by=None))).hexdigest()
    if meta.get(own, AGREED) == digest:
        return False
    meta.put(own, AGREED, digest)
    if then != known:
        membership.put(own, then)
    with transaction(db):
        ledger.note(db, now, agreed)
        _forget(db, known, then)
    return True


def _membership(known: Membership | None, agreed: Agreed, by: str, now: Instant) -> Membership | None:
    if agreed.ward is None:
        return None
    if known is None or known.ward != agreed.ward:
        told = list(consent.TOLD)
        return Membership(ward=agreed.ward, text=agreed.text or 0, told=told, kept=_less(told, agreed.told), by=by,
                          only=agreed.only, pictures=agreed.pictures, snapshots=agreed.snapshots, boot=now.boot,
                          mono_ms=now.mono_ms)
    kept = _less(known.told, agreed.told)
    again = dict.fromkeys(_less(known.kept, kept), (now.boot, now.mono_ms))
    then = replace(known, kept=kept, since=known.since | again, only=agreed.only, pictures=agreed.pictures,
                   snapshots=agreed.snapshots)
    return known if then == known else replace(then, by=by)


def _less(kinds: Sequence[str], others: Collection[str]) -> list[str]:
    return [kind for kind in kinds if kind not in others]


def _forget(db: sqlite3.Connection, before: Membership | None, then: Membership | None) -> None:
    """Deletes what waits for a ward that is left, or what it may no longer get; in the caller's transaction."""
    if before is None:
        return
    if then is None or then.ward != before.ward:
        ward_settings.put(db, ward_settings.NOTHING)
        outbox.empty(db)
    else:
        gone = _less(before.telling, then.telling)
        outbox.withdraw(db, gone)
        if then.only and not before.only:
            outbox.keep_only(db, then.only)
        if "health" in gone:
            commands.withdraw_health(db)
