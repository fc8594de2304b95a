"""`[[notify]]`: what is wrong with it, the rule that it makes, and what may be told of its address."""
from collections.abc import Iterator
from pathlib import Path as FilePath

from agent.config.positions import Path
from agent.config.settings import Notify, Settings
from agent.core.household.notifications import NotifyRule
from agent.core.household.pause import all_hours

PLACES_MAX = 4
SCHEME_N_MAX = 16


def rule_of(notify: Notify) -> NotifyRule:
    """The same as the core knows it. It has been checked."""
    return NotifyRule(kinds=frozenset(notify.kinds), cameras=frozenset(notify.cameras), zones=frozenset(notify.zones),
                      hours=all_hours(notify.hours), quiet=all_hours(notify.quiet),
                      every_ms=notify.at_most_every_min * 60_000, pictures=notify.pictures)


def service_of(notify: Notify) -> str:
    """What the address begins with, as in "ntfys"; the rest is a secret. "?" where it can't be read."""
    try:
        scheme, mark, _ = FilePath(notify.url_file).read_text(encoding="utf-8").strip().partition("://")
    except (OSError, UnicodeDecodeError):
        return "?"
    return scheme if mark and scheme.isalnum() and len(scheme) <= SCHEME_N_MAX else "?"


def faults(settings: Settings) -> Iterator[tuple[Path, str]]:
    """What is wrong: the key, and the remedy."""
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
                yield (*path, "cameras"), f'"{name}" is no camera: ' + (", ".join(cameras) or "there are none")
        for key in ("hours", "quiet"):
            try:
                all_hours(getattr(each, key))
            except ValueError as error:
                yield (*path, key), str(error)
