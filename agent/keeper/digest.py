"""SHA-256 of finished clips, off the recording path and without pushing anything else out of memory.

With the digest goes the clip's row for the ledger, in one transaction: there is one exactly if there is the other.
"""
import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.config.derived import digest
from agent.config.settings import Camera
from agent.core.evidence.ledger import ClipSigned
from agent.host.clock import Clock
from agent.host.files import sha256
from agent.host.stop import Stop
from agent.store import boots, bound, clips, ledger, privacy
from agent.store.bound import Vouches, as_told
from agent.store.clips import Clip
from agent.store.damage import surviving
from agent.store.database import transaction
from agent.store.folders import Folders

UNMASKED = "none"
AT_A_TIME_S = 5.0
ENOUGH_N = 20               # clips a transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClipStatement:
    """Knows the cameras' settings as of the keeper's start, and the board."""

    cameras: dict[str, Camera] = field(default_factory=dict)
    serial: str | None = None

    @classmethod
    def of(cls, cameras: Iterable[Camera], serial: str | None) -> "ClipStatement":
        """The one for these cameras on the board `serial`."""
        return cls({camera.name: camera for camera in cameras}, serial)

    def tell(self, db: sqlite3.Connection, clip: Clip, size_b: int, sha256: str) -> ClipSigned:
        """The act of a finished clip whose file has this size and digest."""
        assert clip.dur_ms is not None and clip.frames is not None
        told, detector = clips.looked_by(db, clip.seq)
        settings, masks, masked_by = self._settings(clip.camera, told)
        return ClipSigned(
            clip=clip.name, camera=clip.camera, bytes=size_b, sha256=sha256, type=clip.kind, boot=clip.boot,
            mono_ms=clip.mono_ms, wall_ms=clips.as_written(db, clip.seq), clock=clip.clock, dur_ms=clip.dur_ms,
            frames=clip.frames, codec=clip.codec, width=clip.width, height=clip.height,
            offset_ms=boots.offset_ms(db, clip.boot), recovered=clip.state == "recovered", settings=settings,
            masks=masks, masked_by=masked_by, detector=detector, serial=self.serial)

    def _settings(self, name: str, told: str | None) -> tuple[str | None, str | None, str | None]:
        """The settings' hash, what is hidden and by whom. Where capture `told` of other settings, only its word counts.
        """
        camera = self.cameras.get(name)
        if camera is None or told not in (None, digest(camera)):
            return told, None, None
        hidden = (privacy.mark(camera.masks), camera.privacy_mask) if camera.masks else (UNMASKED, None)
        return digest(camera), *hidden


def hash_some(db: sqlite3.Connection, folders: Folders, stop: Stop, clock: Clock, witness: ClipStatement,
              vouches: Vouches = as_told) -> int:
    """Hash clips that have no digest yet, newest first, for about `AT_A_TIME_S`; returns how many.

    The owner has a heart to beat in between. A file that can't be read is left to the sweep, and holds up only itself.
    A clip that is signed already is not signed once more, whatever its row says: it says again what was signed.
    """
    signed: list[tuple[int, ClipSigned]] = []
    until_mono_s = clock.mono_s() + AT_A_TIME_S
    for clip in clips.unhashed(db):
        if stop.is_set() or clock.mono_s() > until_mono_s:
            break
        if not bound.is_named(clip) or len(signed) >= ENOUGH_N:
            continue
        with surviving(f"{clip.name} is not hashed"):
            if again := bound.rows_of(db, [clip], vouches).get(clip.name):
                with transaction(db):
                    clips.put_right(db, again[1])
                continue
            try:
                path = folders.clip(clip.seq, clip.name)
                signed.append((clip.seq, witness.tell(db, clip, path.stat().st_size, sha256(path))))
            except OSError as error:
                _log.warning("%s can't be hashed: %s", clip.name, error)
    if signed:
        now = clock.now()
        with transaction(db):
            for seq, act in signed:
                clips.put_digest(db, seq, act.sha256)
                ledger.note(db, now, act)
    return len(signed)
