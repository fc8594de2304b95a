"""How much work a statement is for SQLite."""
import sqlite3
from collections.abc import Callable


def steps_n(db: sqlite3.Connection, act: Callable[[], object]) -> int:
    """How many steps SQLite's machine takes for it, in tens."""
    tens = []
    db.set_progress_handler(lambda: tens.append(1) and None, 10)
    act()
    db.set_progress_handler(None, 0)
    return 10 * len(tens)
