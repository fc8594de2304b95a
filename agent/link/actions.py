"""Carries out commands. What a command only asks for is its answer's data; docs/reference/subscriber.md lists both."""
import logging
import platform
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.config.derived import units
from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.decisions import SOCKET, ChangeCommandKeys, DecisionAnswer
from agent.core.contract.facts import LinkFacts
from agent.core.contract.wire.answers import CameraPause, Clocks, Diagnostics, PausesAnswer, Restarted
from agent.core.contract.wire.commands import ClipCancel, ClipExport, Replay, Restart, Snapshot, TimeHint, Update
from agent.core.key_slots import KeysChange
from agent.host.clock import Clock
from agent.host.sockets import ask
from agent.link.drain import Drain
from agent.link.flow import StoreJob
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.link.settings_in_force import SettingsInForce
from agent.link.update.flow import UpdateFlow
from agent.link.verdict import Outcome
from agent.process import orders
from agent.store import ward_settings
from agent.store.schema import SCHEMA

DATA_B = 6_000              # of an answer, which must stay within a message's 8 KiB
CONDITIONS_TOLD = 16
COULD_NOT = ("card", "not_yours", "not_understood")      # of the keeper's answers: the rest are refusals

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Actions:
    """Carries out what has passed all checks, on the loop's thread."""

    settings: Settings
    runtime: Path
    clock: Clock
    drain: Drain
    reporter: Reporter
    presence: Presence
    requests_changed: Callable[[], None]
    updates: UpdateFlow
    in_force: SettingsInForce
    facts: Callable[[], LinkFacts]        # the link's own
    reborn: Callable[[], None]          # has the birth sent again

    def do(self, name: str, args: Struct, command: bytes) -> Outcome | StoreJob:
        """Carry it out, or as much of it as may come before its answer is written; `command` is all of it as it came.

        A job's result is the outcome, or None where it did not come to one.
        """
        match name, args:
            case "rebirth", _:
                return Outcome(then=self.reborn)
            case "time_hint", TimeHint(utc_ms):
                return _telling(self._clocks(utc_ms))
            case "replay", Replay(first, last):
                return self._replay(max(1, first), last, command)
            case "pause.state", _:
                return _telling(self._pauses()) if self.reporter.tells else Outcome("refused", "withheld")
            case "diagnostics", _:
                return _telling(self._diagnostics())
            case "restart", Restart(role):
                return self._restart(role)
            case _, Snapshot() | ClipExport() | ClipCancel():
                return Outcome(command=command, then=self.requests_changed)
            case _, Update():
                return Outcome(command=command, then=self.updates.hurry)
            case _, KeysChange():
                return StoreJob(lambda db: self._change_keys(db, command))
        return Outcome("refused", "unsupported")

    def _clocks(self, utc_ms: int) -> Clocks:
        """Nobody sets a clock by a stranger's word, but whoever gave it can date this boot's events by the answer."""
        now = self.clock.now()
        if now.clock == "unset":
            return Clocks(boot=now.boot, mono_ms=now.mono_ms, clock=now.clock)
        return Clocks(boot=now.boot, mono_ms=now.mono_ms, clock=now.clock, utc_ms=now.wall_ms,
                      off_ms=now.wall_ms - utc_ms)

    def _replay(self, first: int, last: int, command: bytes) -> Outcome:
        if first > last:
            return Outcome("refused", "bad_args")
        return Outcome(command=command, then=lambda: self.drain.again(first, last))

    def _pauses(self) -> PausesAnswer:
        cameras = self.reporter.report.cameras if self.reporter.report else ()
        return PausesAnswer(cams=[CameraPause(c=each.camera, paused=each.paused_by is not None, by=each.paused_by,
                                              until_ms=each.paused_until_ms) for each in cameras])

    def _diagnostics(self) -> Diagnostics:
        told = Diagnostics(
            versions={**self.presence.versions(), "python": platform.python_version(),
                      "sqlite": sqlite3.sqlite_version, "store": str(SCHEMA)},
            link={key: value for key, value in msgspec.structs.asdict(self.facts()).items()
                  if isinstance(value, int | float)},
            health=self.reporter.told and replace(self.reporter.told, cond=self.reporter.told.cond[:CONDITIONS_TOLD]))
        if told.health and len(wire.encode(told)) > DATA_B:
            return replace(told, health=replace(told.health, cams=[]))
        return told

    def _change_keys(self, db: sqlite3.Connection, command: bytes) -> Outcome:
        """The keeper alone decides whose commands count. With the old key goes what it has set here."""
        question = msgspec.json.encode(ChangeCommandKeys(command=command.decode(errors="replace"))) + b"\n"
        try:
            why = msgspec.json.decode(ask(self.runtime / SOCKET, question), type=DecisionAnswer).why
        except (OSError, msgspec.DecodeError) as error:
            _log.error("the keeper, which keeps the ward's keys, does not answer: %s", error)
            return Outcome("failed", "keeper")
        if why:
            return Outcome("failed", "keeper") if why in COULD_NOT else Outcome("refused", why)
        given = ward_settings.read(db)
        return Outcome(then=lambda: None if given == self.in_force.given else self.in_force.apply(given))

    def _restart(self, role: str) -> Outcome:
        asked = [unit for unit, its_role in units(self.settings).items() if its_role == role]
        if not asked:
            return Outcome("failed", "no_such_role")
        try:
            for unit in asked:
                orders.ask_restart(self.runtime, unit, self.clock.now())
        except OSError:
            return Outcome("failed", "runtime")
        return _telling(Restarted(units=asked))


def _telling(data: Struct) -> Outcome:
    return Outcome(data=data)
