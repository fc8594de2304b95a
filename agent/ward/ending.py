"""How a command of the ward's desk ends: what went wrong in one line, and the exit code that says of which kind it was.
"""
import sys
from collections.abc import Callable, Mapping

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.host import log
from agent.ward.database import DatabaseFault
from agent.ward.opslink import OpsFault
from agent.ward.signing import KeyProblem

EXIT_UNDONE = 1                 # somebody refused or did not answer, or a person has interrupted it
EXIT_BROKER = 69                # sysexits.h EX_UNAVAILABLE
EXIT_DATABASE = 73              # sysexits.h EX_CANTCREAT
EXITS: Mapping[type[Exception], int] = {
    ConfigError: EXIT_BAD_CONFIG, KeyProblem: EXIT_BAD_CONFIG, OpsFault: EXIT_BROKER, DatabaseFault: EXIT_DATABASE}


def ended(name: str, work: Callable[[], int], more: Mapping[type[Exception], int] | None = None) -> int:
    """Do the work of the command `name`; returns the exit code. `more` faults can be its own."""
    exits = {**EXITS, **(more or {})}
    log.set_up(name, "error")           # what goes wrong is printed once, below
    try:
        return work()
    except tuple(exits) as error:
        print(error, file=sys.stderr)
        return next(code for kind, code in exits.items() if isinstance(error, kind))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()              # the interpreter would complain about the pipe at its end
    return EXIT_UNDONE
