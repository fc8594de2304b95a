"""Encryption for named recipients in the format of age (https://age-encryption.org): only their keys open it."""
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Protocol

from agent.store.export.errors import ExportError


class Readable(Protocol):
    """A source of bytes."""

    def read(self, size_b: int = -1) -> bytes:
        """Returns the next bytes, b"" at the end."""


def listed(path: Path) -> list[str]:
    """Reads the recipients in a file: one per line, # begins a comment. Raises ExportError."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path}: {getattr(error, 'strerror', None) or 'is no text'}; a file of recipients has an "
                          "age1... or ssh-ed25519 key a line") from error
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ExportError(f"{path} names no recipient: write an age1... or ssh-ed25519 key on a line of its own")
    return found


def demand_keys(recipients: Sequence[str]) -> None:
    """Raises ExportError, which names the recipient that is not a key."""
    _keys(recipients)


def seal(source: Readable, target: BinaryIO, recipients: Sequence[str]) -> None:
    """Writes all of `source` to `target`, so that each recipient can open it. Raises ExportError, and errors of reading
    and writing.
    """
    ends = _Ends(source, target)
    try:
        _pyrage().encrypt_io(ends, ends, _keys(recipients))
    except _pyrage().EncryptError:
        if ends.error is None:
            raise
        raise ends.error from None


class _Ends:
    """Both ends at once. The library passes on only the text of their errors, so they are kept here."""

    def __init__(self, source: Readable, target: BinaryIO) -> None:
        self._source, self._target = source, target
        self.error: Exception | None = None

    def read(self, size_b: int = -1) -> bytes:
        with self._kept():
            return self._source.read(size_b)

    def write(self, data: bytes) -> int:
        with self._kept():
            return self._target.write(data)

    def flush(self) -> None:
        with self._kept():
            self._target.flush()

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise


def _keys(recipients: Sequence[str]) -> list[object]:
    return [_key(text) for text in recipients]


def _key(text: str) -> object:
    pyrage = _pyrage()
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise ExportError(f"{text} is no key to seal for ({error}): a recipient's public key begins with age1 "
                          "(age-keygen prints it) or ssh-ed25519") from error


def _pyrage() -> ModuleType:
    """The library is optional."""
    try:
        import pyrage
    except ImportError as error:
        raise ExportError("to seal an export the Python package pyrage is needed: pip install pyrage, or "
                          "export without recipients and seal it elsewhere with age") from error
    return pyrage
