"""Checks whether payloads are signed by the ward's key, or by another one: a process of its own.

`python -m agent.helpers.signature KEY_FILE KEPT`, a JSON array of SignedPayload on stdin; a byte for each of them on
stdout is its verdict. KEPT is the file where the keeper has noted what has become of the keys in KEY_FILE.
The cryptography library would otherwise stay in the link's memory for good, for a few commands a year.
"""
import contextlib
import os
import sys
from pathlib import Path

import msgspec

from agent.core.contract.helper_messages import CODES, UNKNOWN_KEY, SignedPayload
from agent.core.key_slots import KeySlots
from agent.host import command_key

NICE = 10                   # recording comes first


def judge(payload: bytes, key: bytes) -> int:
    """Returns GOOD, UNKNOWN_KEY or BAD for a payload: a JSON object with its signature in `sig`."""
    return _verdict(command_key.fault_of(payload, key))


def _judged(signed: SignedPayload, slots: KeySlots | None) -> int:
    """`slots` are the ward's keys, None where there are none that count."""
    if signed.key:
        return judge(signed.payload, bytes.fromhex(signed.key))
    return UNKNOWN_KEY if slots is None else _verdict(command_key.fault_in(signed.payload, slots))


def _verdict(code: str | None) -> int:
    return next(verdict for verdict, its in CODES.items() if its == code)


def main(argv: list[str]) -> int:
    """The process's work. Returns the exit code."""
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, and has seen to it itself
        os.nice(NICE)
    waiting = msgspec.json.decode(sys.stdin.buffer.read(), type=list[SignedPayload])
    slots = None
    try:
        slots = command_key.in_force(argv[0], Path(argv[1])) if any(not each.key for each in waiting) else None
    except command_key.PublicKeyProblem as problem:
        print(problem, file=sys.stderr)
    for each in waiting:
        os.write(sys.stdout.fileno(), bytes([_judged(each, slots)]))     # at once: the next one may be our end
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
