"""Checks whether payloads are signed by the ward's key: `python -m agent.helpers.signature KEY_FILE KEPT`.

stdin has a JSON array of SignedPayload, stdout gets one byte for each, its verdict. KEPT is the keeper's note of which
keys in KEY_FILE were replaced. A process of its own: otherwise the cryptography library would stay in the link's memory
for a few commands a year.
"""
import contextlib
import os
import sys
from pathlib import Path

import msgspec

from agent.core.contract.helper_messages import CODES, UNKNOWN_KEY, SignedPayload
from agent.host import command_key

NICE = 10                   # recording comes first


def judge(payload: bytes, key: bytes) -> int:
    """Returns GOOD, UNKNOWN_KEY or BAD for a payload: a JSON object with its signature in `sig`."""
    return _verdict(command_key.fault_of(payload, key))


def _verdict(code: str | None) -> int:
    return next(verdict for verdict, its in CODES.items() if its == code)


def main(argv: list[str]) -> int:
    with contextlib.suppress(PermissionError):      # a systemd unit forbids it, and sets it itself
        os.nice(NICE)
    waiting = msgspec.json.decode(sys.stdin.buffer.read(), type=list[SignedPayload])
    slots = None
    try:
        slots = command_key.in_force(argv[0], Path(argv[1])) if any(not signed.key for signed in waiting) else None
    except command_key.PublicKeyProblem as problem:
        print(problem, file=sys.stderr)
    for signed in waiting:
        if signed.key:
            verdict = judge(signed.payload, bytes.fromhex(signed.key))
        else:
            verdict = UNKNOWN_KEY if slots is None else _verdict(command_key.fault_in(signed.payload, slots))
        os.write(sys.stdout.fileno(), bytes([verdict]))     # at once: the next one may crash us
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
