"""Somebody who hears what capture processes tell of their cameras."""
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.contract.facts import Beat, CameraFacts
from agent.host.datagram import Inbox
from tests.rigs.wait import until


def camera(name: str, source: str, more: str = "") -> str:
    """A [[camera]] of the configuration."""
    return f'[[camera]]\nname = "{name}"\nsource = "{source}"\n{more}\n'


class Listener:
    """Hears what the capture processes tell of their cameras."""

    def __init__(self, runtime: Path) -> None:
        runtime.mkdir()
        self._inbox = Inbox(runtime, "link")
        self._facts: dict[str, CameraFacts] = {}

    def until(self, true: Callable[[CameraFacts], Any], *names: str) -> None:
        """Listen until this is true of the newest facts of all these cameras; older ones count no more."""
        self._facts.clear()
        until(lambda: self._all(true, names), f"of {', '.join(names)}")

    def _all(self, true: Callable[[CameraFacts], Any], names: tuple[str, ...]) -> bool:
        if isinstance(beat := self._inbox.receive(0.5), Beat):
            self._facts |= {facts.camera: facts for facts in beat.cameras}
        return all(name in self._facts and true(self._facts[name]) for name in names)
