"""The ledger: the device's acts, row by row, each chained to the row before and signed. docs/design/evidence.md.

Pure: the caller passes the functions that sign and verify, so nothing here needs a cryptography library.
"""
from agent.core.evidence.ledger.acts import (
    Agreed,
    BrowserPaired,
    BrowserUnpaired,
    CameraPaused,
    ClipSigned,
    ClockMoved,
    CommandKeysSet,
    Configured,
    DatabaseMended,
    DayKeyChange,
    Decided,
    Deletion,
    Delivered,
    Exported,
    HoldPlaced,
    HoldReleased,
    HouseholdKeySet,
    KeyChange,
    LedgerBegin,
    MasksDeclared,
    Notified,
    RoleGiven,
    SettingsChanged,
    Updated,
    WardIdentity,
)
from agent.core.evidence.ledger.card_check import CardContents, FoundFile, KnownClip, check_card
from agent.core.evidence.ledger.check import Checked, Verifies, check
from agent.core.evidence.ledger.clocks import moved_ms
from agent.core.evidence.ledger.findings import Flaw, FlawCode
from agent.core.evidence.ledger.package import Package, PackageVerdict, check_package
from agent.core.evidence.ledger.row import (
    GENESIS,
    LedgerLine,
    NotCanonical,
    Row,
    RowHead,
    RowMoment,
    canonical,
    decode,
    fingerprint,
    follow,
    message,
)

__all__ = [
    "Agreed", "LedgerBegin", "ClipSigned", "ClockMoved", "CommandKeysSet", "Configured", "DatabaseMended",
    "DayKeyChange", "Decided", "Deletion",
    "Delivered", "Exported", "HoldPlaced", "HoldReleased", "HouseholdKeySet",
    "KeyChange", "MasksDeclared", "Notified", "SettingsChanged", "BrowserPaired", "BrowserUnpaired", "RoleGiven",
    "CameraPaused", "Updated", "WardIdentity",
    "GENESIS", "RowHead", "fingerprint", "follow", "message", "Checked", "Verifies", "check", "moved_ms",
    "FlawCode", "Flaw", "LedgerLine", "RowMoment", "NotCanonical", "Row", "canonical", "decode",
    "FoundFile", "KnownClip", "CardContents", "check_card", "Package", "PackageVerdict", "check_package",
]
