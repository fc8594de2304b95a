"""Which of systemd's units are started, stopped and told of new settings: from what runs and what is wanted. Pure."""
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class UnitWish:
    """What a unit is to work by. The digests are of the settings that it reads."""

    restart_for: str            # another one: it has to be started anew
    reload_for: str = ""        # another one: it is enough to tell it
    wanted: bool = True         # False: it may take away what it showed others, and is stopped the next time


@dataclass(slots=True)
class UnitSteps:
    """What is to be done, each unit once."""

    stop: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    reload: list[str] = field(default_factory=list)


def plan(wishes: Mapping[str, UnitWish], applied: Mapping[str, UnitWish], up: Collection[str]) -> UnitSteps:
    """The steps from the units that are `up` to those that are wished for.

    `applied` are the wishes by which units were started or told last. One that is up and not among them was started by
    somebody else just now, and has read what we have read.
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
