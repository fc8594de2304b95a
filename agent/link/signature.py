"""Checks whether a payload is signed by the ward's key: a process of its own.

`python -m agent.link.signature KEY_FILE` or `... --hex KEY`, with the payload on stdin; the exit code is the answer.
The cryptography library would otherwise stay in the link's memory for good, for a few commands a year.
"""
import sys

from agent.host import command_key
from agent.link.verifier import CODES, UNKNOWN_KEY


def judge(payload: bytes, key: bytes) -> int:
    """Returns GOOD, UNKNOWN_KEY or BAD for a payload: a JSON object with its signature in `sig`."""
    code = command_key.fault_of(payload, key)
    return next(exit_code for exit_code, its in CODES.items() if its == code)


def main(argv: list[str]) -> int:
    """The process's work. Returns the exit code."""
    try:
        key = bytes.fromhex(argv[1]) if argv[0] == "--hex" else command_key.load(argv[0])
    except command_key.PublicKeyProblem as problem:
        print(problem, file=sys.stderr)
        return UNKNOWN_KEY
    return judge(sys.stdin.buffer.read(), key)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
