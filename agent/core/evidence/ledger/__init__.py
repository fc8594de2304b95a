"""The ledger: what the device did, row by row, each chained to the one before and signed. docs/design/evidence.md.

Pure: signing and checking a signature are handed in, so nothing here needs a cryptography library.
"""
from agent.core.evidence.ledger.acts import (
    Agreed,
    Begin,
    ClipSigned,
    ClockMoved,
    Configured,
    DayKeyChange,
    Decided,
    Deletion,
    Delivered,
    Exported,
    HoldPlaced,
    HoldReleased,
    KeyChange,
    MasksDeclared,
    Pairing,
    Pausing,
    Unpairing,
    Updated,
)
from agent.core.evidence.ledger.card_check import Found, Known, Shelf, check_shelf
from agent.core.evidence.ledger.chain import GENESIS, Head, fingerprint, follow, message
from agent.core.evidence.ledger.check import Checked, Verifies, check
from agent.core.evidence.ledger.clocks import moved_ms
from agent.core.evidence.ledger.findings import Code, Finding
from agent.core.evidence.ledger.package import Package, Verdict, check_package
from agent.core.evidence.ledger.row import Line, Moment, NotCanonical, Row, canonical, decode

__all__ = [
    "Agreed", "Begin", "ClipSigned", "ClockMoved", "Configured", "DayKeyChange", "Decided", "Deletion",
    "Delivered", "Exported", "HoldPlaced", "HoldReleased",
    "KeyChange", "MasksDeclared", "Pairing", "Pausing", "Unpairing", "Updated",
    "GENESIS", "Head", "fingerprint", "follow", "message", "Checked", "Verifies", "check", "moved_ms",
    "Code", "Finding", "Line", "Moment", "NotCanonical", "Row", "canonical", "decode",
    "Found", "Known", "Shelf", "check_shelf", "Package", "Verdict", "check_package",
]
