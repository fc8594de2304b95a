"""Derives from the settings: processes, limits of the card, sharing rules, consent, and who hides masked areas.

It also combines the settings of the household with those that a ward has set, as far as the household allows it.
"""
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from agent.config.settings import Camera, Polygon, Settings, Sharing, Store
from agent.config.source import NETWORK, parse_source
from agent.core.evidence.ledger.acts import Agreed
from agent.core.household import consent
from agent.core.household.labels import PEOPLE
from agent.core.household.sharing_rules import STRICTEST_FIRST, Rules
from agent.core.household.ward_settings import Weighed, outcome
from agent.core.retention import CardLimits

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


def transcodes(camera: Camera) -> bool:
    """Whether encoded video is decoded, painted and encoded again. False without masks."""
    return bool(camera.masks) and camera.privacy_mask == "transcode"


def declared(camera: Camera) -> bool:
    """Whether the household declares that the camera hides these areas itself; then we paint nothing."""
    return bool(camera.masks) and camera.privacy_mask == "camera"


def silenced(camera: Camera) -> list[Polygon]:
    """Returns the areas where motion does not count: ignored ones, and those that the camera hides itself."""
    ignored = [zone.area for zone in camera.zone if zone.rule == "ignore"]
    return [*camera.motion.ignore, *ignored, *(camera.masks if declared(camera) else [])]


DIGITS = 12
GB = 1_000_000_000


def digest(camera: Camera) -> str:
    """Hashes all of a camera's settings that change detection, into 12 hex digits; the detector has its own version.
    The hash is over JSON with sorted keys and no spaces; whole numbers have no decimal point."""
    kept = {"motion": camera.motion, "zone": camera.zone, "masks": camera.masks}
    if camera.masks:
        kept["privacy_mask"] = camera.privacy_mask
    text = json.dumps(_plain(msgspec.to_builtins(kept)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _plain(value: Any) -> Any:
    """Writes 5.0 as 5, because defaults and values from a file may differ in that."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def units(settings: Settings) -> dict[str, str]:
    """Maps units to roles: network cameras and files share one capture process, every other camera has its own. The
    link only runs if the ward, the home, notifications or metrics need it."""
    found = {}
    for camera in settings.camera:
        if camera.enabled:
            shared = parse_source(camera.source).scheme in (*NETWORK, "file")
            found["capture@network" if shared else f"capture@{camera.name}"] = "capture"
    needed = settings.ward.enabled or settings.home.enabled or settings.notify or settings.metrics.port
    link = {"link": "link"} if needed else {}
    return {**found, "keeper": "keeper", **link, **({"web": "web"} if settings.web.enabled else {})}


def limits(store: Store) -> CardLimits:
    """Returns the card's limits from the settings."""
    return CardLimits(int(store.quota_gb * GB), store.free_floor_pct, store.hold_max_pct)


def read_by_capture(store: Store) -> tuple[str | float, ...]:
    """Returns the keys of `[store]` that capture reads; only the keeper needs how long footage is kept."""
    return store.folder, store.runtime, store.volume, store.encrypt, store.sync_every_s


def sharing_rules(sharing: Sharing) -> Rules:
    """Returns the rule for each purpose."""
    return Rules(sharing.default, {purpose: rule for rule in STRICTEST_FIRST for purpose in getattr(sharing, rule)},
                 sharing.snapshots)


def agreed(settings: Settings) -> Agreed:
    """Returns what the household agrees to with these settings."""
    ward, store = settings.ward, settings.store
    joining = _joining(settings.sharing) if ward.enabled else {}
    return Agreed(cameras={camera.name: _camera(camera) for camera in settings.camera},
                  keep_h=int(store.keep_days * 24), keep_continuous_h=int(store.keep_continuous_days * 24),
                  ward=ward.ward if ward.enabled else None, encrypt=store.encrypt,
                  configurable=listens(settings), **joining)


def _joining(sharing: Sharing) -> dict[str, Any]:
    rules, kept = sharing_rules(sharing), [part for part in consent.KINDS_OF if getattr(sharing, part) == "never"]
    return {"text": consent.VERSION, "told": consent.kinds_sent(kept), "snapshots": rules.snapshots,
            "only": [*PEOPLE] if sharing.events == "people" else [],
            "pictures": {"*": rules.default, **rules.by_purpose}}


def _camera(camera: Camera) -> str:
    """For example "motion, with sound, off Mon-Fri 07:00-17:00"; "off" for a camera that is switched off."""
    if not camera.enabled:
        return "off"
    sound = ["with sound"] if camera.audio else []
    return ", ".join([camera.record, *sound, *(f"off {hours}" for hours in camera.off)])
