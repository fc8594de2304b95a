"""What an export says of itself: the claim, which the keeper makes anew before it signs, and the manifest around it.

All times are in milliseconds, wall times of UTC. Absent means unknown, never 0.
"""
import hashlib

from msgspec import Struct

from agent.core.evidence.ledger.acts import Exported, WardIdentity
from agent.core.evidence.ledger.row import canonical

VERSION = 1
STILL_RECORDED = "it was still being recorded"      # of a gap: it may be asked for by now


class ClaimPart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all parts."""


class StretchTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """Unbroken time in a film."""

    begin_ms: int
    end_ms: int
    at_ms: int                      # in the film


class FileTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """A file of the package, by its name in there."""

    file: str
    bytes: int
    sha256: str


class FilmTold(FileTold, frozen=True, kw_only=True, omit_defaults=True):
    """A film, and where it comes from."""

    dur_ms: int
    frames: int
    sounds: int
    codec: str
    width: int
    height: int
    clips: list[str]                # that it was cut from
    stretches: list[StretchTold]


class ClipTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """A clip that was cut: what its row in the ledger says of it, and when it began."""

    clip: str
    n: int                          # its row
    sha256: str
    begin_ms: int                   # as dated since its boot's clock was right; else as it was written
    dur_ms: int
    clock: str                      # when it was filmed: unset | saved | rtc | ntp
    off_ms: int                     # how far the clock was behind then, as is known since
    settings: str | None = None
    masks: str | None = None
    masked_by: str | None = None
    detector: str | None = None


class GapTold(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """Time that was asked for and is not there."""

    begin_ms: int
    end_ms: int
    why: str = ""                   # "" where nothing was recorded

    @property
    def is_damage(self) -> bool:
        """Whether footage is lost that should be there."""
        return self.why not in ("", STILL_RECORDED)


class ExportWish(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked for, and on whose word."""

    camera: str
    begin_ms: int
    end_ms: int
    by: str                         # command | page | ward: the way it was asked
    case: str | None = None
    purpose: str | None = None
    officer: str | None = None
    recipients: list[str] = []


class Claim(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """What the device says of an export; all but `files` the keeper can find out for itself."""

    wish: ExportWish
    films: list[FilmTold]
    clips: list[ClipTold]
    gaps: list[GapTold]
    sure: bool                      # whether all times are right, or have been found out since
    software: str
    until_ms: int | None = None     # where a clip begins that was still being recorded: nothing behind it is told
    ward: WardIdentity | None = None    # the certificate by which the ward knows this recorder; a row tells the same
    files: list[FileTold] = []      # that explain the export and help to check it

    def act(self) -> Exported:
        """The row that tells of it."""
        wish = self.wish
        return Exported(camera=wish.camera, begin_ms=wish.begin_ms, end_ms=wish.end_ms, by=wish.by, case=wish.case,
                        purpose=wish.purpose, officer=wish.officer, recipients=wish.recipients,
                        films={film.file: film.sha256 for film in self.films}, claim=digest(self))


class RowRef(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """A row's number and hash, hex."""

    n: int
    hash: str


class Manifest(ClaimPart, frozen=True, kw_only=True, omit_defaults=True):
    """What is signed: the claim, and which stretch of the ledger goes with it."""

    dev: str
    key: str                        # the device's public key, hex; "" where it never had one
    after: RowRef                   # the row that the stretch follows on
    last: RowRef                    # its last row: the export's own, if it is signed
    claim: Claim
    signed: bool = True             # False: made without the keeper, so nothing but the rows is vouched for
    serial: str | None = None       # the board's
    v: int = VERSION


def digest(claim: Claim) -> str:
    """The claim's SHA-256, hex, over its canonical bytes."""
    return hashlib.sha256(canonical(claim)).hexdigest()
