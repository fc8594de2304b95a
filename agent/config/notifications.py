"""`[[notify]]`: its faults, its rule, and the part of its address that is not secret."""
from collections.abc import Iterator
from pathlib import Path as FilePath

from agent.config.positions import Path
from agent.config.settings import Notify, Settings
from agent.core.household.notifications import NotifyRule
from agent.core.household.pause import all_hours

PLACES_MAX = 4
SCHEME_N_MAX = 16


def rule_of(notify: Notify) -> NotifyRule:
    """Returns the checked settings as the core's rule."""
    return NotifyRule(kinds=frozenset(notify.kinds), cameras=frozenset(notify.cameras), zones=frozenset(notify.zones),
                      hours=all_hours(notify.hours), quiet=all_hours(notify.quiet),
                      every_ms=notify.at_most_every_min * 60_000, pictures=notify.pictures)


def service_of(notify: Notify) -> str:
    """Returns the scheme of the address, such as "ntfys"; the rest is secret. "?" if it cannot be read."""
    try:
        scheme, mark, _ = FilePath(notify.url_file).read_text(encoding="utf-8").strip().partition("://")
    except (OSError, UnicodeDecodeError):
        return "?"
    return scheme if mark and scheme.isalnum() and len(scheme) <= SCHEME_N_MAX else "?"


def faults(settings: Settings) -> Iterator[tuple[Path, str]]:
    if len(settings.notify) > PLACES_MAX:
        yield ("notify", PLACES_MAX), f"is one too many: there can be {PLACES_MAX}"
    cameras = [camera.name for camera in settings.camera]
    names: set[str] = set()
    for index, each in enumerate(settings.notify):
        path: Path = ("notify", index)
        if each.name.casefold() in names:
            yield (*path, "name"), f'"{each.name}" is taken: each needs a name of its own'
        names.add(each.name.casefold())
        for name in each.cameras:
            if name not in cameras:
                yield (*path, "cameras"), f'"{name}" is not a camera: ' + (", ".join(cameras) or "there are none")
        for key in ("hours", "quiet"):
            try:
                all_hours(getattr(each, key))
            except ValueError as error:
                yield (*path, key), str(error)
