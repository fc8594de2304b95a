"""Combines the household's settings with those that a ward has set, as far as the household allows it."""
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from agent.config.settings import Settings
from agent.core.household.ward_settings import Weighed, outcome

# The keys in the file that each of the ward's keys changes.
ACTS_ON = {"health_int_s": ("ward.health_every_s",), "retention_d": ("store.keep_days", "store.keep_continuous_days"),
           "log_level": ("log.level",)}


def listens(settings: Settings) -> bool:
    """Whether the household lets the ward change settings."""
    return settings.ward.enabled and settings.ward.may_configure


def weighed(settings: Settings, document: Mapping[str, Any]) -> Weighed:
    """Returns the outcome of the ward's document together with the household's settings."""
    return outcome(document if listens(settings) else {}, {
        "health_int_s": settings.ward.health_every_s, "retention_d": settings.store.keep_days,
        "log_level": settings.log.level})


def in_effect(settings: Settings, document: Mapping[str, Any]) -> Settings:
    """Returns the effective settings: the household's, changed by the ward's document."""
    values, store = weighed(settings, document).values, settings.store
    days = values["retention_d"]
    return replace(
        settings, ward=replace(settings.ward, health_every_s=values["health_int_s"]),
        store=replace(store, keep_days=days, keep_continuous_days=min(store.keep_continuous_days, days)),
        log=replace(settings.log, level=values["log_level"]))
