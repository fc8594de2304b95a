"""Carries out commands. docs/reference/subscriber.md lists what each does and the data of its answer."""
import logging
import platform
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.config.derived import in_effect, listens, units, weighed
from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.decisions import ChangeCommandKeys
from agent.core.contract.facts import LinkFacts
from agent.core.contract.wire import commands as orders
from agent.core.contract.wire.commands import CameraPause, Clocks, Diagnostics, PausesAnswer, Restarted
from agent.core.key_slots import KeysChange
from agent.link.answers import Outcome
from agent.link.context import LinkContext, ask_desk
from agent.link.drain import Drain
from agent.link.flow import StoreJob
from agent.link.outbox_upkeep import OutboxMeter
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.link.requests.flow import RequestFlow
from agent.link.update_flow import UpdateFlow
from agent.mqtt.messages import Outgoing
from agent.process.orders import ask_restart, set_log_level
from agent.store import ward_settings
from agent.store.schema import SCHEMA
from agent.store.ward_settings import NOTHING, Given

DATA_B = 6_000              # of an answer, which must fit into a message of 8 KiB
CONDITIONS_MAX = 16
NOT_DECIDED = ("card", "not_yours", "not_understood")      # answers of the keeper that are no refusals

_log = logging.getLogger(__name__)


class SettingsInForce:
    """The ward's settings within the limits of the household's own: in force here at once, elsewhere within seconds.

    The keeper reads them from the store when it plans what to delete.
    """

    def __init__(self, settings: Settings, runtime: Path, reporter: Reporter, presence: Presence) -> None:
        self._settings, self._runtime, self._reporter, self._presence = settings, runtime, reporter, presence
        self.given = NOTHING
        self.report_due = False             # set also with each connection, in case the household's file has changed

    @property
    def ver(self) -> int | None:
        """Returns `iat` of the ward's command in force; None if there is none, or the household allows none."""
        return self.given.ver if listens(self._settings) and self.given != NOTHING else None

    def report(self, topics: wire.Topics) -> Outgoing | None:
        due, self.report_due = self.report_due, False
        if not due or self.ver is None:
            return None
        holds = weighed(self._settings, self.given.cfg)
        return Outgoing(topics.cfg_reported, wire.encode(wire.Reported(
            v=wire.VERSION, ver=self.ver, cfg=holds.values, clamped=dict(holds.clamped))), retain=True)

    def apply(self, given: Given) -> None:
        self.given, self.report_due = given, True
        now = in_effect(self._settings, given.cfg)
        self._reporter.set_interval(now.ward.health_every_s)
        self._presence.configured(now, self.ver)
        self._presence.want_birth()
        try:
            set_log_level(self._runtime, now.log.level if now.log != self._settings.log else None)
        except OSError as error:
            _log.warning("%s: %s: the log level that the ward has set does not reach the other processes",
                         self._runtime, error.strerror)


@dataclass(frozen=True, slots=True)
class WardParts:
    drain: Drain
    meter: OutboxMeter
    reporter: Reporter
    presence: Presence
    requests: RequestFlow
    updates: UpdateFlow
    in_force: SettingsInForce


@dataclass(frozen=True, slots=True)
class Actions:
    """Carries out commands that have passed all checks, on the loop's thread."""

    link: LinkContext
    parts: WardParts
    facts: Callable[[], LinkFacts]        # the link's own

    def do(self, name: str, args: Struct, command: bytes) -> Outcome | StoreJob:
        """Does the part of the command that comes before its answer is written; `command` is its whole payload.

        The result of a job is the outcome, or None if it failed.
        """
        parts = self.parts
        match name, args:
            case "rebirth", _:
                return Outcome(then=parts.presence.want_birth)
            case "time_hint", orders.TimeHint(utc_ms):
                return Outcome(data=self._clocks(utc_ms))
            case "replay", orders.Replay(first, last):
                return self._replay(max(1, first), last, command)
            case "pause.state", _:
                return Outcome(data=self._pauses()) if parts.reporter.is_shared else Outcome("refused", "withheld")
            case "diagnostics", _:
                return Outcome(data=self._diagnostics())
            case "restart", orders.Restart(role):
                return self._restart(role)
            case _, orders.Snapshot() | orders.ClipExport() | orders.ClipCancel():
                return Outcome(command=command, then=parts.requests.changed)
            case _, orders.Update():
                return Outcome(command=command, then=parts.updates.look_now)
            case _, orders.SetSettings():
                return Outcome(command=command, then=self._read_settings)
            case _, KeysChange():
                return StoreJob(lambda _: self._change_keys(command))
        return Outcome("refused", "unsupported")

    def _clocks(self, utc_ms: int) -> Clocks:
        """Sets no clock by the hint, but its sender can date this boot's events by the answer."""
        now = self.link.clock.now()
        if now.clock == "unset":
            return Clocks(boot=now.boot, mono_ms=now.mono_ms, clock=now.clock)
        return Clocks(boot=now.boot, mono_ms=now.mono_ms, clock=now.clock, utc_ms=now.wall_ms,
                      off_ms=now.wall_ms - utc_ms)

    def _replay(self, first: int, last: int, command: bytes) -> Outcome:
        if first > last:
            return Outcome("refused", "bad_args")
        return Outcome(command=command, then=lambda: self.parts.drain.again(first, last))

    def _pauses(self) -> PausesAnswer:
        report = self.parts.reporter.report
        return PausesAnswer(cams=[CameraPause(c=facts.camera, paused=facts.paused_by is not None, by=facts.paused_by,
                                              until_ms=facts.paused_until_ms)
                                  for facts in (report.cameras if report else ())])

    def _diagnostics(self) -> Diagnostics:
        sent = self.parts.reporter.sent
        found = Diagnostics(
            versions={**self.parts.presence.versions(), "python": platform.python_version(),
                      "sqlite": sqlite3.sqlite_version, "store": str(SCHEMA)},
            link={key: value for key, value in msgspec.structs.asdict(self.facts()).items()
                  if isinstance(value, int | float)},
            health=sent and replace(sent, cond=sent.cond[:CONDITIONS_MAX]))
        if found.health and len(wire.encode(found)) > DATA_B:
            return replace(found, health=replace(found.health, cams=[]))
        return found

    def _read_settings(self) -> None:
        def then(given: Given | None) -> None:
            if given is not None and given != self.parts.in_force.given:
                _log.info("the ward has set %s", given.cfg)
                self.parts.in_force.apply(given)

        self.link.store.ask(ward_settings.read, then)

    def _change_keys(self, command: bytes) -> Outcome:
        """Only the keeper changes the ward's keys. It also drops the settings that the old key has signed."""
        try:
            why = ask_desk(self.link.runtime, ChangeCommandKeys(command=command.decode(errors="replace"))).why
        except OSError as error:
            _log.error("the keeper, which keeps the ward's keys, does not answer: %s", error)
            return Outcome("failed", "keeper")
        if why:
            return Outcome("failed", "keeper") if why in NOT_DECIDED else Outcome("refused", why)
        return Outcome(then=self._read_settings)

    def _restart(self, role: str) -> Outcome:
        named = [unit for unit, its_role in units(self.link.settings).items() if its_role == role]
        if not named:
            return Outcome("failed", "no_such_role")
        try:
            for unit in named:
                ask_restart(self.link.runtime, unit, self.link.clock.now())
        except OSError:
            return Outcome("failed", "runtime")
        return Outcome(data=Restarted(units=named))
