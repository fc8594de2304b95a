"""The systemd units of a configuration, each with digests of the settings that it reads.

A key that no digest covers only takes effect at the next restart. So each key that a role reads belongs here, and
whether the role applies it while it runs.
"""
import hashlib
from typing import Any

import msgspec

from agent.config.derived import read_by_capture, units
from agent.config.settings import Camera, Settings
from agent.core.unit_plan import UnitWish

DIGITS = 16
PAGE_SOCKETS = ("taimat-web-http.socket", "taimat-web-https.socket")
NOT_FOR_KEEPER = ("title", "source", "sub", "reader", "transport")      # keys of a camera


def unit_wishes(settings: Settings) -> dict[str, UnitWish]:
    """Returns the wish for each unit by its full name. Units that are missing here must not run."""
    found = {full_name(name): _capture(settings, name.partition("@")[2])
             for name, role in units(settings).items() if role == "capture"}
    cameras = [_without(camera, NOT_FOR_KEEPER) for camera in settings.camera]
    found["taimat-keeper.service"] = UnitWish(_digest(
        settings.store, settings.log, settings.ward, settings.sharing, settings.home.enabled, settings.notify, cameras))
    found["rescue-taimat-card.service"] = UnitWish(_digest(settings.store.folder), wanted=settings.recovery.reboot)
    found["taimat-link.service"] = UnitWish(_digest(_without(settings, ("web",))), wanted="link" in units(settings))
    if settings.web.enabled:
        found["taimat-web.service"] = UnitWish(_digest(_without(settings, ("recovery",))))
        found |= dict.fromkeys(PAGE_SOCKETS, UnitWish(""))
    return found


def full_name(name: str) -> str:
    """Returns the unit's name in systemd."""
    return f"taimat-{name.replace('capture@network', 'capture-network')}.service"


def _capture(settings: Settings, name: str) -> UnitWish:
    """For one camera, or for those that share the network process."""
    alone = {unit.partition("@")[2] for unit in units(settings)}
    cameras = [camera for camera in settings.camera if camera.enabled
               and (camera.name == name if name != "network" else camera.name not in alone)]
    return UnitWish(_digest(read_by_capture(settings.store), settings.log),
                    _digest(cameras, settings.home.snapshots, settings.recovery))


def _without(kept: Camera | Settings, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(kept).items() if key not in keys}


def _digest(*parts: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:DIGITS]
