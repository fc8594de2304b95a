"""Tells the ward whether what was just installed works: four words, until all are good, and then never again.

It is all that a ward hears of a recorder whose household has not joined it.
"""
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from agent.config.load import ConfigError, load
from agent.core.contract.enrolment import READY_PATH, Ready
from agent.core.contract.facts import Beat
from agent.core.enrolment import Watched
from agent.host import runtime
from agent.host.clock import Clock
from agent.host.datagram import Inbox
from agent.host.files import write_durably, write_whole
from agent.host.ward_folder import GREEN, WardFolder, WardRecord
from agent.mqtt.credentials import shake_hands
from agent.mqtt.fault import LinkFault
from agent.privileged.enrol.door import post, tls_of

LISTENER = "enrol"              # of agent.process.heartbeat
TOLD = "told"                   # in our runtime folder, which a boot empties: this boot's half hour is over

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadyPace:
    """How often the ward is told; tests wait less."""

    heard_s: float = 6.0            # from one time to the next at least: everybody has beaten meanwhile
    every_s: float = 60.0           # at most
    longest_s: float = 1800.0
    beat_wait_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    folder: WardFolder
    runtime: Path
    config: Path
    clock: Clock
    pace: ReadyPace = ReadyPace()

    def tell(self, record: WardRecord) -> None:
        """Tell it when something works or does not any more, and each minute, half an hour of a boot at most.

        Raises DoorRefused and OSError.
        """
        green, told = self.folder.path / GREEN, self.runtime / LISTENER / TOLD
        if told.exists() or _says(green, record.dev):
            return
        inbox, watched = Inbox(self.runtime, LISTENER), Watched(self._cameras())
        began_s = self.clock.mono_s()
        try:
            told_s, said = began_s, None
            while (now_s := self.clock.mono_s()) < began_s + self.pace.longest_s:
                if isinstance(heard := inbox.receive(self.pace.beat_wait_s), Beat):
                    watched.receive(heard, now_s)
                if now_s < told_s + self.pace.heard_s:
                    continue
                works = self._works(watched)
                if works != said or now_s >= told_s + self.pace.every_s:
                    told_s, said = now_s, works
                    if self._say(record, watched):
                        write_durably(green, record.dev.encode())
                        return
            write_whole(told, b"")
        finally:
            inbox.close()
            runtime.inbox(self.runtime, LISTENER).unlink(missing_ok=True)

    def _works(self, watched: Watched) -> tuple[bool, bool, bool]:
        """Whether cameras, card and clock do: what is seen from here. The broker is asked when the ward is told."""
        ready = watched.ready(self.clock.now().clock, "", self.clock.mono_s())
        return ready.camera, ready.card, ready.clock

    def _say(self, record: WardRecord, watched: Watched) -> bool:
        """Whether all is good, and the ward has heard it. Raises DoorRefused."""
        watched.cameras = self._cameras()
        ready = watched.ready(self.clock.now().clock, self._broker(record), self.clock.mono_s())
        try:
            post(record.host, record.door_port, READY_PATH, ready, tls_of(self.folder.current))
        except LinkFault as fault:
            _log.warning("the ward can't be told how it is here: %s", fault)
            return False
        _log.info("told the ward: %s", _in_words(ready))
        return ready.is_green

    def _cameras(self) -> list[str]:
        with contextlib.suppress(ConfigError):
            return [camera.name for camera in load(self.config).camera if camera.enabled]
        return []

    def _broker(self, record: WardRecord) -> str:
        try:
            shake_hands(record.host, record.broker_port, tls_of(self.folder.current))
        except LinkFault as fault:
            return str(fault)
        return ""


def _says(path: Path, text: str) -> bool:
    with contextlib.suppress(OSError):
        return path.read_text() == text
    return False


def _in_words(ready: Ready) -> str:
    return "all is good" if ready.is_green else ", ".join(f"{name}: {why}" for name, why in ready.why.items())
