"""How a reader gets a file's key: with the household's key, from the keeper's files if it may read them, or from the
keeper.
"""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.core.evidence.encrypted import DamagedError, FileHead, LockedError
from agent.host.runtime import KEYS
from agent.host.sockets import ask
from agent.store.encryption.days import private_file
from agent.store.folders import Folders

SOCKET = f"{KEYS}/desk.sock"    # where the keeper is asked, in the runtime folder
QUESTION_B_MAX = 1024
ANSWER_B_MAX = 1024
PATIENCE_S = 3.0
Household = Callable[[int], bytes]      # the private half of a day's key; raises LockedError


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
            answer = _ask(self.runtime / SOCKET, KeyQuestion(head.day, head.ephemeral, head.wrapped, name))
        except (OSError, msgspec.DecodeError) as error:
            raise LockedError(f"{name} is encrypted, and the keeper, who has its key, does not answer ({error}): "
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


def _ask(path: Path, question: KeyQuestion) -> KeyAnswer:
    data = ask(path, msgspec.json.encode(question) + b"\n", timeout_s=PATIENCE_S, answer_b_max=ANSWER_B_MAX)
    return msgspec.json.decode(data, type=KeyAnswer)
