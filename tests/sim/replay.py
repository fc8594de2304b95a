"""Lets a simulated card go through the calls that a program made, and stops at every index."""
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.sim.card import Card, File
from tests.sim.tape import Call

KEEP_SIZE = "FALLOC_FL_KEEP_SIZE"


class Index(NamedTuple):
    """The card has just taken this."""

    call: str
    path: str


class Mark(NamedTuple):
    """What is committed by now was acknowledged; it is this late."""

    mono_s: float


class Unknown(Exception):
    """The card was asked for something that the model does not know."""


@dataclass(slots=True)
class Handle:
    """An open file or folder."""

    path: str
    file: File | None
    offset: int = 0


class Replay:
    """One program's calls on the card whose folder is `place`/`store`, with marks in `place`/`marks`."""

    def __init__(self, place: Path, store: str, marks: str, card: Card | None = None) -> None:
        """`card` is what is there before the first call; None: nothing."""
        self.card = card or Card()
        self._root, self._marks = str(place / store), str(place / marks)
        self._handles: dict[int, Handle] = {}
        self._marks_handle: int | None = None

    def run(self, calls: Iterable[Call]) -> Iterator[Index | Mark]:
        """Do the calls one by one; gives those that concern the card once they are done, and the marks."""
        for call in calls:
            handled = self._by_path(call) if call.name in PATHS else self._by_handle(call)
            if handled is not None:
                yield handled

    def _inside(self, path: str) -> str | None:
        """The path on the card; None if it is not on it."""
        path = os.path.normpath(path)
        return path[len(self._root) + 1:] if f"{path}/".startswith(f"{self._root}/") else None

    def _by_path(self, call: Call) -> Index | None:
        texts = [call.text(number) for number, arg in enumerate(call.args) if arg.startswith('"')]
        if call.name == "openat" and texts[0] == self._marks:
            self._marks_handle = call.result
        paths = [path for text in texts if (path := self._inside(text)) is not None]
        if not paths:
            return None
        if call.name in ("rename", "unlink", "mkdir", "openat") and len(paths) == len(texts):
            return self._change(call, *paths)
        raise Unknown(f"{call.name} {paths}")

    def _change(self, call: Call, path: str, target: str = "") -> Index | None:
        if call.name == "openat":
            return self._open(call, path)
        if call.name == "rename":
            self.card.rename(path, target)
        elif call.name == "unlink":
            self.card.remove(path)
        elif path:
            self.card.make(path, folder=True)
        return Index(call.name, target or path)

    def _open(self, call: Call, path: str) -> Index | None:
        flags, is_new = call.args[2].split("|"), path not in self.card.names
        if is_new:
            self.card.make(path)
        file = self.card.names[path]
        self._handles[call.result] = Handle(path, file)
        if file is not None and "O_TRUNC" in flags:
            self.card.resize(file, 0)
        return Index("open", path) if is_new or "O_TRUNC" in flags else None

    def _by_handle(self, call: Call) -> Index | Mark | None:
        if not call.args[0].isdecimal():
            return None
        number = call.number(0)
        if number == self._marks_handle:
            return Mark(call.number(1) / 1000) if call.name == "ftruncate" else None
        if call.name == "close":
            self._handles.pop(number, None)
        handle = self._handles.get(number)
        if handle is None:
            return None
        if call.name == "lseek":
            handle.offset = call.result
            return None
        self._work(call, handle)
        return Index(call.name, handle.path)

    def _work(self, call: Call, handle: Handle) -> None:
        card, file = self.card, handle.file
        if call.name in ("fsync", "fdatasync"):
            card.flush(handle.path if file is None else file)
        elif file is None:
            raise Unknown(f"{call.name} {handle.path}")
        elif call.name == "pwrite64":
            card.write(file, call.number(3), call.data(1)[:call.result])
        elif call.name == "pwritev2":
            card.write(file, call.number(-2), call.pieces()[:call.result])
            if "SYNC" in call.args[-1]:
                card.flush(file)
        elif call.name in ("write", "writev"):
            data = call.data(1) if call.name == "write" else call.pieces()
            card.write(file, handle.offset, data[:call.result])
            handle.offset += call.result
        elif call.name == "ftruncate":
            card.resize(file, call.number(1))
        elif call.name == "fallocate":
            if call.args[1] != KEEP_SIZE:
                card.resize(file, max(len(file.seen), call.number(2) + call.number(3)))
        else:
            raise Unknown(f"{call.name} {handle.path}")


PATHS = {"open", "openat", "openat2", "creat", "truncate", "rename", "renameat", "renameat2", "link", "linkat",
         "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"}
