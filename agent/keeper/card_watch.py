"""The keeper's look at whether the card can be written at all; for one that can't be, it asks for a restart.

After a failed write to its journal a file system refuses everything until it is mounted anew: an error of seconds would
end recording until somebody comes. The bounds are in agent/core/card_ladder.py; root's unit acts, or does not.
"""
import logging
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.core.card_ladder import Licence
from agent.host import rescue
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.host.probes.file_system import errors_noted, is_aborted, refuses
from agent.keeper.canary import Canary
from agent.store.folders import Folders, VolumeGuard

FILE = "restart.json"           # in the keeper's folder: the licence
LARGEST_B = 4096
ASK_AGAIN_MS = 600_000
SUSPECT_EVERY_MS = 10_000       # the kernel's notes are read so often while the card is well
NOBODY = Licence(boot="?")      # of a file that can't be read: the day after it is not known

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class CardWatch:
    """Asked once a round; `may_restart` is the household's word, `requests` is where root looks for wishes."""

    folders: Folders
    may_restart: bool
    requests: Path = rescue.CARD_FOLDER
    root: Path = Path("/")
    canary: Canary = field(init=False)
    volume: VolumeGuard = field(init=False)
    _licence: Licence | None = field(default=None, init=False)
    _refused_since_ms: int | None = field(default=None, init=False)
    _asked_ms: int | None = field(default=None, init=False)
    _notes_due_ms: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """The page by which a card is found out that takes writes and keeps none, and whether it is the right one."""
        self.canary, self.volume = Canary(self.folders), VolumeGuard(self.folders)

    @property
    def refuses(self) -> bool:
        """Whether the card takes no new file, as it was when we looked."""
        return self._refused_since_ms is not None

    def look(self, now: Instant, failed: bool) -> None:
        """See to the licence while the card is well, else to a restart; `failed`: it has answered with an error."""
        licence = self._licence = self._licence or self._load()
        if not ((failed or self._is_suspect(licence, now)) and refuses(self.folders.root)):
            self._refused_since_ms = None
            if not failed and licence.is_due(now):
                self._write(now)
            return
        if self._refused_since_ms is None:
            self._refused_since_ms = now.mono_ms
        if licence.allows(self._refused_since_ms, now) and is_aborted(self.folders.root, self.root, licence.errors_n):
            self._ask(now)

    def _is_suspect(self, licence: Licence, now: Instant) -> bool:
        if self._refused_since_ms is not None:
            return True
        if now.mono_ms < self._notes_due_ms:
            return False
        self._notes_due_ms = now.mono_ms + SUSPECT_EVERY_MS
        return is_aborted(self.folders.root, self.root, licence.errors_n)

    def _ask(self, now: Instant) -> None:
        asked_lately = self._asked_ms is not None and now.mono_ms - self._asked_ms < ASK_AGAIN_MS
        if asked_lately or not self.may_restart or not self.requests.is_dir():
            return
        self._asked_ms = now.mono_ms
        _log.error("%s has refused all writing for minutes, after errors that the kernel noted: the machine restarts",
                   self.folders.root)
        try:
            rescue.ask(self.requests, "reboot", rescue.CARD, now)
        except OSError as error:
            _log.error("can't ask for a restart: %s", error)

    def _load(self) -> Licence:
        try:
            with (self.folders.keys / FILE).open("rb") as file:
                return msgspec.json.decode(file.read(LARGEST_B), type=Licence)
        except FileNotFoundError:
            return Licence()
        except (OSError, msgspec.DecodeError):
            return NOBODY

    def _write(self, now: Instant) -> None:
        licence = Licence(boot=now.boot, mono_ms=now.mono_ms, wall_ms=now.wall_ms, clock=now.clock,
                          errors_n=errors_noted(self.folders.root, self.root) or 0)
        try:
            self.folders.keys.mkdir(mode=0o700, exist_ok=True)
            write_durably(self.folders.keys / FILE, msgspec.json.encode(licence), mode=0o600)
            self._licence = licence
        except OSError as error:
            _log.warning("%s can't be written: %s", self.folders.keys / FILE, error.strerror)
