"""A maker's release: its files, its needs, what the maker signs, and its trial after it was installed.

Pure. docs/design/system.md has the reasons.
"""
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from agent.core.contract.facts import Beat
from agent.core.evidence.ledger.seals import Verifies
from agent.core.key_slots import ChangeRefused, KeysChange, KeySlots, change

SEES = ("ok", "paused", "ended")        # states of a camera in which nothing is wrong with it
PURPOSE = b"taimat release 1\n"         # the same key may sign other things, but never this by accident
TOLD, SIGNATURE = "release.json", "release.sig"     # the first two files of a bundle, in this order
SIGNATURE_B = 64
TOLD_B = 65_536
BUNDLE_B = 512 << 20                    # of a whole bundle, at most
DISTRIBUTION = "taimat"


class Before(Struct, frozen=True, kw_only=True):
    """What worked until now: units by name, and cameras that delivered."""

    units: list[str] = []
    cameras: list[str] = []


@dataclass(frozen=True, slots=True)
class TrialPace:
    """How long is waited for what; tests wait less."""

    listen_s: float = 7.0           # before it begins: three heartbeats of everybody
    settle_s: float = 60.0          # all must be well for so long without a break
    deadline_s: float = 300.0       # and that within this time: recovery on a slow card takes minutes
    silent_s: float = 12.0          # a unit that was not heard for so long is not well


def worked(beats: Iterable[Beat]) -> Before:
    """What these heartbeats tell of."""
    heard = list(beats)
    return Before(units=sorted({beat.unit for beat in heard}),
                  cameras=sorted({each.camera for beat in heard for each in beat.cameras if each.state in SEES}))


@dataclass(slots=True)
class Trial:
    """One version on trial. Well is who does what worked before, and goes on doing it without starting anew."""

    before: Before
    pace: TrialPace
    restart_mono_s: float           # processes that are older are of the old version: nobody has ended them
    since_mono_s: float
    _heard: dict[str, tuple[Beat, float]] = field(default_factory=dict)     # the latest of each unit, and when
    _well_mono_s: float | None = None       # since when all is well

    def receive(self, beat: Beat, now_mono_s: float) -> None:
        """A heartbeat has come."""
        if beat.mono_s - beat.up_s < self.restart_mono_s:
            return
        known = self._heard.get(beat.unit)
        if known and known[0].pid != beat.pid:
            self._well_mono_s = None
        self._heard[beat.unit] = beat, now_mono_s

    def verdict(self, now_mono_s: float) -> Literal["well", "unwell"] | None:
        """What came of it; None while that is open."""
        if self.wrong(now_mono_s):
            self._well_mono_s = None
        elif self._well_mono_s is None:
            self._well_mono_s = now_mono_s
        if self._well_mono_s is not None and now_mono_s - self._well_mono_s >= self.pace.settle_s:
            return "well"
        return "unwell" if now_mono_s - self.since_mono_s >= self.pace.deadline_s else None

    def wrong(self, now_mono_s: float) -> list[str]:
        """Units and cameras that worked before and don't now; a camera whose unit is silent counts as one of them."""
        beats = {unit: beat for unit, (beat, heard_mono_s) in self._heard.items()
                 if now_mono_s - heard_mono_s <= self.pace.silent_s}
        now = worked(beats.values())
        return [*(unit for unit in self.before.units if unit not in now.units),
                *(f"camera {name}" for name in self.before.cameras if name not in now.cameras)]


Version = Annotated[str, Meta(pattern=r"^\d{1,5}\.\d{1,5}\.\d{1,5}\Z")]
Wheel = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,150}\.whl\Z")]      # no way into another folder
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

Code = Literal[
    "forbidden", "declined", "superseded", "busy", "not_enabled",               # nobody lets it, or nobody would do it
    "no_release_key", "bad_signature", "bad_bundle", "download", "no_room",     # it did not come, or from somebody else
    "not_newer", "wrong_python", "no_way_back", "not_ready",                    # it does not fit here
    "unhealthy_rolled_back", "interrupted"]


class Needs(Struct, frozen=True, forbid_unknown_fields=True):
    """What must be there before."""

    python: Annotated[str, Meta(pattern=r"^\d{1,2}\.\d{1,3}\Z")]    # at least this
    schema: Annotated[int, Meta(ge=1)]      # of the store: an agent that knows it can go on after this one


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """`release.json`."""

    v: Literal[1]
    version: Version
    files: Annotated[dict[Wheel, Sha256], Meta(min_length=1, max_length=64)]
    needs: Needs
    keys: KeysChange | None = None      # releases are signed by these from now on


class ReleaseRefused(Exception):
    """A release that is not installed: `code` for programs, the text for people."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def order(version: str) -> tuple[int, ...]:
    """What versions are compared by."""
    return tuple(int(part) for part in version.split("."))


def is_version(text: str) -> bool:
    """Whether that is a version as releases have them."""
    try:
        msgspec.convert(text, Version)
    except msgspec.ValidationError:
        return False
    return True


def message(told: bytes) -> bytes:
    """What the maker signs for a `release.json`."""
    return PURPOSE + told


def believed(told: bytes, signature: bytes, slots: KeySlots, verifies: Verifies) -> tuple[Release, KeySlots]:
    """The release in a `release.json` that a known key has signed, and the keys from then on.

    Nothing is read before the signature holds. The next key signs only what changes the keys. Raises ReleaseRefused.
    """
    signer = next((key for key in (slots.current, slots.next)
                   if key and verifies(bytes.fromhex(key), signature, message(told))), None)
    if signer is None:
        raise ReleaseRefused("bad_signature", "it is not signed by the key in force of [update] release_key: get it "
                             "from its maker again, or correct release_key")
    release = _read(told)
    if release.keys is None and signer == slots.current:
        return release, slots
    try:
        if release.keys is None:
            raise ChangeRefused("not_entitled")
        return release, change(slots, release.keys, signer)
    except ChangeRefused as refused:
        raise ReleaseRefused("bad_signature", f"the key that has signed it may not sign this ({refused}): get it from "
                             "its maker again") from refused


def _read(told: bytes) -> Release:
    try:
        return msgspec.json.decode(told, type=Release)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReleaseRefused("bad_bundle", f"its {TOLD} can't be read ({error}): it needs a newer Taimat, or was made "
                             "wrong") from error


def demand(release: Release, current: str, python: tuple[int, ...], schema: int) -> None:
    """See that it may take the place of `current` on this device. Raises Refused."""
    if order(release.version) <= order(current):
        raise ReleaseRefused("not_newer", f"{release.version} is not newer than {current}, which is installed")
    if order(release.needs.python) > python[:2]:
        raise ReleaseRefused("wrong_python", f"it needs Python {release.needs.python}: update the system first")
    if release.needs.schema > schema:
        raise ReleaseRefused("no_way_back", f"{current} could not go on with the store as {release.version} leaves it "
                             f"(schema {release.needs.schema}, known up to {schema}): install a release "
                             "between the two first")
