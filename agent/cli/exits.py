"""Operating errors on a terminal: one clear line each, and an exit code for programs."""
import errno
import os
import shlex
import sqlite3
import sys

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.harmless import lines
from agent.core.passwords import redact
from agent.host.files import AlreadyRunning
from agent.process.role import EXIT_ALREADY_RUNNING, EXIT_STORE
from agent.store.damage import is_damage
from agent.store.database import StoreError

CODES = {ConfigError: EXIT_BAD_CONFIG, StoreError: EXIT_STORE, AlreadyRunning: EXIT_ALREADY_RUNNING}
EXIT_INCOMPLETE = 69            # sysexits.h EX_UNAVAILABLE
WARD_LIBRARIES = ("sqlalchemy", "prometheus_client", "reportlab")
TYPED = "TAIMAT_TYPED"          # the typed words, for the process that a command becomes
VARIABLE = "TAIMAT_CONFIG"      # sudo passes no variable on


def say(error: Exception) -> int:
    """Prints an operating error without passwords; returns its exit code. Raises any other error, which is a bug."""
    remedy = f"\ntype: {with_sudo()}" if denied(error) else ""
    for kind, code in CODES.items():
        if isinstance(error, kind):
            print(lines(redact(f"{error}{remedy}")), file=sys.stderr)
            return code
    if isinstance(error, sqlite3.Error) or is_damage(error):
        text = f"the store's database: {error}; taimat doctor looks at the card and at permissions"
        print(lines(text), file=sys.stderr)
        return EXIT_STORE
    if isinstance(error, ModuleNotFoundError) and (text := _lacking(error.name or "")):
        print(text, file=sys.stderr)
        return EXIT_INCOMPLETE
    if isinstance(error, PermissionError) and denied(error):
        print(f"{error.filename}: this user may not look there{remedy}", file=sys.stderr)
        return EXIT_STORE
    raise error


def _lacking(module: str) -> str:
    """Says what to install for a module of the ward's end; "" for other modules, whose lack is a bug."""
    if module.startswith("agent.ward"):
        return ("the ward's end is a package of its own (taimat-ward), and a recorder does without it: "
                "in a checkout of this version, pip install . ./agent/ward")
    if module in WARD_LIBRARIES:
        return (f"a ward's end also needs {module}: apt install python3-sqlalchemy python3-prometheus-client "
                "python3-reportlab, or: pip install ./agent/ward")
    return ""


def denied(error: BaseException | None) -> bool:
    """Whether root would have the rights that this user lacks."""
    if os.getuid() == 0:
        return False
    while error is not None:
        if isinstance(error, PermissionError) or getattr(error, "errno", None) in (errno.EACCES, errno.EPERM):
            return True
        error = error.__cause__
    return False


def with_sudo(*words: str) -> str:
    """The command line for root: this command, or `taimat` with these words."""
    variable = [f"{VARIABLE}={os.environ[VARIABLE]}"] if os.environ.get(VARIABLE) else []
    typed = shlex.join(words) if words else os.environ.get(TYPED, shlex.join(sys.argv[1:]))
    return f"{shlex.join(['sudo', *variable, 'taimat'])} {typed}"
