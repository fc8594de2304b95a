"""A film as a stream of bytes: to be hashed or sealed without lying on a disk in between."""
import contextlib
import errno
from collections.abc import Iterator

from agent.core.media.mp4.cut import CutFilm
from agent.store.export.files import PIECE_B, ClipFiles
from agent.store.export.prepare import Export


def head(export: Export, film: CutFilm) -> bytes:
    """What comes before pictures and sound; it tells when the film was made only if that is sure."""
    return film.head(film.begin_ms // 1000 if export.sure else 0)


def stream(export: Export, film: CutFilm) -> Iterator[bytes]:
    """All of the film, in pieces of up to `PIECE_B`: the very bytes that `write` writes. Raises OSError."""
    yield head(export, film)
    with contextlib.closing(ClipFiles(export.folders, export.clips, export.file_key)) as files:
        for run in film.runs:
            read_at, offset, end = files.reader(run.strip), run.offset, run.offset + run.size_b
            while offset < end:
                piece = read_at(offset, min(PIECE_B, end - offset))
                if not piece:
                    raise OSError(errno.EIO, "a clip can no longer be read to its end")
                yield piece
                offset += len(piece)
