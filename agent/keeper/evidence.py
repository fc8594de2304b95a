"""What the keeper vouches for: digests of clips, the ledger's rows, and signatures of exports.

One writer of the ledger serves both rows and exports, so that they never race for its head.
"""
import sqlite3
from dataclasses import dataclass, field

from agent.keeper.digest import ClipStatement, hash_some
from agent.keeper.export_signer import ExportSigner
from agent.keeper.ledger_writer import LedgerWriter
from agent.keeper.voucher import Voucher
from agent.keeper.ward_name import WardName
from agent.process.role import Role
from agent.store import bound


@dataclass(slots=True)
class Evidence:
    """Of one database; `serial` is the board's."""

    role: Role
    serial: str | None
    own: sqlite3.Connection
    redated_n: int = 0                  # rows of recordings that were put right within a day, or told of
    ward: WardName = field(init=False)
    clip_statement: ClipStatement = field(init=False)
    ledger_writer: LedgerWriter = field(init=False)
    export_signer: ExportSigner = field(init=False)

    def __post_init__(self) -> None:
        """The parts that are made of what we were handed."""
        self.ward = WardName(self.role.settings.ward.cert)
        self.clip_statement = ClipStatement.of(self.role.settings.camera, self.serial)
        self.ledger_writer = LedgerWriter(self.role.folders, self.role.clock, self.own, self.serial)
        self.export_signer = ExportSigner(self.role.folders, self.ledger_writer, self.role.clock, self.ward,
                                          self.own)

    @property
    def at_work(self) -> bool:
        """Whether an export is being checked: then the next round is not to wait."""
        return self.export_signer.at_work

    def hash_some(self, db: sqlite3.Connection) -> int:
        """Hash clips that have no digest yet, for a while; returns how many. Raises sqlite3.Error."""
        return hash_some(db, self.role.folders, self.role.stop, self.role.clock, self.clip_statement,
                         Voucher(self.role.folders))

    def sign_some(self, db: sqlite3.Connection) -> None:
        """Sign acts and exports that wait, for a while. Raises KeyFault, OSError and sqlite3.Error."""
        self.ledger_writer.seal_some(db, self.role.stop.is_set)
        self.export_signer.go_on(db, self.role.stop.is_set)
        self.redated_n = bound.reported_n(self.own, self.role.clock.now())
