"""The keeper's evidence: digests of clips, the ledger's rows, and signatures of exports.

A digest and the clip's ledger row are written in one transaction, so there is never one without the other. One writer
of the ledger serves rows and exports, so they never race for its head.
"""
import logging
import sqlite3
from dataclasses import dataclass, field

from agent.config.derived import digest
from agent.config.settings import Camera
from agent.core.evidence.ledger.acts import ClipSigned
from agent.host.clock import Clock
from agent.host.files import sha256
from agent.host.stop import Stop
from agent.keeper.export_signer import ExportSigner, WardName
from agent.keeper.key import LineVerifier
from agent.keeper.ledger_writer import LedgerWriter
from agent.process.role import Role
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
    """Describes clips for the ledger, from the cameras' settings at the keeper's start and the board's serial."""

    cameras: dict[str, Camera] = field(default_factory=dict)
    serial: str | None = None

    def act(self, db: sqlite3.Connection, clip: Clip, size_b: int, sha256: str) -> ClipSigned:
        """Returns the ledger's act for a finished clip with this size and digest."""
        assert clip.dur_ms is not None and clip.frames is not None
        used, detector = clips.looked_by(db, clip.seq)
        settings, masks, masked_by = self._settings(clip.camera, used)
        return ClipSigned(
            clip=clip.name, camera=clip.camera, bytes=size_b, sha256=sha256, type=clip.kind, boot=clip.boot,
            mono_ms=clip.mono_ms, wall_ms=clips.as_written(db, clip.seq), clock=clip.clock, dur_ms=clip.dur_ms,
            frames=clip.frames, codec=clip.codec, width=clip.width, height=clip.height,
            offset_ms=boots.offset_ms(db, clip.boot), recovered=clip.state == "recovered", settings=settings,
            masks=masks, masked_by=masked_by, detector=detector, serial=self.serial)

    def _settings(self, name: str, used: str | None) -> tuple[str | None, str | None, str | None]:
        """Returns the settings' hash, the masks and who hides them; only `used` if capture used other settings."""
        camera = self.cameras.get(name)
        if camera is None or used not in (None, digest(camera)):
            return used, None, None
        hidden = (privacy.mark(camera.masks), camera.privacy_mask) if camera.masks else (UNMASKED, None)
        return digest(camera), *hidden


def hash_some(db: sqlite3.Connection, folders: Folders, stop: Stop, clock: Clock, witness: ClipStatement,
              vouches: Vouches = as_told) -> int:
    """Hashes clips without a digest, newest first, for about `AT_A_TIME_S`; returns how many.

    The caller sends heartbeats in between. A file that cannot be read is left to the sweep. A clip that was signed
    already is not signed again: its row is set to what was signed.
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
                signed.append((clip.seq, witness.act(db, clip, path.stat().st_size, sha256(path))))
            except OSError as error:
                _log.warning("%s cannot be hashed: %s", clip.name, error)
    if signed:
        now = clock.now()
        with transaction(db):
            for seq, act in signed:
                clips.put_digest(db, seq, act.sha256)
                ledger.note(db, now, act)
    return len(signed)


class Evidence:
    def __init__(self, role: Role, serial: str | None, own: sqlite3.Connection) -> None:
        """Everything for one database; `serial` is the board's serial number."""
        self.role, self.own = role, own
        self.redated_n = 0              # rows of recordings that were corrected or reported within a day
        self.ward = WardName(role.settings.ward.cert)
        self.clip_statement = ClipStatement({camera.name: camera for camera in role.settings.camera}, serial)
        self.ledger_writer = LedgerWriter(role.folders, role.clock, own, serial)
        self.export_signer = ExportSigner(role.folders, self.ledger_writer, role.clock, self.ward, own)

    @property
    def at_work(self) -> bool:
        """Whether an export is being checked, so that the next round must not wait."""
        return self.export_signer.at_work

    def hash_some(self, db: sqlite3.Connection) -> int:
        return hash_some(db, self.role.folders, self.role.stop, self.role.clock, self.clip_statement,
                         vouches=LineVerifier(self.role.folders))

    def sign_some(self, db: sqlite3.Connection) -> None:
        self.ledger_writer.seal_some(db, self.role.stop.is_set)
        self.export_signer.go_on(db, self.role.stop.is_set)
        self.redated_n = bound.reported_n(self.own, self.role.clock.now())
