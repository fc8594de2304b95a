"""How the ward's commands end: each fault as one line with its remedy, and the exit code for programs."""
import functools
import sys
from collections.abc import Callable, Mapping
from typing import ParamSpec

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.host import log
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.command_signer import SigningKeyFault
from agent.ward.database import DatabaseFault
from agent.ward.opslink import OpsFault

EXIT_UNDONE = 1                 # a device refused or did not answer, or a person has interrupted the command
EXIT_BROKER = 69                # sysexits.h EX_UNAVAILABLE
EXIT_NOT_WRITTEN = 73           # sysexits.h EX_CANTCREAT
Asked = ParamSpec("Asked")
Exits = Mapping[type[Exception], int]

OPS: Exits = {ConfigError: EXIT_BAD_CONFIG, SigningKeyFault: EXIT_BAD_CONFIG, OpsFault: EXIT_BROKER,
              DatabaseFault: EXIT_NOT_WRITTEN}
AUTHORITY: Exits = {ConfigError: EXIT_BAD_CONFIG, AuthorityFault: EXIT_UNDONE, SigningKeyFault: EXIT_UNDONE}


def ended(exits: Exits, unwritten: str = "", interrupted: str = ""
          ) -> Callable[[Callable[Asked, int]], Callable[Asked, int]]:
    """Faults end the command with an exit code. `unwritten` is the remedy for an OSError."""
    return lambda work: functools.wraps(work)(
        lambda *asked, **named: _code(lambda: work(*asked, **named), exits, unwritten, interrupted))


def _code(work: Callable[[], int], exits: Exits, unwritten: str, interrupted: str) -> int:
    log.set_up("ward", "error")         # what goes wrong is printed once, below
    try:
        return work()
    except tuple(exits) as error:
        print(error, file=sys.stderr)
        return next(code for kind, code in exits.items() if isinstance(error, kind))
    except KeyboardInterrupt:
        if interrupted:
            print(interrupted, file=sys.stderr)
            return EXIT_UNDONE
    except BrokenPipeError:
        pass
    except OSError as error:
        if not unwritten:
            raise
        print(f"{error.filename or 'a file'}: {error.strerror or error}; {unwritten}", file=sys.stderr)
        return EXIT_NOT_WRITTEN
    sys.stderr.close()                  # the interpreter would complain about the pipe at its end
    return EXIT_UNDONE


by_root = ended(AUTHORITY, "run it as root (sudo)", "interrupted; what was made stays, and running it again goes on")
