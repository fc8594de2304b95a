"""What a check can find wrong. Each code has one meaning, and a test that brings it about."""
from dataclasses import dataclass
from enum import StrEnum


class FlawCode(StrEnum):
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
    LEDGER_RENEWED = "ledger_renewed"           # a damaged database took rows along: it begins anew, or goes on earlier
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
    # with exports
    MANIFEST_EDITED = "manifest_edited"         # its signature is for something else
    MANIFEST_MALFORMED = "manifest_malformed"   # it can't be read, or tells less than a manifest has to
    EXPORT_UNSIGNED = "export_unsigned"         # nobody vouches for it
    EXPORT_WITHOUT_ROW = "export_without_row"   # the ledger does not end with this export
    SEAL_BROKEN = "seal_broken"                 # one of the signatures in other formats is missing or damaged
    KEY_FILE_DIFFERS = "key_file_differs"       # a file of the package brings another key than the manifest
    FILE_EDITED = "file_edited"
    FILE_TRUNCATED = "file_truncated"
    FILE_SWAPPED = "file_swapped"               # it holds what another file of the export held
    FILE_MISSING = "file_missing"
    FILE_UNKNOWN = "file_unknown"               # no word of it in the manifest
    IDENTITY_WITHOUT_ROW = "identity_without_row"   # no row ties the device to the certificate that the manifest names
    GAP_UNNAMED = "gap_unnamed"                 # time that was asked for is neither in a film nor told as missing
    SOURCE_WITHOUT_ROW = "source_without_row"   # a clip that the film was cut from is not signed as the manifest says


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that does not hold: what, where, and a sentence for people."""

    code: FlawCode
    says: str
    n: int | None = None            # the row concerned
    clip: str | None = None         # or, in an export, the file
