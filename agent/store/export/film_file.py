"""A film that is read from its clips: nothing is written, and any byte of it can be read at once."""
import errno
import hashlib
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from agent.core.evidence.encrypted import FileKey
from agent.core.media.mp4.cut import CutFilm
from agent.store.clips import Clip
from agent.store.export.files import ClipFiles
from agent.store.export.prepare import Export
from agent.store.export.write import head
from agent.store.folders import Folders

LAID_OUT = struct.Struct("<QQ")
FACTS_B = 500               # of a clip's row in memory, about


class FilmLayout:
    """Where the bytes of a film are: in its head, and in runs of its clips. It never changes, so readers can share it.
    """

    def __init__(self, export: Export, film: CutFilm) -> None:
        """`film` was cut for `export`."""
        used = list(dict.fromkeys(film.strips))
        self.clips: Sequence[Clip] = [export.clips[number] for number in used]
        self.head = head(export, film)
        numbers = {number: n for n, number in enumerate(used)}
        self._clips, self._offsets, self._begins = array("I"), array("Q"), array("Q")
        at_b, tag = len(self.head), hashlib.sha256(self.head)
        for run in film.runs:
            self._clips.append(numbers[run.strip])
            self._offsets.append(run.offset)
            self._begins.append(at_b)
            tag.update(self.clips[numbers[run.strip]].name.encode() + LAID_OUT.pack(run.offset, run.size_b))
            at_b += run.size_b
        self.size_b = at_b
        self.tag = tag.hexdigest()[:24]         # the same for the same bytes alone

    @property
    def memory_b(self) -> int:
        """Roughly the memory that it takes."""
        return len(self.head) + 20 * len(self._clips) + FACTS_B * len(self.clips)

    def places(self, at_b: int, size_b: int) -> Iterator[tuple[int, int, int]]:
        """Yields where these bytes behind the head are: a clip's number, the offset there, and how many; in order."""
        end_b = min(at_b + size_b, self.size_b)
        number = bisect_right(self._begins, at_b) - 1
        while at_b < end_b:
            over_b = self._begins[number + 1] if number + 1 < len(self._begins) else self.size_b
            count_b = min(end_b, over_b) - at_b
            yield self._clips[number], self._offsets[number] + at_b - self._begins[number], count_b
            at_b += count_b
            number += 1


class FilmFile:
    """The film as a file in the clear, for one reader at a time."""

    def __init__(self, layout: FilmLayout, folders: Folders, file_key: FileKey) -> None:
        self._layout, self.size_b = layout, layout.size_b
        self._files = ClipFiles(folders, layout.clips, file_key)

    def read_at(self, offset: int, size_b: int) -> bytes:
        """Returns bytes of it, fewer only at its end. Raises FileNotFoundError if a clip was deleted meanwhile, other
        OSErrors, LockedError and DamagedError.
        """
        pieces = [self._layout.head[offset:offset + size_b]]
        at_b = offset + len(pieces[0])
        for clip, place_b, count_b in self._layout.places(at_b, size_b - len(pieces[0])):
            piece = self._files.file(clip).read_at(place_b, count_b)
            if len(piece) < count_b:
                raise OSError(errno.EIO, f"{self._layout.clips[clip].name} has become shorter")
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._files.close()
