"""How the authority's commands end: each fault as one line with its remedy, and the exit code for programs.

Root runs them by hand or by a timer, so what is not readable is told with sudo.
"""
import sys
from collections.abc import Callable

from agent.config.load import ConfigError
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.command_signer import SigningKeyFault
from agent.ward.opslink import EXIT_BAD_CONFIG, EXIT_UNDONE

EXIT_NOT_WRITTEN = 73           # sysexits.h EX_CANTCREAT


def ended(work: Callable[[], int]) -> int:
    """Run a command; returns its exit code."""
    try:
        return work()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except (AuthorityFault, SigningKeyFault) as error:
        print(error, file=sys.stderr)
        return EXIT_UNDONE
    except BrokenPipeError:
        sys.stderr.close()              # the interpreter would complain about the pipe at its end
        return EXIT_UNDONE
    except OSError as error:
        print(f"{error.filename or 'a file'}: {error.strerror or error}; run it as root (sudo)", file=sys.stderr)
        return EXIT_NOT_WRITTEN
    except KeyboardInterrupt:
        print("interrupted; what was made stays, and running it again goes on", file=sys.stderr)
        return EXIT_UNDONE
