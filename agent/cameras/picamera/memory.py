"""What capture remembers of a Pi camera: its sensor's modes, and the view on which masks and zones were drawn.

A file for each camera in the store's folder `cameras`. A card that fails must not stop the video: what cannot be read
counts as not known, and what cannot be written is tried again when the camera opens again.
"""
import logging
import threading
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.cameras.picamera.sensor import Mode, SensorView
from agent.host.files import is_own, read_json, sync_folder, write_durably

LARGEST_B = 16_384

_log = logging.getLogger(__name__)


class Remembered(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """`origin` names the sensor and the versions that its modes depend on; `areas` is a digest of masks and zones."""

    origin: str = ""
    modes: tuple[Mode, ...] = ()
    areas: str = ""
    view: SensorView | None = None


class Memory:
    """The memory of one camera. Nothing here raises."""

    def __init__(self, folder: Path | None, camera: str) -> None:
        """Without a folder it lasts as long as this object."""
        self._path = folder / f"{camera}.sensor.json" if folder else None
        self.known = self._load()

    def keep(self, **changes: object) -> None:
        """Remembers these fields of `Remembered`."""
        known = replace(self.known, **changes)
        if known == self.known:
            return
        self.known = known
        if self._path is not None:      # in its own thread, because a card may hang
            threading.Thread(target=_save, args=(self._path, known), name="sensor memory", daemon=True).start()

    def _load(self) -> Remembered:
        try:
            if self._path is not None and is_own(self._path):
                return read_json(self._path, Remembered, LARGEST_B) or Remembered()
        except OSError as error:
            _log.warning("%s can't be read, so its view is believed: %s", self._path, error)
        return Remembered()


def _save(path: Path, known: Remembered) -> None:
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o750)
            sync_folder(path.parent.parent)
        write_durably(path, msgspec.json.encode(known))
    except OSError as error:
        _log.warning("%s can't be written: %s", path, error)
