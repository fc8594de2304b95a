"""The claim of an export, which the keeper computes again before it signs, and the manifest around it.

All times are wall times in UTC milliseconds. Absent means unknown, never 0.
"""
import hashlib

from msgspec import Struct

from agent.core.evidence.ledger.acts import Exported, WardIdentity
from agent.core.evidence.ledger.row import canonical

VERSION = 1
STILL_RECORDED = "it was still being recorded"      # reason of a gap: a later export may contain it
NOT_AGREED = "the household was not shown it when it agreed"     # reason of a gap: it may be requested again


class ClaimPart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all parts."""


class StretchTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """Time without a gap in a film."""

    begin_ms: int
    end_ms: int
    at_ms: int                      # position in the film


class FileTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """A file of the package, by its name there."""

    file: str
    bytes: int
    sha256: str


class FilmTold(FileTold, frozen=True, kw_only=True, omit_defaults=True):
    """A film, and the clips that it comes from."""

    dur_ms: int
    frames: int
    sounds: int
    codec: str
    width: int
    height: int
    clips: list[str]                # the clips that it was cut from
    stretches: list[StretchTold]


class ClipTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """A clip that was cut: its row in the ledger, and its time."""

    clip: str
    n: int                          # the number of its row
    sha256: str
    begin_ms: int                   # corrected if its boot's clock became right later; else as written
    dur_ms: int
    clock: str                      # state of the clock when it was recorded: unset | saved | rtc | ntp
    off_ms: int                     # how far the clock was behind then, as known now
    settings: str | None = None
    masks: str | None = None
    masked_by: str | None = None
    detector: str | None = None


class GapTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """Requested time that the films lack."""

    begin_ms: int
    end_ms: int
    why: str = ""                   # "" if nothing was recorded

    @property
    def is_damage(self) -> bool:
        """Whether footage was lost that should exist."""
        return self.why not in ("", STILL_RECORDED, NOT_AGREED)


class ExportWish(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """What is requested, and on whose authority."""

    camera: str
    begin_ms: int
    end_ms: int
    by: str                         # command | page | ward: how it was requested
    case: str | None = None
    purpose: str | None = None
    officer: str | None = None
    recipients: list[str] = []
    only: list[str] | None = None   # the clips that the household was shown and agreed to; None: all


class Claim(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """The device's statement about an export. The keeper can check all of it except `files`."""

    wish: ExportWish
    films: list[FilmTold]
    clips: list[ClipTold]
    gaps: list[GapTold]
    sure: bool                      # whether all times are right or have been corrected
    software: str
    until_ms: int | None = None     # start of a clip that was still being recorded; the export ends before it
    ward: WardIdentity | None = None    # the certificate by which the ward knows this recorder; a row confirms it
    files: list[FileTold] = []      # files that explain the export and help to check it

    def act(self) -> Exported:
        wish = self.wish
        return Exported(camera=wish.camera, begin_ms=wish.begin_ms, end_ms=wish.end_ms, by=wish.by, case=wish.case,
                        purpose=wish.purpose, officer=wish.officer, recipients=wish.recipients,
                        films={film.file: film.sha256 for film in self.films}, claim=digest(self))


class RowRef(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """A row's number and hash, hex."""

    n: int
    hash: str


class Manifest(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """The signed document: the claim, and the section of the ledger that goes with it."""

    dev: str
    key: str                        # the device's public key, hex; "" if it never had one
    after: RowRef                   # the row before the section
    last: RowRef                    # the last row of the section: the export's own, if it is signed
    claim: Claim
    signed: bool = True             # False: made without the keeper, so only the rows are confirmed
    serial: str | None = None       # the board's
    v: int = VERSION


def digest(claim: Claim) -> str:
    """Returns the claim's SHA-256, hex, over its canonical bytes."""
    return hashlib.sha256(canonical(claim)).hexdigest()
