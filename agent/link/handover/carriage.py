"""Carries one file to the ward's intake, on a thread of its own, however often the line breaks."""
import contextlib
import functools
import logging
import random
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from agent.config.settings import Ward
from agent.core.backoff import Backoff, Waits
from agent.core.wire.handover import PIECE_B
from agent.host.broker.credentials import context
from agent.host.broker.fault import LinkFault
from agent.host.clock import Clock
from agent.link.handover.flow import Flow
from agent.link.handover.tus import Broken, Intake, Parcel, Turned

LOOK_S = 0.2                # while it is paused

_log = logging.getLogger(__name__)


class Stopped(Exception):
    """Nobody wants it carried any more."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """It is there; `receipt` is what the intake says about it, of which nothing is believed yet."""

    receipt: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never be taken."""

    code: str


class Carriage(threading.Thread):
    """One file's way. `outcome` is None until it is there, or will never be."""

    def __init__(self, ward: Ward, upload: str, parcel: Parcel, file: Path, share: float, clock: Clock,
                 waits: Waits) -> None:
        super().__init__(name="carriage", daemon=True)
        self._ward, self.upload, self.parcel, self._file = ward, upload, parcel, file
        self._clock, self._backoff = clock, Backoff(waits)
        self._flow = Flow(share, clock.mono_s)
        self._over, self._held = threading.Event(), threading.Event()
        self._socket: socket.socket | None = None
        self.sent_b = 0
        self.fault: str | None = None           # why it does not go on just now
        self._well_mono_s = clock.mono_s()      # when it went on last
        self.outcome: Arrived | Rejected | None = None
        self.start()

    @property
    def stuck_s(self) -> float:
        """Seconds since it went on, while something is wrong."""
        return self._clock.mono_s() - self._well_mono_s if self.fault else 0.0

    def hold(self, held: bool) -> None:
        """Wait, or go on: somebody else needs the line."""
        (self._held.set if held else self._held.clear)()

    def stop(self) -> None:
        """Give it up at once."""
        self._over.set()
        if (connected := self._socket) is not None:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Carry it."""
        while not self._over.is_set():
            began_mono_s, had_b = self._clock.mono_s(), self.sent_b
            try:
                self.outcome = self._try()
                return
            except Stopped:
                return
            except FileNotFoundError as error:
                self.outcome = Rejected("file")
                _log.error("%s: %s", self._file, error.strerror)
                return
            except (OSError, Broken, LinkFault) as error:
                self._wait(error, began_mono_s, went_on=self.sent_b > had_b)

    def _wait(self, error: Exception, began_mono_s: float, went_on: bool) -> None:
        backoff = Backoff(self._backoff.waits) if went_on else self._backoff
        self._backoff, wait_s = backoff.lost(self._clock.mono_s() - began_mono_s, random.random())
        self.fault = str(error)
        _log.warning("%s: %s; again in %.0f s", self.upload, error, wait_s)
        self._over.wait(wait_s)

    def _try(self) -> Arrived | Rejected:
        """One connection's work."""
        intake = Intake(self.upload, context(self._ward), self._connected)
        try:
            place = intake.create(self.parcel)
            self._send(intake, place)
            while not isinstance(told := intake.receipt(place), bytes):
                if self._over.wait(told):
                    raise Stopped
            return Arrived(told)
        except Turned as turned:
            return Rejected(str(turned))
        finally:
            self._socket = None
            intake.close()

    def _connected(self, connected: socket.socket) -> None:
        self._socket = connected
        self._flow.take(connected)
        self._may_go_on()

    def _send(self, intake: Intake, place: str) -> None:
        with self._file.open("rb") as file:
            self.sent_b = intake.offset_b(place)
            while self.sent_b < self.parcel.size_b:
                file.seek(self.sent_b)
                piece = file.read(PIECE_B)
                if not piece:
                    raise Broken("it says that it has more than there is")
                self.sent_b = intake.send(place, self.sent_b, piece,
                                          functools.partial(self._flow.send, may_go_on=self._may_go_on))
                self.fault, self._well_mono_s = None, self._clock.mono_s()

    def _may_go_on(self) -> None:
        while self._held.is_set() and not self._over.is_set():
            self._over.wait(LOOK_S)
        if self._over.is_set():
            raise Stopped


def give_up(ward: Ward, upload: str, request: str) -> None:
    """Have the intake forget what it has of this request; best effort, on a thread of its own."""
    def work() -> None:
        with contextlib.suppress(OSError, Broken, Turned, LinkFault):
            intake = Intake(upload, context(ward), lambda _: None)
            try:
                intake.forget(request)
            finally:
                intake.close()

    threading.Thread(target=work, name="give up", daemon=True).start()
