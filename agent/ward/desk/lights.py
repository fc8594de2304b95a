"""Four lights of a device: whether camera, card, clock and broker are good. Pure.

Before its household has joined, a device tells them itself (`Ready`); afterwards its health and its presence do.
"""
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Literal

from agent.core.contract.enrolment import Ready
from agent.core.contract.wire import ward_side
from agent.core.health.conditions import CAMERA, CARD
from agent.ward.presence import State

Light = Literal["good", "bad", "unknown"]
NAMES = ("camera", "card", "clock", "broker")
CAMERA_ILLS = frozenset((*CAMERA, "camera_tampered", "no_camera", "not_recording", "role_down", "role_not_started"))
CARD_ILLS = frozenset((*CARD, "card_full", "card_drops_writes", "card_ends", "card_went_back", "inodes_low",
                       "database_damaged"))
RIGHT_CLOCKS = ("ntp", "rtc")


@dataclass(frozen=True, slots=True)
class Lights:
    """One device's, in the order of NAMES."""

    camera: Light = "unknown"
    card: Light = "unknown"
    clock: Light = "unknown"
    broker: Light = "unknown"

    @property
    def green(self) -> bool:
        """Whether all is good."""
        return set(self.each.values()) == {"good"}

    @property
    def each(self) -> dict[str, Light]:
        """Each by its name."""
        return dict(zip(NAMES, astuple(self), strict=True))

    @property
    def missing(self) -> list[str]:
        """What is not good, by name."""
        return [name for name, light in self.each.items() if light == "bad"]


def reported(state: State, clock: str | None, health: ward_side.Health | None) -> Lights:
    """Those of a device that reports to the ward; `health` is None where its household keeps it to itself.

    What a device that is away said last says nothing of now.
    """
    broker: Light = "good" if state == "online" else "bad"
    if state not in ("online", "stale"):
        return Lights(broker=broker)
    return Lights(_free_of(CAMERA_ILLS, health), _free_of(CARD_ILLS, health),
                  "unknown" if clock is None else _light(clock in RIGHT_CLOCKS), broker)


def told(ready: Ready | None) -> Lights:
    """Those that an enrolled device tells before its household has joined; it may not have told any."""
    return Lights() if ready is None else Lights(*(_light(getattr(ready, name)) for name in NAMES))


def _free_of(ills: Iterable[str], health: ward_side.Health | None) -> Light:
    if health is None:
        return "unknown"
    return _light(not any(each.code in ills and each.sev != "info" for each in health.cond))


def _light(good: bool) -> Light:
    return "good" if good else "bad"
