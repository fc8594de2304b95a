"""One life of a recorder on a logged card, watched from outside."""
import contextlib
import math
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.store import identity
from tests.rigs.powercut import card
from tests.rigs.powercut.cable import Cable, WardEnd
from tests.rigs.powercut.disk import Disk, logged_disk, plugged_in
from tests.rigs.powercut.log import copy
from tests.rigs.powercut.recorder import OLD_S, STORE, Recorder
from tests.rigs.powercut.witness import Act, Promises
from tests.rigs.ward.orders import Orders

NOBODY = "c-000000000000"           # a device that has no name yet
AGAIN_S = 30.0                      # from a well card to a recording
PATIENCE_S = 240.0                  # what is not back by then needs somebody


@dataclass(slots=True)
class Life:
    """A recorder that is on, and all that stands around it."""

    folder: Path
    film: Path
    cable: Cable
    ward: WardEnd
    dev: str
    start: Path                     # what the card had at first
    disk: Disk
    recorder: Recorder
    dice: random.Random
    orders: Orders
    line: contextlib.ExitStack      # to the ward
    promises: Promises
    trouble: Callable[[], None] = lambda: None
    again_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _heard: dict[int, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    cut_b: int = 0                  # how long the log was at the cut
    span_b: tuple[int, int] = (0, 0)        # of the log, in which cuts are of interest

    def act(self, what: str, subject: str) -> None:
        """Note that somebody has been told that this is done."""
        self.promises.acts.append(Act(what, subject, self.disk.log_b()))

    @contextlib.contextmanager
    def of_interest(self) -> Iterator[None]:
        """Cuts are to fall into what is done meanwhile, or the trouble, which is over afterwards."""
        begin_b = self.disk.log_b()
        with ThreadPoolExecutor() as beside:
            comes = beside.submit(self.trouble)
            try:
                yield
            finally:
                comes.result()
                self.span_b = begin_b, self.disk.log_b()

    def switch_on(self, up_s: float = OLD_S) -> None:
        """Have it record. Raises NeedsPerson."""
        self.recorder.switch_on(up_s)
        self.recorder.until_recording(PATIENCE_S)
        self.recorder.until(lambda: self.orders.ward.last("/birth"), "the ward sees it", PATIENCE_S)

    def well_again(self) -> None:
        """The card is well from now on: note how long it takes until all cameras are recorded. Raises NeedsPerson."""
        self.again_s.append(self.recorder.until_recording(PATIENCE_S))

    def heard(self, before_s: float = math.inf) -> dict[int, dict[str, Any]]:
        """What the ward had received by that boot-time second, by number."""
        return {seq: event for seq, (came_s, event) in self._heard.items() if came_s <= before_s}

    def listen_in(self) -> None:
        """Note what the ward has received so far."""
        came_s = self.orders.ward.came_s
        self._heard = {event["seq"]: (came_s[event["seq"]], event) for event in self.orders.ward.events()}

    def cut(self) -> None:
        """The power goes."""
        self.cut_b = self.recorder.cut()
        self.listen_in()
        if not self.span_b[1]:
            self.span_b = self.span_b[0], self.cut_b


@contextlib.contextmanager
def life(folder: Path, base: Path, film: Path, cable: Cable, dice: random.Random,
         prepare: Callable[[Path], None] = lambda root: None, settings: bool = True) -> Iterator[Life]:
    """A recorder that is still off, on a copy of `base`; `prepare` may change what the card has, at its root.

    All of it is deleted afterwards.
    """
    folder.mkdir(parents=True)
    start = folder / "start"
    copy(base, start, card.SIZE_B)
    with WardEnd(folder, cable) as ward:
        with plugged_in(start, folder / "prepared"):
            root = folder / "prepared"
            with contextlib.suppress(OSError):
                dev = identity.named(root / STORE)
            dev = dev or NOBODY
            if settings:
                (root / card.SETTINGS).write_text(card.config(ward.furnish(root, dev)))
            prepare(root)
        promises = Promises()
        with (logged_disk(folder / "disk", card.SIZE_B, image=start) as disk,
              contextlib.ExitStack() as line,
              Recorder(disk, folder, cable, promises, film) as recorder):
            orders = line.enter_context(ward.listening(folder / "ward", dev))
            yield Life(folder, film, cable, ward, dev, start, disk, recorder, dice, orders, line, promises)
    shutil.rmtree(folder)               # 3 GB, and there are fifty of them in a campaign
