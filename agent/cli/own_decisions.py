"""Opens a store for commands that decide in the household's place; their decisions are signed into the ledger.

It stands alone because these commands need what signs, and the ward's commands, which share the others' door, must not.
"""
from pathlib import Path

from agent.cli.place import existing_store
from agent.config.settings import Settings
from agent.host import board
from agent.host.clock import SystemClock
from agent.keeper.ledger_writer import LedgerWriter
from agent.store.database import StoreConnection, connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders


def open_decisions(given: Path | None) -> tuple[Settings, Folders, StoreConnection, StoreConnection]:
    """Returns settings, folders, the household's decisions, which only the owner may change, and the shared database.

    Raises ConfigError and StoreError.
    """
    settings, folders = existing_store(given)
    own, db = decisions.connect(folders), connect(folders.root)
    db.signer = LedgerWriter(folders, SystemClock(), own, board.read().serial)
    return settings, folders, own, db
