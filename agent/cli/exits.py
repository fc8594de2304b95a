"""Operating errors on a terminal: one clear line each, and the exit code that tells programs what is wrong."""
import sqlite3
import sys

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.passwords import redact
from agent.host.files import AlreadyRunning
from agent.process.role import EXIT_ALREADY_RUNNING, EXIT_STORE
from agent.store.database import StoreError

CODES = {ConfigError: EXIT_BAD_CONFIG, StoreError: EXIT_STORE, AlreadyRunning: EXIT_ALREADY_RUNNING}


def say(error: Exception) -> int:
    """Print an operating error, without passwords; returns its exit code.

    Raises every other error again, for that is a bug and needs its traceback.
    """
    for kind, code in CODES.items():
        if isinstance(error, kind):
            print(redact(str(error)), file=sys.stderr)
            return code
    if isinstance(error, sqlite3.Error):
        print(f"the store's database: {error}; taimat doctor looks at the card and at permissions", file=sys.stderr)
        return EXIT_STORE
    raise error
