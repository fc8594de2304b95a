"""Where the signature of an export comes from: the keeper, or nowhere."""
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from agent.core.contract.facts import Poke
from agent.core.evidence.ledger import canonical
from agent.core.evidence.ledger.claim import Claim, Manifest, RowRef
from agent.host.datagram import Outlet
from agent.store import identity, ledger, meta, signing_requests
from agent.store.bound import rows_of
from agent.store.clips import Clip
from agent.store.database import StoreConnection
from agent.store.export.errors import ExportError
from agent.store.export.rows import stretch_after
from agent.store.signing_requests import SigningAnswer

LOOK_EVERY_S = 0.2
NO_KEEPER = ("the keeper, who signs exports, is not running: start it (taimat run, or systemctl start taimat-keeper), "
             "or take the export with --unsigned, which nobody vouches for")

Sign = Callable[[Claim], SigningAnswer]


@dataclass(frozen=True, slots=True)
class AskKeeper:
    """Asks the keeper and waits; `is_there` tells whether there is one to wait for.

    A caller that may not write the database has other ways to `ask` and to `take_back` what it asked.
    """

    db: sqlite3.Connection
    outlet: Outlet
    is_there: Callable[[], bool]
    ask: Callable[[Claim], int] | None = None
    take_back: Callable[[int], object] | None = None

    def __call__(self, claim: Claim) -> SigningAnswer:
        """A signed manifest. Raises ExportError when the keeper refuses or ends, and sqlite3.Error."""
        number = self.ask(claim) if self.ask else signing_requests.ask(self.db, claim)
        try:
            self.outlet.send(Poke(what="requests"), "keeper")
            answer = self._wait(number)
        finally:
            with contextlib.suppress(sqlite3.Error, ExportError):
                self.take_back(number) if self.take_back else signing_requests.take_back(self.db, number)
        if answer.why:
            raise ExportError(f"the keeper does not sign this: {answer.why}")
        return answer

    def _wait(self, number: int) -> SigningAnswer:
        while (answer := signing_requests.answer(self.db, number)) is None:
            if not self.is_there():
                raise ExportError(NO_KEEPER)
            time.sleep(LOOK_EVERY_S)
        return answer


def unsigned(db: StoreConnection, clips: Sequence[Clip], claim: Claim) -> SigningAnswer:
    """A manifest that says itself that nobody signed it, with the rows that there are. Raises sqlite3.Error."""
    after, head = stretch_after(db, clips, rows_of(db, clips)), ledger.head(db)
    return SigningAnswer(canonical(Manifest(
        dev=identity.named(db.store) or identity.UNNAMED, key=meta.get(db, ledger.KEY) or "", claim=claim, signed=False,
        after=RowRef(n=after.n, hash=after.hash.hex()), last=RowRef(n=head.n, hash=head.hash.hex()))))


def told_by(answer: SigningAnswer) -> Manifest:
    """The manifest that is signed."""
    return msgspec.json.decode(answer.manifest, type=Manifest)
