"""Has what a recorder writes encrypted for the day's key, if the household wants that and this board can afford it."""
import logging
import time
from typing import TYPE_CHECKING, Literal

from agent.core.evidence.encrypted import AES_GCM, CHACHA
from agent.host import board
from agent.store.encryption.file_keys import PublicDay, living
from agent.store.folders import Folders

if TYPE_CHECKING:
    from agent.store.encryption.ciphers import Encrypter

# Of a core's time for a megabyte: at 4 Mbit/s it is half a per cent of a core.
AFFORDABLE_S = 0.010
SAMPLE_B, TRIES_N = 250_000, 3

_log = logging.getLogger(__name__)


class EncryptionPolicy:
    """The policy of one process: `kind` is the cipher (core.evidence.encrypted), None where nothing is encrypted."""

    def __init__(self, kind: int | None = None) -> None:
        self._kind = kind
        self._missed = False

    def day(self, folders: Folders) -> PublicDay | None:
        """The key for which to encrypt what is written now. Raises OSError.

        None also where the keeper has not made one yet, as in the first seconds of a new device: then recording goes
        first.
        """
        if self._kind is None:
            return None
        found = next(reversed(living(folders)), None)
        if found is None and not self._missed:
            _log.warning("there is no key yet to encrypt for; until the keeper has made one, clips are as they are")
        self._missed = found is None
        return found

    def encrypter(self, day: PublicDay | None, name: str) -> "Encrypter | None":
        """What encrypts the clip of that name; None where it is not encrypted."""
        if day is None or self._kind is None:
            return None
        from agent.store.encryption.ciphers import Encrypter  # only here: see clear_file.py

        return Encrypter(self._kind, day.id, day.public, name)

    def picture(self, day: PublicDay | None, data: bytes, name: str) -> bytes:
        """A small file of that name, as it is to lie on the card."""
        encrypter = self.encrypter(day, name)
        return data if encrypter is None else b"".join((encrypter.head, *encrypter.body(data)))


def choose_policy(encrypt: Literal["auto", "on", "off"]) -> EncryptionPolicy:
    """The policy for this setting on this board: "auto" encrypts where a megabyte takes less than `AFFORDABLE_S`."""
    if encrypt == "off":
        return EncryptionPolicy()
    kind = AES_GCM if board.has_aes() else CHACHA
    if encrypt == "auto" and (took_s := _takes_s(kind)) > AFFORDABLE_S:
        _log.info("recordings are not encrypted: a megabyte would take %.0f ms of this processor; "
                  "[store] encrypt = \"on\" does it all the same", took_s * 1000)
        return EncryptionPolicy()
    return EncryptionPolicy(kind)


def _takes_s(kind: int) -> float:
    """Processor time for a megabyte in pieces like fragments: the best of a few, as others may be busy, too."""
    from agent.store.encryption.ciphers import KEY_B, NONCE_B, cipher

    lock, data, best_s = cipher(kind, bytes(KEY_B)), bytes(SAMPLE_B), float("inf")
    for _ in range(TRIES_N):
        began_s = time.thread_time()
        lock.encrypt(bytes(NONCE_B), data, None)
        best_s = min(best_s, time.thread_time() - began_s)
    return best_s * 1_000_000 / SAMPLE_B
