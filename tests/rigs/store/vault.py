"""A store with a day key, and clips in it as a recorder writes them: encrypted, or for comparison in the clear."""
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent.capture.clipfile import ClipFile, EncryptionPolicy
from agent.core.evidence.encrypted import AES_GCM
from agent.core.media.fragments import Fragmenter
from agent.core.media.model import Packet, StreamInfo
from agent.host.clock import Clock
from agent.keeper.sweeper import DayKeys
from agent.store import clips
from agent.store.database import transaction
from agent.store.decisions import database as decisions
from agent.store.encryption.file_keys import Keyring
from agent.store.export import prepare_clip, write
from agent.store.folders import Folders
from tests.core.cut_material import packets_of
from tests.rigs.cameras.h264 import movie

FRAME_US = 100_000          # of h264.movie


@dataclass
class Vault:
    """Makes the day's key as the keeper does."""

    db: sqlite3.Connection
    folders: Folders
    clock: Clock
    kind: int | None = AES_GCM      # the cipher; None for none

    def __post_init__(self) -> None:
        with closing(decisions.connect(self.folders)) as own:
            DayKeys(self.folders).renew(own, self.db, self.clock.now())
        self.policy, self.keys = EncryptionPolicy(self.kind), Keyring(self.folders)

    def record(self, finished: bool = True, video: tuple[StreamInfo, Sequence[Packet]] | None = None,
               frame_us: int = FRAME_US) -> tuple[int, str, list[int]]:
        """A clip that begins now; its seq and name, and with how many bytes of the file each fragment was whole."""
        info, packets = video or movie()
        day = self.policy.day(self.folders)
        with transaction(self.db):
            seq, name = clips.open_row(self.db, "gate", "motion", self.clock.now(), info.codec, info.width, info.height,
                                       day.id if day else None)
        file = ClipFile(self.folders.part(seq, name), self.policy.encrypter(day, name))
        fragmenter, ends = Fragmenter(info, packets[0], 1_795_000_000_000, 60, 1.8), []
        file.append(fragmenter.head)
        for packet in packets:
            if fragment := fragmenter.add(packet):
                file.append(fragment, fragmenter.dur_us, fragmenter.frames_n)
                ends.append(file.size_b)
        if finished:
            tail, head = fragmenter.close(packets[-1].dts_us + frame_us)
            file.append(tail, fragmenter.dur_us, fragmenter.frames_n)
            file.finish(head, self.folders.clip(seq, name), fragmenter.dur_us, fragmenter.frames_n)
            with transaction(self.db):
                clips.finish(self.db, seq, "done", fragmenter.dur_us // 1000, file.size_b, fragmenter.frames_n)
        file.close()
        return seq, name, ends

    def frames(self, name: str, place: Path) -> int:
        """How many frames an export of that clip has."""
        found = clips.get(self.db, name)
        assert found is not None
        (film,) = write(prepare_clip(self.db, self.folders, found, self.keys.file_key), place, replace=True)
        return len(packets_of(film.path.read_bytes()))
