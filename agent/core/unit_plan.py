"""Which systemd units to start, stop and reload: from the running and the wanted ones. Pure."""
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class UnitWish:
    """The configuration of a wanted unit. The digests are of the settings that it reads."""

    restart_for: str            # if it differs, restart the unit
    reload_for: str = ""        # if it differs, reload the unit
    wanted: bool = True         # False: the unit may clean up what it published, and is stopped the next time


@dataclass(slots=True)
class UnitSteps:
    """The steps to take, with each unit once."""

    stop: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    reload: list[str] = field(default_factory=list)


def plan(wishes: Mapping[str, UnitWish], applied: Mapping[str, UnitWish], up: Collection[str]) -> UnitSteps:
    """Returns the steps from the units that are `up` to the wanted ones.

    `applied` are the wishes with which units were last started or reloaded. A unit that is up but not in it was just
    started otherwise, and has read the same settings.
    """
    steps = UnitSteps(stop=sorted(unit for unit in up if unit not in wishes))
    for unit, wish in wishes.items():
        was = applied.get(unit, wish)
        if unit not in up:
            if wish.wanted:
                steps.start.append(unit)
        elif was.restart_for != wish.restart_for:
            steps.restart.append(unit)
        elif not wish.wanted:
            steps.stop.append(unit)
        elif was.reload_for != wish.reload_for:
            steps.reload.append(unit)
    return steps
