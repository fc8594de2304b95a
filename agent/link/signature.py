"""Checks whether a payload is signed by the ward's key: a process of its own.

`python -m agent.link.signature KEY_FILE KEPT` or `... --hex KEY`, payload on stdin; its exit code is the answer.
KEPT is the file where the keeper has noted what has become of the keys in KEY_FILE.
The cryptography library would otherwise stay in the link's memory for good, for a few commands a year.
"""
import sys
from pathlib import Path

from agent.host import command_key
from agent.link.verifier import CODES, UNKNOWN_KEY


def judge(payload: bytes, key: bytes) -> int:
    """Returns GOOD, UNKNOWN_KEY or BAD for a payload: a JSON object with its signature in `sig`."""
    return _exit_code(command_key.fault_of(payload, key))


def _exit_code(code: str | None) -> int:
    return next(exit_code for exit_code, its in CODES.items() if its == code)


def main(argv: list[str]) -> int:
    """The process's work. Returns the exit code."""
    try:
        if argv[0] == "--hex":
            return judge(sys.stdin.buffer.read(), bytes.fromhex(argv[1]))
        slots = command_key.in_force(argv[0], Path(argv[1]))
    except command_key.PublicKeyProblem as problem:
        print(problem, file=sys.stderr)
        return UNKNOWN_KEY
    return _exit_code(command_key.fault_in(sys.stdin.buffer.read(), slots))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
