"""The result of one look at the device: facts, states and conditions. The ward's message and the page use it."""
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from agent.core.contract.facts import CameraFacts, LinkFacts, ReachFacts
from agent.core.health import forecast
from agent.core.health.conditions import Condition
from agent.core.health.facts import Facts, HostFacts, UnitFacts

TELL_EVERY_S = 60.0         # the keeper, by page and link: `reach_of`
State = Literal["ok", "down", "restarting"]
WORST_FIRST: tuple[State, ...] = ("down", "restarting", "ok")


@dataclass(frozen=True, slots=True)
class RoleReport:
    state: State
    restarts_n: int


@dataclass(frozen=True, slots=True)
class Report:
    """One look. `units` has the facts of each process (memory, CPU, its own counts); `roles` has their summary."""

    mono_s: float
    host: HostFacts
    units: tuple[UnitFacts, ...]
    roles: dict[str, RoleReport]
    cameras: tuple[CameraFacts, ...]
    card_days_left: float | None
    conditions: tuple[Condition, ...]
    card_written_b_per_day: float | None = None
    card_life_days: tuple[float, float] | None = None       # at worst and at best


def report(facts: Facts, conditions: tuple[Condition, ...], now_mono_s: float) -> Report:
    """Builds the report of one look."""
    return Report(now_mono_s, facts.host, facts.units, _roles(facts.units), tuple(_cameras(facts.units)),
                  card_days_left=facts.days_left, conditions=conditions, card_life_days=facts.card_life_days,
                  card_written_b_per_day=facts.card_written_b_per_day)


def reach_of(report: Report) -> ReachFacts:
    """Returns what the keeper, which has no network and hears no other role, must be told of this look."""
    link = next((facts for unit in report.units if (facts := unit.own_facts(LinkFacts))), LinkFacts())
    ward_up = None if link.broker in (None, "off") else link.broker == "connected"
    ill = forecast.card_ill(report.conditions, any(camera.slow_card for camera in report.cameras))
    return ReachFacts(net_up=report.host.net_up, ward_up=ward_up, card_ill=ill)


def unit_state(unit: UnitFacts) -> State | None:
    """Returns the state of a process; None while its first heartbeat may still come."""
    if unit.restarting:
        return "restarting"
    if unit.silent:
        return "down"
    return "ok" if unit.beat else None


def _roles(units: Iterable[UnitFacts]) -> dict[str, RoleReport]:
    roles: dict[str, RoleReport] = {}
    for unit in units:
        if (state := unit_state(unit)) is None:
            continue
        restarts_n = max((unit.beat.starts_n or 1) - 1, 0) if unit.beat else 0
        before = roles.get(unit.role, RoleReport("ok", 0))
        roles[unit.role] = RoleReport(min(before.state, state, key=WORST_FIRST.index), before.restarts_n + restarts_n)
    return roles


def _cameras(units: Iterable[UnitFacts]) -> Iterable[CameraFacts]:
    """All known cameras. For a silent process only their names are still valid."""
    for unit in units:
        for camera in unit.beat.cameras if unit.beat else ():
            yield camera if not unit.silent else CameraFacts(
                camera=camera.camera, source=camera.source, state="failed", fault="role_down")
