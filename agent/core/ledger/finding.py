"""What a check can find wrong. Each code has one meaning, and a test that brings it about."""
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """What is wrong."""

    # with rows
    ROW_EDITED = "row_edited"                   # its content is not what was hashed
    ROW_FOREIGN = "row_foreign"                 # whole, but not signed by the device: inserted, or made anew
    ROW_MALFORMED = "row_malformed"             # signed, but it does not tell what its kind has to
    ROW_REMOVED = "row_removed"                 # numbers are missing
    ROWS_REORDERED = "rows_reordered"           # it lies where another row belongs
    CHAIN_BROKEN = "chain_broken"               # signed, but it follows on another row than the one before it
    SIGNATURE_BROKEN = "signature_broken"       # the next row still vouches for the content
    ACT_MISSING = "act_missing"                 # a role noted an act that was never signed
    # with the whole
    TAIL_CUT = "tail_cut"                       # it ends before a head that somebody has seen
    HEAD_DIFFERS = "head_differs"               # it has another row where somebody has seen a head
    LEDGER_MISSING = "ledger_missing"           # there are clips, and not a single row
    KEY_FOREIGN = "key_foreign"                 # not the key that it should be
    KEY_CHANGED = "key_changed"                 # another key signs from here on
    DEVICE_DIFFERS = "device_differs"           # a row of another device or board
    # with time
    MONO_BACK = "mono_back"                     # time ran backwards within a boot, or an act is later than its row
    WALL_MOVED = "wall_moved"                   # the wall clock jumped, and no row tells of it
    WALL_BACK = "wall_back"                     # a clock that was right is earlier after a restart than before it
    BOOT_REDATED = "boot_redated"               # the database dates a boot as no signed row does
    # with clips
    CLIP_EDITED = "clip_edited"
    CLIP_TRUNCATED = "clip_truncated"
    CLIP_SWAPPED = "clip_swapped"               # it holds what another clip held
    CLIP_MISSING = "clip_missing"
    CLIP_RESIGNED = "clip_resigned"             # signed twice, with different content
    CLIP_REDATED = "clip_redated"               # the database tells another camera or time of it than its row
    CLIP_UNREADABLE = "clip_unreadable"
    CLIP_WITHOUT_ROW = "clip_without_row"
    DELETION_WITHOUT_ROW = "deletion_without_row"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: what, where, and a sentence for people."""

    code: Code
    says: str
    n: int | None = None            # the row concerned
    clip: str | None = None
