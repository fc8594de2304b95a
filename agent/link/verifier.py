"""Has signatures checked, one after the other, by a process that ends afterwards: see agent/link/signature.py."""
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from agent.host.clock import Clock

GOOD, UNKNOWN_KEY, BAD = 0, 10, 11      # exit codes
CODES = {GOOD: None, UNKNOWN_KEY: "unknown_key", BAD: "bad_signature"}
UNCHECKED, BUSY = "unchecked", "busy"
PATIENCE_S = 20.0           # a Zero needs two seconds to load the library
WAITING_MAX = 4
LOOK_EVERY_S = 0.1
PIPE_B = 60_000             # fits into a pipe at once, so that nobody waits for the process to read

Then = Callable[[str | None], None]


class Verifier:
    """Its owner calls `turn` each `wait_s` at least; `then` gets None for a good signature, else the refusal's code.

    What is signed is a JSON object with its own signature as `sig`: a command, a configuration, a receipt.
    """

    def __init__(self, key_file: str, kept: Path, clock: Clock) -> None:
        """`key_file` is a PEM file with the ward's public keys, "" means that there is none; `kept` has their changes.
        """
        self._key_file, self._kept, self._clock = key_file, kept, clock
        self._waiting: deque[tuple[bytes, list[str], Then]] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._since_mono_s = 0.0

    def check(self, payload: bytes, then: Then, key: str = "") -> None:
        """Have the signature in this payload checked: by the ward's key, or by `key` (hex)."""
        if not key and not self._key_file:
            then("unknown_key")
        elif len(payload) > PIPE_B:
            then(UNCHECKED)
        elif len(self._waiting) >= WAITING_MAX:
            then(BUSY)
        else:
            self._waiting.append((payload, ["--hex", key] if key else [self._key_file, str(self._kept)], then))

    def wait_s(self) -> float:
        """Seconds until `turn` has something to do."""
        return LOOK_EVERY_S if self._waiting else float("inf")

    def turn(self) -> None:
        """Start the next check, or see what became of the one under way."""
        if not self._waiting:
            return
        if self._process is None:
            self._start(*self._waiting[0][:2])
        elif (code := self._process.poll()) is not None:
            self._end(CODES.get(code, UNCHECKED))
        elif self._clock.mono_s() - self._since_mono_s > PATIENCE_S:
            self._process.kill()
            self._process.wait()
            self._end(UNCHECKED)

    def _start(self, payload: bytes, key: list[str]) -> None:
        self._since_mono_s = self._clock.mono_s()
        command = [sys.executable, "-m", "agent.link.signature", *key]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            assert self._process.stdin
            with self._process.stdin as stdin:
                stdin.write(payload)
        except OSError:             # no memory for a process, or it is dead already
            if self._process is None:
                self._end(UNCHECKED)

    def _end(self, code: str | None) -> None:
        self._process = None
        _, _, then = self._waiting.popleft()
        then(code)
