"""What a check can find wrong. Each code has one meaning, and a test that brings it about."""
from dataclasses import dataclass
from enum import StrEnum


class FlawCode(StrEnum):
    # with rows
    ROW_EDITED = "row_edited"                   # its content is not what was hashed
    ROW_FOREIGN = "row_foreign"                 # whole, but not signed by the device: inserted, or made again
    ROW_MALFORMED = "row_malformed"             # signed, but without the fields of its kind
    ROW_REMOVED = "row_removed"                 # numbers are missing
    ROWS_REORDERED = "rows_reordered"           # in the place of another row
    CHAIN_BROKEN = "chain_broken"               # signed, but it follows another row than the one before it
    SIGNATURE_BROKEN = "signature_broken"       # the next row still confirms the content
    ACT_MISSING = "act_missing"                 # a role noted an act that was never signed
    # with the whole
    TAIL_CUT = "tail_cut"                       # it ends before a head that others have seen
    HEAD_DIFFERS = "head_differs"               # another row is in the place of a head that others have seen
    LEDGER_RENEWED = "ledger_renewed"           # a damaged database lost rows: the ledger starts again or earlier
    LEDGER_MISSING = "ledger_missing"           # there are clips, but no rows
    KEY_FOREIGN = "key_foreign"                 # not the expected key
    KEY_CHANGED = "key_changed"                 # another key signs from here on
    DEVICE_DIFFERS = "device_differs"           # a row of another device or board
    # with time
    MONO_BACK = "mono_back"                     # time ran backwards within a boot, or an act is later than its row
    WALL_MOVED = "wall_moved"                   # the wall clock jumped without a row about it
    WALL_BACK = "wall_back"                     # a right clock is earlier after a restart than before it
    BOOT_REDATED = "boot_redated"               # the database dates a boot unlike every signed row
    # with clips
    CLIP_EDITED = "clip_edited"
    CLIP_TRUNCATED = "clip_truncated"
    CLIP_SWAPPED = "clip_swapped"               # it has the content of another clip
    CLIP_MISSING = "clip_missing"
    CLIP_RESIGNED = "clip_resigned"             # signed twice, with different content
    CLIP_REDATED = "clip_redated"               # the database has another camera or time for it than its row
    CLIP_UNREADABLE = "clip_unreadable"
    CLIP_WITHOUT_ROW = "clip_without_row"
    DELETION_WITHOUT_ROW = "deletion_without_row"
    # with exports
    MANIFEST_EDITED = "manifest_edited"         # its signature belongs to other content
    MANIFEST_MALFORMED = "manifest_malformed"   # it cannot be read, or lacks fields
    EXPORT_UNSIGNED = "export_unsigned"         # it has no signature
    EXPORT_WITHOUT_ROW = "export_without_row"   # the ledger does not end with this export
    SEAL_BROKEN = "seal_broken"                 # a signature in another format is missing or damaged
    KEY_FILE_DIFFERS = "key_file_differs"       # a file of the package has another key than the manifest
    FILE_EDITED = "file_edited"
    FILE_TRUNCATED = "file_truncated"
    FILE_SWAPPED = "file_swapped"               # it has the content of another file of the export
    FILE_MISSING = "file_missing"
    FILE_UNKNOWN = "file_unknown"               # the manifest does not name it
    IDENTITY_WITHOUT_ROW = "identity_without_row"   # no row connects the device with the certificate in the manifest
    GAP_UNNAMED = "gap_unnamed"                 # requested time that is neither in a film nor named as missing
    SOURCE_FOREIGN = "source_foreign"           # a clip of another camera or time than requested and agreed
    SOURCE_WITHOUT_ROW = "source_without_row"   # a clip of the film is not signed as the manifest says


@dataclass(frozen=True, slots=True)
class Flaw:
    """One finding: its code, its place, and a sentence for people."""

    code: FlawCode
    says: str
    n: int | None = None            # the row concerned
    clip: str | None = None         # or the file of an export
