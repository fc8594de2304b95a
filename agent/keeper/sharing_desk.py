"""The household's decisions about its ward, from the page: a withdrawal counts at once, the rest once root has written
it.
"""
import functools
import sqlite3
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from agent.config.derived import agreed, sharing_rules
from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.decisions import SharingState
from agent.core.contract.setup import Changes, SetSharing, SetWard, UndoChange, keys_set
from agent.core.contract.wire.requests import receipt
from agent.core.household import consent as agreement
from agent.host import command_key
from agent.host.clock import Instant
from agent.store import membership, requests
from agent.store.decisions import consent, decided
from agent.store.decisions.consent import PageWord
from agent.store.requests import WardRequest, WishRefused

SHOWN_N = 200               # the newest requests, whose receipts are checked


@dataclass(frozen=True, slots=True)
class SharingDesk:
    settings: Settings              # as the keeper has read them

    def may_join(self, ward: str, text: int) -> bool:
        return ward == self.settings.ward.ward and text == agreement.VERSION

    @staticmethod
    def can_undo(own: sqlite3.Connection, change: Changes) -> bool:
        """Consent is given and withdrawn by a decision under the text: undoing a change must do neither."""
        return not (isinstance(change, UndoChange) and change.of == consent.read_word(own).change)

    def note(self, own: sqlite3.Connection, db: sqlite3.Connection, change: Changes, change_id: str,
             now: Instant) -> None:
        """Notes what a change means for the household's ward, if anything. Raises sqlite3.Error."""
        if not isinstance(change, SetWard | SetSharing):
            return

        def said(word: PageWord) -> PageWord:
            word = replace(word, boot=now.boot, mono_ms=now.mono_ms, change=change_id)
            return self._by_ward(word, own, change) if isinstance(change, SetWard) else self._by_sharing(word, change)

        consent.agree(own, db, agreed(self.settings), now, said)
        consent.follow(own, db, now)

    def state(self, own: sqlite3.Connection, db: sqlite3.Connection) -> SharingState:
        """Returns what holds. Raises sqlite3.Error."""
        known, word = membership.read(own), consent.read_word(own)
        receipted = [row.id for row in requests.newest(db, SHOWN_N) if is_receipted(own, row)]
        rest = word.beside(agreed(self.settings))
        held = bool(rest.left or rest.kept or rest.people or rest.no_pictures)
        if known is None:
            return SharingState(receipted=receipted, held=held)
        rules = consent.NO_PICTURES if word.no_pictures else sharing_rules(self.settings.sharing)
        return SharingState(ward=known.ward, text=known.text, by=known.by, withheld=known.withheld,
                            only=known.only, no_pictures=rules.is_shut, held=held, receipted=receipted)

    def _by_ward(self, word: PageWord, own: sqlite3.Connection, change: SetWard) -> PageWord:
        known, configured = membership.read(own), self.settings.ward.ward
        if change.enabled:
            return replace(word, joins=configured, left="")
        return replace(word, joins="", left=known.ward if known else configured)

    def _by_sharing(self, word: PageWord, change: SetSharing) -> PageWord:
        kept = [*word.kept]
        for part, said in (("health", change.health), ("events", change.events)):
            kept = kept if said is UNSET else [*(other for other in kept if other != part),
                                               *([part] if said == "never" else [])]
        said_rules = keys_set(change).keys() - agreement.KINDS_OF.keys()
        rules = sharing_rules(replace(self.settings.sharing, **{key: getattr(change, key) for key in said_rules}))
        return replace(word, kept=kept, people=word.people if change.events is UNSET else change.events == "people",
                       no_pictures=rules.is_shut if said_rules else word.no_pictures)


def is_receipted(own: sqlite3.Connection, request: WardRequest) -> bool:
    """Whether the intake named in the ward's command has signed that it has exactly this file. Raises sqlite3.Error."""
    if request.state != "delivered" or request.receipt is None:
        return False
    known = decided.find(own, request.id)
    try:
        asked = known.digest if known else requests.request_of(request.command).digest
        dev = wire.decode(wire.Command, request.command).dev
        signed = receipt(request.receipt.encode())
    except (WishRefused, wire.BadPayload):
        return False
    return (asked == request.digest and _holds(request.receipt, request.receipt_key)
            and (signed.request, signed.dev, signed.sha256, signed.bytes, signed.manifest)
            == (request.id, dev, request.sha256, request.bytes, request.manifest))


@functools.lru_cache(2 * SHOWN_N)
def _holds(signed: str, key: str) -> bool:
    """Whether this is signed by that key. Cached, because each look at the page asks, and small boards are slow."""
    try:
        return command_key.fault_of(signed.encode(), bytes.fromhex(key)) is None
    except ValueError:
        return False
