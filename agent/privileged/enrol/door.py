"""Asks the ward's door over TLS, and reports to it whether a new recorder works.

A ward gets only these reports from a household that has not joined it.
"""
import contextlib
import http.client
import logging
import ssl
import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.config.load import ConfigError, load
from agent.config.settings import Ward
from agent.core.contract.enrolment import READY_PATH, Refused
from agent.core.contract.facts import Beat
from agent.core.enrolment import Watched
from agent.host import runtime
from agent.host.clock import Clock
from agent.host.datagram import Inbox
from agent.host.files import write_durably, write_whole
from agent.host.ward_folder import CERT, GREEN, KEY, ROOTS, WardFolder, WardRecord
from agent.mqtt import credentials
from agent.mqtt.credentials import shake_hands
from agent.mqtt.fault import Audience, LinkFault, of_error

ANSWER_B_MAX = 64 << 10
SILENCE_S = 20.0
FINE = range(200, 300)
TEXTS = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
DOOR = Audience(texts=TEXTS["door"])


class DoorRefused(Exception):
    def __init__(self, refused: Refused) -> None:
        super().__init__(f"{refused.code}: {refused.text}")
        self.code = refused.code


def tls(roots: Path, own: Path | None = None) -> ssl.SSLContext:
    """The context that trusts these roots and shows the certificate in the folder `own`. Raises LinkFault."""
    cert, key = (str(own / CERT), str(own / KEY)) if own else ("", "")
    return credentials.context(Ward(ca=str(roots), cert=cert, key=key))


def tls_of(folder: Path) -> ssl.SSLContext:
    """The context with the roots and the certificate of an enrolment. Raises LinkFault."""
    return tls(folder / ROOTS, folder)


def post(host: str, port: int, path: str, question: msgspec.Struct, context: ssl.SSLContext) -> bytes:
    """Returns the answer. Raises DoorRefused, and LinkFault if none comes."""
    connection = http.client.HTTPSConnection(host, port, timeout=SILENCE_S, context=context)
    where = f"{host}:{port}"
    try:
        connection.request("POST", path, msgspec.json.encode(question), {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            body = response.read(ANSWER_B_MAX + 1)
    except OSError as error:
        raise of_error(error, where, tls=True).to(DOOR) from error
    except http.client.HTTPException as error:
        raise LinkFault("closed", f"no answer of a ward's door: {type(error).__name__}", where=where) from error
    finally:
        connection.close()
    if response.status in FINE and len(body) <= ANSWER_B_MAX:
        return body
    try:
        raise DoorRefused(msgspec.json.decode(body, type=Refused))
    except msgspec.DecodeError as error:
        raise LinkFault("closed", f"the ward's door answers {response.status}", where=where) from error


LISTENER = "enrol"              # of agent.process.heartbeat
OVER = "told"                   # in our runtime folder, which a boot empties: the reports of this boot are over

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadyPace:
    """How often the ward gets reports; tests wait less."""

    heard_s: float = 6.0            # between reports at least: each role sends a heartbeat meanwhile
    every_s: float = 60.0           # at most, if nothing changes
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
        """Reports changes, and once a minute, until all is good or half an hour is over. Raises DoorRefused."""
        green, over = self.folder.path / GREEN, self.runtime / LISTENER / OVER
        with contextlib.suppress(OSError):
            if over.exists() or green.read_text() == record.dev:
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
                ready = watched.ready(self.clock.now().clock, "", self.clock.mono_s())     # without the broker
                works = ready.camera, ready.card, ready.clock
                if works != said or now_s >= told_s + self.pace.every_s:
                    told_s, said = now_s, works
                    if self._say(record, watched):
                        write_durably(green, record.dev.encode())
                        return
            write_whole(over, b"")
        finally:
            inbox.close()
            runtime.inbox(self.runtime, LISTENER).unlink(missing_ok=True)

    def _say(self, record: WardRecord, watched: Watched) -> bool:
        """Sends a report. Returns whether all is good and the ward knows it. Raises DoorRefused."""
        watched.cameras = self._cameras()
        ready = watched.ready(self.clock.now().clock, self._broker(record), self.clock.mono_s())
        try:
            post(record.host, record.door_port, READY_PATH, ready, tls_of(self.folder.current))
        except LinkFault as fault:
            _log.warning("no report reached the ward: %s", fault)
            return False
        wrong = ", ".join(f"{name}: {why}" for name, why in ready.why.items())
        _log.info("reported to the ward: %s", "all is good" if ready.is_green else wrong)
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
