"""Operating errors on a terminal: one clear line each, and the exit code that tells programs what is wrong."""
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
TYPED = "TAIMAT_TYPED"          # what a command leaves to the process that it becomes
VARIABLE = "TAIMAT_CONFIG"      # sudo passes no variable on


def say(error: Exception) -> int:
    """Print an operating error, without passwords; returns its exit code.

    Raises every other error again, for that is a bug and needs its traceback.
    """
    remedy = f"\ntype: {with_sudo()}" if denied(error) else ""
    for kind, code in CODES.items():
        if isinstance(error, kind):
            print(lines(redact(f"{error}{remedy}")), file=sys.stderr)
            return code
    if isinstance(error, sqlite3.Error) or is_damage(error):
        told = f"the store's database: {error}; taimat doctor looks at the card and at permissions"
        print(lines(told), file=sys.stderr)
        return EXIT_STORE
    if isinstance(error, ModuleNotFoundError) and (told := _lacking(error.name or "")):
        print(told, file=sys.stderr)
        return EXIT_INCOMPLETE
    if isinstance(error, PermissionError) and denied(error):
        print(f"{error.filename}: this user may not look there{remedy}", file=sys.stderr)
        return EXIT_STORE
    raise error


def _lacking(module: str) -> str:
    """What to install for a module of the ward's end; "" for any other one, whose lack is a bug."""
    if module.startswith("agent.ward"):
        return ("the ward's end is a package of its own (taimat-ward), and a recorder does without it: "
                "in a checkout of this version, pip install . ./agent/ward")
    if module in WARD_LIBRARIES:
        return (f"a ward's end also needs {module}: apt install python3-sqlalchemy python3-prometheus-client "
                "python3-reportlab, or: pip install ./agent/ward")
    return ""


def denied(error: BaseException | None) -> bool:
    """Whether the error comes of rights that root has and this user has not."""
    if os.getuid() == 0:
        return False
    while error is not None:
        if isinstance(error, PermissionError) or getattr(error, "errno", None) in (errno.EACCES, errno.EPERM):
            return True
        error = error.__cause__
    return False


def with_sudo(*words: str) -> str:
    """What root types for this command, or for `taimat` with these words."""
    variable = [f"{VARIABLE}={os.environ[VARIABLE]}"] if os.environ.get(VARIABLE) else []
    typed = shlex.join(words) if words else os.environ.get(TYPED, shlex.join(sys.argv[1:]))
    return f"{shlex.join(['sudo', *variable, 'taimat'])} {typed}"
