"""Checks signatures in a process that ends afterwards: see agent/helpers/signature.py.

Its start costs most, so one process takes all waiting payloads, and its starts are limited. A sender of hundreds of
badly signed orders delays a good one by seconds, but does not keep the machine busy.
"""
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent.core.contract.helper_messages import CODES, SignedPayload
from agent.core.rate import BurstLimit
from agent.host.clock import Clock

if TYPE_CHECKING:
    import subprocess

UNCHECKED, BUSY = "unchecked", "busy"
PATIENCE_S = 20.0           # a Zero needs two seconds to load the library
WAITING_MAX = 256           # 2 MB; beyond that, a random one is refused
LARGEST_B = 8192            # of a payload: orders, configurations and receipts have a tenth of that
AT_ONCE_N, EVERY_S = 12, 5.0    # processes
LOOK_EVERY_S = 0.1

Then = Callable[[str | None], None]


class Verifier:
    """Its owner calls `turn` at least every `wait_s`; `then` gets None for a good signature, else a code."""

    def __init__(self, key_file: str, kept: Path, clock: Clock,
                 chance: Callable[[int], int] = random.randrange) -> None:
        """`key_file` is a PEM file with the ward's public keys, or ""; `kept` has their changes."""
        self._key_file, self._kept, self._clock, self._chance = key_file, kept, clock, chance
        self._pace = BurstLimit(AT_ONCE_N, EVERY_S)
        self._waiting: list[tuple[SignedPayload, Then]] = []
        self._batch: list[tuple[SignedPayload, Then]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._since_mono_s = 0.0

    def check(self, payload: bytes, then: Then, key: str = "") -> None:
        if not key and not self._key_file:
            then("unknown_key")
        elif len(payload) > LARGEST_B:
            then(UNCHECKED)
        else:
            self._waiting.append((SignedPayload(payload, key), then))
            if len(self._waiting) > WAITING_MAX:
                self._waiting.pop(self._chance(len(self._waiting)))[1](BUSY)

    def wait_s(self) -> float:
        if self._process is not None:
            return LOOK_EVERY_S
        return self._pace.wait_s(self._clock.mono_s()) if self._waiting else float("inf")

    def turn(self) -> None:
        """Starts the next process, or reads the result of the present one."""
        now_mono_s = self._clock.mono_s()
        if self._process is None:
            if self._waiting and self._pace.allows(now_mono_s):
                self._start(now_mono_s)
        elif self._process.poll() is not None:
            self._end()
        elif now_mono_s - self._since_mono_s > PATIENCE_S:
            self._process.kill()
            self._process.wait()
            self._end()

    def _start(self, now_mono_s: float) -> None:
        self._batch, self._waiting, self._since_mono_s = self._waiting, [], now_mono_s
        command = [sys.executable, "-m", "agent.helpers.signature", self._key_file, str(self._kept)]
        try:
            import subprocess
            with os.fdopen(os.memfd_create("signed"), "w+b") as work:       # a pipe would not hold it all
                work.write(msgspec.json.encode([signed for signed, _ in self._batch]))
                work.seek(0)
                self._process = subprocess.Popen(command, stdin=work, stdout=subprocess.PIPE)
        except OSError:             # no memory for a process
            self._end()

    def _end(self) -> None:
        """Passes the results on. The payload at which the process ended is unchecked; those after it wait again."""
        results = self._process.stdout.read() if self._process and self._process.stdout else b""
        batch, self._batch, self._process = self._batch, [], None
        self._waiting[:0] = batch[len(results) + 1:]
        for (_, then), code in zip(batch, [*map(CODES.get, results), UNCHECKED], strict=False):
            then(code)
