"""Day keys as all roles know them, and how a reader gets a file's key.

The file of day keys, which only the keeper writes, has their public halves. A recorder encrypts for the newest one.
Beside each lies its private half, wrapped for the household's key, so that a card can be opened without the device. A
reader uses the household's key, the keeper's files if it may read them, or asks the keeper.
"""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.evidence.encrypted import DamagedError, FileHead, LockedError
from agent.host.files import write_durably
from agent.host.runtime import KEYS
from agent.host.sockets import ask
from agent.store.folders import Folders

FOLDER = "days"
SOCKET = f"{KEYS}/desk.sock"    # the keeper's, in the runtime folder
QUESTION_B_MAX = 1024
ANSWER_B_MAX = 1024
PATIENCE_S = 3.0
Household = Callable[[int], bytes]      # returns the private half of a day's key; raises LockedError


class PublicDay(msgspec.Struct, frozen=True, omit_defaults=True):
    """One day's key."""

    id: int
    public: bytes                       # X25519
    for_household: bytes | None = None  # the private half, wrapped for the household's key


_decoder = msgspec.json.Decoder(list[PublicDay])


def private_file(keys: Path, day: int) -> Path:
    """Returns the path of a day's private half."""
    return keys / FOLDER / f"{day:06d}.key"


def public_file(folders: Folders) -> Path:
    return folders.household / "days.json"


def living(folders: Folders) -> list[PublicDay]:
    """Lists the days whose keys still exist, oldest first. Raises OSError, also if the file is not ours."""
    try:
        return _decoder.decode(public_file(folders).read_bytes())
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise OSError(0, f"the keys of days can't be read: {error}", str(public_file(folders))) from error


def publish(folders: Folders, days: list[PublicDay]) -> None:
    """Writes the list of days durably. Raises OSError."""
    public_file(folders).parent.mkdir(mode=0o750, exist_ok=True)
    write_durably(public_file(folders), msgspec.json.encode(days), 0o640)


class KeyQuestion(msgspec.Struct):
    """A file's head and name, sent to the keeper."""

    day: int
    ephemeral: bytes
    wrapped: bytes
    name: str


class KeyAnswer(msgspec.Struct, omit_defaults=True):
    """The file's key, or the reason why it is missing: "damaged", or "gone" if the day's key was destroyed."""

    key: bytes = b""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Finds the keys of one store's files. Without `runtime` it does not ask the keeper."""

    folders: Folders
    runtime: Path | None = None
    household: Household | None = None

    def file_key(self, head: FileHead, name: str) -> bytes:
        """Raises LockedError and DamagedError."""
        if self.household is not None:
            return _unwrapped(head, self.household(head.day), name)
        try:
            return _unwrapped(head, private_file(self.folders.keys, head.day).read_bytes(), name)
        except OSError as error:
            return self._asked(head, name, error.strerror or str(error))

    def _asked(self, head: FileHead, name: str, reason: str) -> bytes:
        if self.runtime is None:
            raise LockedError(f"{name} is encrypted, and its day's key can't be read here ({reason}): try it as root, "
                              "or with the household's key (--household-key)")
        try:
            question = msgspec.json.encode(KeyQuestion(head.day, head.ephemeral, head.wrapped, name)) + b"\n"
            answer = msgspec.json.decode(ask(self.runtime / SOCKET, question, timeout_s=PATIENCE_S,
                                             answer_b_max=ANSWER_B_MAX), type=KeyAnswer)
        except (OSError, msgspec.DecodeError) as error:
            raise LockedError(f"{name} is encrypted, and the keeper, which has its key, does not answer ({error}): "
                              "is it running (systemctl status taimat-keeper)? Else try it as root, or with the "
                              "household's key (--household-key)") from error
        if answer.why == "gone":
            raise LockedError(f"{name} is encrypted, and the key of its day was destroyed: it was erased")
        if answer.why:
            raise DamagedError(f"{name}: {answer.why}")
        return answer.key


def _unwrapped(head: FileHead, private: bytes, name: str) -> bytes:
    from agent.store.encryption.ciphers import file_key  # only here: see clear_file.py

    return file_key(head, private, name)
