"""When the page falls asleep, and how: without visitors its process becomes a small program that waits for one."""
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from agent.core.contract.facts import Poke, WebFacts
from agent.host.clock import Clock
from agent.host.runtime import inbox
from agent.host.systemd import hand_on
from agent.process.heartbeat import WOKEN, Heartbeat

QUIET_S = 600.0             # without any visitor, until the page falls asleep
PORTER = Path(__file__).resolve().parents[1] / "porter.py"
KNOWN = "known"             # what the link is told, so that it leaves what it knows: agent.process.monitor


class Quiet:
    """Knows since when no visitor has come."""

    def __init__(self, clock: Clock, needs: Sequence[Callable[[], bool]], quiet_s: float = QUIET_S) -> None:
        """`needs` say whether the page does something for which it must stay awake."""
        self._clock, self._needs, self._quiet_s = clock, needs, quiet_s
        self._since_mono_s, self._requests_n = clock.mono_s(), 0

    def lasts(self, connections_n: int, requests_n: int) -> bool:
        """Whether it has been quiet for long enough. `requests_n` counts all since the start."""
        now_mono_s = self._clock.mono_s()
        if connections_n or requests_n != self._requests_n or any(is_needed() for is_needed in self._needs):
            self._since_mono_s, self._requests_n = now_mono_s, requests_n
        return now_mono_s - self._since_mono_s >= self._quiet_s


def may_sleep(units: Mapping[str, str]) -> bool:
    """Only under systemd, and beside a link: it tells the keeper in the page's place what the keeper can't see."""
    return "NOTIFY_SOCKET" in os.environ and "link" in units


def fall_asleep(sockets: Mapping[str, socket.socket], heartbeat: Heartbeat, facts: WebFacts, runtime: Path) -> NoReturn:
    """Becomes the porter, which keeps the sockets and the heartbeat. Raises OSError."""
    began, beat, receivers = heartbeat.handed_on(facts)
    word = msgspec.json.encode(Poke(what=KNOWN)).decode()
    hand_on(sockets)
    os.environ[WOKEN] = "1"
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-B", str(PORTER), began, beat, "\n".join(receivers),
                              str(inbox(runtime, "link")), word, sys.executable, *sys.orig_argv[1:]])
