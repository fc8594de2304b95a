"""Cameras that could be recorded, in words: those plugged in here, and those that the search has seen. Pure."""
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal
from urllib.parse import urlsplit

from agent.core.contract.camera_search import SeenCamera
from agent.core.contract.setup import LocalCamera
from agent.look.words import PageWords

TITLE_MAX_N = 40


@dataclass(frozen=True, slots=True)
class OfferedCamera:
    """One that is there and is not recorded."""

    key: str                    # in forms
    icon: Literal["camera", "network"]
    title: str                  # proposed
    told: str                   # what it is and where
    source: str                 # as in the configuration, with a password perhaps: never shown
    sub: str = ""


@dataclass(frozen=True, slots=True)
class MuteCamera:
    """One that gives no picture yet."""

    key: str
    address: str
    told: str                   # what it is
    why: str
    advice: str                 # for a technician, in English
    locked: bool                # it wants a user and a password


def camera_key(text: str) -> str:
    """What stands for a camera in a form, instead of its address with the password."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def offered(local: Iterable[LocalCamera], seen: Mapping[str, SeenCamera], taken: Iterable[str],
            words: PageWords) -> list[OfferedCamera]:
    """All that can be recorded at once; `taken` are the titles that there are."""
    used = {each.casefold() for each in taken}
    return [*(OfferedCamera(camera_key(each.source), "camera", _free(each.title, used, words),
                            each.detail or each.source, each.source) for each in local if not each.camera),
            *(OfferedCamera(key, "network", _free(each.own_name or each.kind, used, words), told_of(each, words),
                            each.source, each.sub) for key, each in seen.items() if each.ready and not each.camera)]


def mute(seen: Mapping[str, SeenCamera], as_somebody: bool, words: PageWords, own: str = "") -> list[MuteCamera]:
    """Those of which nothing can be recorded yet, and the configured camera `own` if it is one of them.

    `as_somebody`: they were asked with a user and a password.
    """
    return [MuteCamera(name, each.address, _what(each), _why(each, as_somebody, words), "; ".join(each.advice),
                       each.locked)
            for name, each in seen.items() if not each.ready and each.camera in ("", own)]


def _why(camera: SeenCamera, as_somebody: bool, words: PageWords) -> str:
    if camera.locked:
        return words("search.refused" if as_somebody else "search.locked")
    return words("search.mute")


def _what(camera: SeenCamera) -> str:
    return " · ".join(filter(None, (camera.own_name, camera.kind, str(camera.channel or ""), camera.address)))


def address_of(source: str) -> str:
    """Where a network camera is looked for again, without its login; "" for any other one."""
    parts = urlsplit(source)
    return parts.netloc.rpartition("@")[2] if parts.scheme in ("rtsp", "rtsps") else ""


def told_of(camera: SeenCamera, words: PageWords) -> str:
    """What it is and where."""
    size = f"{camera.width}×{camera.height}" if camera.width else ""
    channel = words("search.channel", n=camera.channel) if camera.channel else ""
    return " · ".join(filter(None, (camera.kind, channel, camera.address, size)))


def _free(wish: str, used: set[str], words: PageWords) -> str:
    """What a camera might be called; `used` knows it from then on."""
    stem = " ".join(wish.split())[:TITLE_MAX_N - 3].strip() or words("search.camera")
    title = next(each for number in count(1) if (each := f"{stem} {number}" if number > 1 else stem).casefold()
                 not in used)
    used.add(title.casefold())
    return title
