"""A small picture within a large one: the thumbnail of an Exif JPEG (CIPA DC-008, 4.5.8). Pure.

A list then needs a file's first kilobytes and no decoder, and only one file is stored, encrypted and deleted.
"""
import struct

SMALL_B_MAX = 65_000            # a marker segment ends at 65,535
START, APP0, APP1, SCAN = b"\xff\xd8", 0xE0, 0xE1, 0xDA
EXIF = b"Exif\0\0"
ORIENTATION, COMPRESSION, OFFSET, LENGTH = 0x0112, 0x0103, 0x0201, 0x0202
SHORT, LONG = 3, 4
_ENTRY, _COUNT, _WORD = struct.Struct("<HHII"), struct.Struct("<H"), struct.Struct("<I")


def with_small(jpeg: bytes, small: bytes) -> bytes:
    """Returns `jpeg` with the JPEG `small` as its thumbnail; unchanged if the thumbnail does not fit."""
    if len(small) > SMALL_B_MAX or not jpeg.startswith(START):
        return jpeg
    first = _directory((ORIENTATION, SHORT, 1))
    second_at = 8 + len(first)
    small_at = second_at + 2 + 3 * _ENTRY.size + 4
    second = _directory((COMPRESSION, SHORT, 6), (OFFSET, LONG, small_at), (LENGTH, LONG, len(small)))
    tiff = b"II*\0" + _WORD.pack(8) + first[:-4] + _WORD.pack(second_at) + second + small
    body = EXIF + tiff
    # JFIF's own segment comes first
    at = 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[2:4] == bytes((0xFF, APP0)) else 2
    return jpeg[:at] + bytes((0xFF, APP1)) + (len(body) + 2).to_bytes(2, "big") + body + jpeg[at:]


def small_of(jpeg: bytes) -> bytes | None:
    """Returns the thumbnail in `jpeg`, whose first SMALL_B_MAX + 1000 bytes are enough; None if it is not whole."""
    at = len(START)
    while jpeg[at:at + 1] == b"\xff" and at + 4 <= len(jpeg) and jpeg[at + 1] != SCAN:
        size_b = int.from_bytes(jpeg[at + 2:at + 4], "big")
        body = jpeg[at + 4:at + 2 + size_b]
        if jpeg[at + 1] == APP1 and body.startswith(EXIF):
            return _thumbnail(body[len(EXIF):])
        at += 2 + size_b
    return None


def _directory(*entries: tuple[int, int, int]) -> bytes:
    """An image file directory of single values. It ends with the offset of the next directory: 0."""
    values = (_ENTRY.pack(tag, kind, 1, value) for tag, kind, value in entries)
    return _COUNT.pack(len(entries)) + b"".join(values) + bytes(4)


def _thumbnail(tiff: bytes) -> bytes | None:
    try:
        (first_at,) = _WORD.unpack_from(tiff, 4)
        (entries_n,) = _COUNT.unpack_from(tiff, first_at)
        (second_at,) = _WORD.unpack_from(tiff, first_at + 2 + entries_n * _ENTRY.size)
        (entries_n,) = _COUNT.unpack_from(tiff, second_at)
        entries = (_ENTRY.unpack_from(tiff, second_at + 2 + n * _ENTRY.size) for n in range(entries_n))
        values = {tag: value for tag, _, _, value in entries}
        small = tiff[values[OFFSET]:values[OFFSET] + values[LENGTH]]
    except (struct.error, KeyError):
        return None
    return small if tiff[:4] == b"II*\0" and len(small) == values[LENGTH] and small.startswith(START) else None
