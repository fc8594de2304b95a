"""What would leave the house if a request of the ward were approved now: told before anybody decides."""
import sqlite3
from dataclasses import dataclass
from hashlib import sha256

from agent.store import boots
from agent.store.bound import as_told, sift
from agent.store.clips import Clip, reaching_into
from agent.store.requests import WardRequest


@dataclass(frozen=True, slots=True)
class ExportPreview:
    """The recordings that a request is about."""

    clips: list[Clip]
    dur_ms: int                 # of the footage in the time that is asked for
    bytes: int                  # about: as the clips' sizes go
    recording: bool             # some of it is still being recorded
    sure: bool = True           # the clock was right then, or its error is known: else nothing can leave

    @property
    def agreed(self) -> dict[str, str | None]:
        """What a yes is about: SHA-256 of the clips by their names; None for one that is not hashed yet."""
        return {clip.name: clip.sha256 for clip in self.clips}

    @property
    def digest(self) -> str:
        """By which it is known whether other clips are meant by now: SHA-256, hex.

        Of a clip that was not hashed its name alone counts, so one that is hashed in between is still what was shown.
        """
        return sha256("\n".join(sorted(clip.name for clip in self.clips)).encode()).hexdigest()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to hand out."""
        return not self.clips


def preview(db: sqlite3.Connection, request: WardRequest) -> ExportPreview:
    """What there is for it now. Raises sqlite3.Error."""
    if request.begin_ms is None or request.end_ms is None:
        return ExportPreview([], 0, 0, False)
    found = sift(db, reaching_into(db, request.camera, request.begin_ms, request.end_ms), as_told).sound
    shares = [_share(clip, request.begin_ms, request.end_ms) for clip in found]
    return ExportPreview(found, sum(dur_ms for dur_ms, _ in shares), sum(size_b for _, size_b in shares),
                         any(clip.state == "open" for clip in found),
                         all(boots.is_sure(db, clip.boot, clip.clock) for clip in found))


def _share(clip: Clip, begin_ms: int, end_ms: int) -> tuple[int, int]:
    """How many ms of the clip lie in that time, and how many bytes that is."""
    if not clip.dur_ms or clip.bytes is None:
        return 0, 0
    dur_ms = max(0, min(end_ms, clip.wall_ms + clip.dur_ms) - max(begin_ms, clip.wall_ms))
    return dur_ms, clip.bytes * dur_ms // clip.dur_ms
