"""Opens a store for commands that decide for the household; the ledger gets their signed decisions.

A file of its own, because the ward's commands must not import what signs.
"""
from pathlib import Path

from agent.cli.place import existing_store
from agent.config.settings import Settings
from agent.host import board
from agent.host.clock import SystemClock
from agent.store.database import StoreConnection, connect
from agent.store.decisions import database as decisions
from agent.store.folders import Folders


def open_decisions(given: Path | None) -> tuple[Settings, Folders, StoreConnection, StoreConnection]:
    """Returns settings, folders, the household's decisions and the shared database. Raises ConfigError, StoreError."""
    from agent.keeper.ledger_writer import LedgerWriter  # only here: a shell's Tab imports this file, too

    settings, folders = existing_store(given)
    own, db = decisions.connect(folders), connect(folders.root)
    db.signer = LedgerWriter(folders, SystemClock(), own, board.read().serial)
    return settings, folders, own, db
