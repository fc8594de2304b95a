"""What the keeper says of a clip when it signs it: what was filmed, when, by which camera and with which settings."""
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.config.digest import digest
from agent.config.settings import Camera
from agent.core.ledger import ClipSigned
from agent.store import boots, clips, privacy
from agent.store.clips import Clip

UNMASKED = "none"


@dataclass(frozen=True, slots=True)
class Witness:
    """Knows the cameras' settings as of the keeper's start, and the board."""

    cameras: dict[str, Camera] = field(default_factory=dict)
    serial: str | None = None

    @classmethod
    def of(cls, cameras: Iterable[Camera], serial: str | None) -> "Witness":
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
