"""Derives from the settings: processes, card limits, sharing rules, what the household agreed to, a camera's digest."""
import hashlib
import json
from typing import Any

import msgspec

from agent.config.settings import Camera, Settings, Sharing, Store
from agent.config.source import NETWORK, parse_source
from agent.config.ward_settings import listens
from agent.core.evidence.ledger import Agreed
from agent.core.household import consent
from agent.core.household.labels import PEOPLE
from agent.core.household.sharing_rules import STRICTEST_FIRST, Rules
from agent.core.retention import CardLimits

DIGITS = 12
GB = 1_000_000_000


def digest(camera: Camera) -> str:
    """Hashes all of a camera's settings that change detection, into 12 hex digits; the detector has its own version.

    The hash is over JSON with sorted keys and no spaces; whole numbers have no decimal point.
    """
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
    """Maps units to roles: network cameras and files share one capture process, every other camera has its own.

    The link only runs if the ward, the home or notifications need it.
    """
    found = {}
    for camera in settings.camera:
        if camera.enabled:
            shared = parse_source(camera.source).scheme in (*NETWORK, "file")
            found["capture@network" if shared else f"capture@{camera.name}"] = "capture"
    link = {"link": "link"} if settings.ward.enabled or settings.home.enabled or settings.notify else {}
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
    return {"text": consent.VERSION, "told": consent.told(kept), "snapshots": rules.snapshots,
            "only": [*PEOPLE] if sharing.events == "people" else [],
            "pictures": {"*": rules.default, **rules.by_purpose}}


def _camera(camera: Camera) -> str:
    """For example "motion, with sound, off Mon-Fri 07:00-17:00"; "off" for a camera that is switched off."""
    if not camera.enabled:
        return "off"
    sound = ["with sound"] if camera.audio else []
    return ", ".join([camera.record, *sound, *(f"off {hours}" for hours in camera.off)])
