"""The desk for commands on a real store, with a clock that is moved by hand: no broker, no waiting."""
import json
import threading
from dataclasses import replace
from pathlib import Path

from agent.config.settings import Camera, Settings, Sharing
from agent.core.contract import wire
from agent.core.contract.facts import LinkFacts
from agent.core.delivery.backoff import Waits
from agent.core.delivery.outbox import OutboxPace
from agent.host.clock import Instant
from agent.host.updates import UpdateFolders
from agent.link.actions import Actions, SettingsInForce, WardParts
from agent.link.answers import AnswerQueue
from agent.link.audit import Audit, EventWriter
from agent.link.commands import CommandHandler
from agent.link.context import LinkContext
from agent.link.drain import Drain
from agent.link.flow import FlowRunner
from agent.link.outbox_upkeep import OutboxMeter
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.link.requests.flow import RequestFlow
from agent.link.update_flow import UpdateFlow
from agent.link.verifier import Verifier
from agent.mqtt.messages import Arrived, Outgoing
from agent.store import outbox
from agent.store.folders import COMMAND_KEYS, Folders
from agent.store.link_questions import close_interrupted
from tests.rigs.store.joined import join
from tests.rigs.store.kept_store import KeptStore
from tests.rigs.wait import HANG_S

TOPICS = wire.Topics("w07", "c-7f3a9c21b04d")
ULID = "01KAV0Z6V6M3W2Q8T1B7N5D4XE"
NOW = Instant("9f2c1a7e", 1_000_000, 1_795_561_300_000, "ntp")


class HandClock:
    """A clock that moves when told to."""

    def __init__(self, moment: Instant = NOW) -> None:
        self.moment = moment

    def now(self) -> Instant:
        """The moment that it shows."""
        return self.moment

    def mono_s(self) -> float:
        """The same in seconds since boot."""
        return self.moment.mono_ms / 1000

    def step(self, seconds: float) -> None:
        """Let time pass."""
        by_ms = round(seconds * 1000)
        self.moment = replace(self.moment, mono_ms=self.moment.mono_ms + by_ms, wall_ms=self.moment.wall_ms + by_ms)


def command(number: int = 0, exp: int = NOW.wall_ms + 60_000, response: str | None = f"{TOPICS.root}/rsp/ops/x",
            retained: bool = False, **more: object) -> Arrived:
    """A command as it arrives, whatever its name."""
    payload = {"v": 1, "id": f"{ULID[:-2]}{number:02d}", "iat": NOW.wall_ms, "exp": exp, **more}
    return arrived(json.dumps(payload).encode(), response, retained)


def arrived(payload: bytes, response: str | None = f"{TOPICS.root}/rsp/ops/x", retained: bool = False) -> Arrived:
    """Any payload as a command."""
    return Arrived(f"{TOPICS.root}/cmd/any", payload, retained, response, b"42")


class CountedPresence(Presence):
    """Counts the births that are wanted."""

    births_n = 0

    def want_birth(self) -> None:
        self.births_n += 1


class DeskRig:
    """One life of the desk; make another on the same folder for what comes after a kill."""

    def __init__(self, folder: Path, clock: HandClock, key_file: str = "", sharing: Sharing | None = None) -> None:
        settings = Settings(camera=[Camera(name="gate", source="picamera:0")], sharing=sharing or Sharing())
        self.clock, folders = clock, Folders(folder).create()
        self.store = KeptStore(folder, clock, settings)
        writer = EventWriter(self.store, lambda: None)
        self.audit = Audit(writer, clock)
        self.drain = Drain(self.store, clock, self.audit, "receipt", OutboxPace(), threading.Event())
        verifier = Verifier(key_file, folders.household / COMMAND_KEYS, clock)
        self.answer_queue, self.flows = AnswerQueue(), FlowRunner(self.store, verifier, clock)
        link = LinkContext(settings, folders, folder, clock, self.store, self.audit, self.answer_queue)
        self.presence = CountedPresence(settings, clock)
        reporter = Reporter(settings, folders, clock, writer)
        parts = WardParts(self.drain, OutboxMeter(self.store, clock), reporter, self.presence,
                          requests=RequestFlow(link, self.flows, TOPICS.dev, Waits()),
                          updates=UpdateFlow(link, self.flows, UpdateFolders(), Waits()),
                          in_force=SettingsInForce(settings, folder, reporter, self.presence))
        self.actions = Actions(link, parts, lambda: LinkFacts(outbox_n=3, broker_detail="secret"))
        self.store.write(join)
        self.store.ask(close_interrupted())
        self.handler = CommandHandler(link, TOPICS, self.flows, self.actions, draw=lambda: 0.5)

    @property
    def births_n(self) -> int:
        """How often a birth was wanted."""
        return self.presence.births_n

    def settle(self) -> None:
        """Let the store's thread do all that it was asked for, and what follows from that."""
        for _ in range(4):
            self.store.settle()

    def answers(self) -> list[tuple[str, str | None]]:
        """State and code of each answer that is to be sent now."""
        return [(told["st"], told.get("code")) for told in map(json.loads, self.payloads())]

    def payloads(self) -> list[bytes]:
        """The answers that are to be sent now."""
        self.settle()
        sent = self.due()
        self.settle()
        return [outgoing.payload for outgoing in [*sent, *self.due()]]

    def due(self) -> list[Outgoing]:
        """Do what was put off until now; the messages that are to be sent."""
        self.flows.turn()
        return self.answer_queue.remove(TOPICS)

    def ask(self, message: Arrived, name: str, to_all: bool = False) -> list[tuple[str, str | None]]:
        """Hand a command in; what is answered at once."""
        self.handler.handle(message, name, to_all)
        return self.answers()

    def events(self, kind: str = "command") -> list[dict[str, object]]:
        """What was told to the ward, by kind."""
        rows = self.store.wait_for(lambda db: outbox.after(db, 0, 10_000), HANG_S)
        return [json.loads(row["data"]) for row in rows or [] if row["kind"] == kind]

    def close(self) -> None:
        """End this life."""
        self.store.close()
