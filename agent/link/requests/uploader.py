"""Uploads one file to the ward's intake on a thread of its own, and tries again as often as the line breaks."""
import contextlib
import functools
import logging
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.config.settings import Ward
from agent.core.contract.wire.requests import PIECE_B
from agent.core.delivery.backoff import Backoff, Waits
from agent.core.delivery.uplink import LineSample, Uplink
from agent.host.clock import Clock
from agent.host.files import open_plain
from agent.link.requests.tus import TusClient, Upload, UploadBroken, UploadRefused
from agent.mqtt.credentials import context
from agent.mqtt.fault import LinkFault

RECORD_B = 16 << 10              # a TLS record: at a stop, the kernel holds at most so much unsent
UNSENT_B = 32 << 10
SO_MAX_PACING_RATE = 47         # not in Python's socket module
TCP_NOTSENT_LOWAT = 25
# struct tcp_info of linux/tcp.h, up to where its fields have been since 4.9: rtt, min_rtt in µs, delivery_rate in B/s.
INFO_B, RTT, MIN_RTT, DELIVERY_RATE = 168, 68, 148, 160


class PacedSocket:
    """Sends at a pace that leaves room on the line. It outlives connections, so that its measurements stay."""

    def __init__(self, share: float, mono_s: Callable[[], float]) -> None:
        """`share` of the line may be used, 0..1."""
        self._uplink, self._mono_s = Uplink(share), mono_s
        self._socket: socket.socket | None = None

    def use(self, connected: socket.socket) -> None:
        """Sends on this connection from now on. Raises OSError."""
        self._socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_B)
        self._pace(connected)

    def send(self, data: bytes, send: Callable[[memoryview], object], may_go_on: Callable[[], None]) -> None:
        """Passes the data to `send` record by record; before each, `may_go_on` waits or raises."""
        with memoryview(data) as rest:
            for at in range(0, len(rest), RECORD_B):
                may_go_on()
                send(rest[at:at + RECORD_B])
                self._look()

    def _look(self) -> None:
        assert self._socket is not None
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_B)
        if len(info) < INFO_B:
            return
        (rtt_us,), (base_us,) = struct.unpack_from("=I", info, RTT), struct.unpack_from("=I", info, MIN_RTT)
        (arrives_b_s,) = struct.unpack_from("=Q", info, DELIVERY_RATE)
        self._uplink.see(self._mono_s(), LineSample(rtt_us / 1e6, base_us / 1e6, float(arrives_b_s)))
        self._pace(self._socket)

    def _pace(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, int(self._uplink.rate_b_s))


LOOK_S = 0.2                # while it is paused
FORGET_WAITS_S = (0.0, 2.0, 30.0)

_log = logging.getLogger(__name__)


class UploadStopped(Exception):
    """The owner has stopped the upload."""


@dataclass(frozen=True, slots=True)
class UploadDone:
    """The intake has the file; its `receipt` is not yet checked."""

    receipt: bytes


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """The intake refuses the file, or there is no file."""

    code: str


class Uploader(threading.Thread):
    """Uploads one file. `outcome` is None until the intake has it, or never will."""

    def __init__(self, ward: Ward, url: str, upload: Upload, *, file: Path, share: float, clock: Clock,
                 waits: Waits) -> None:
        super().__init__(name="upload", daemon=True)
        self._ward, self.url, self.upload, self._file = ward, url, upload, file
        self._clock, self._backoff = clock, Backoff(waits)
        self._flow = PacedSocket(share, clock.mono_s)
        self._over, self._held = threading.Event(), threading.Event()
        self._socket: socket.socket | None = None
        self.sent_b = 0
        self.fault: str | None = None           # why it makes no progress now
        self._progress_mono_s = clock.mono_s()      # of the last progress
        self.outcome: UploadDone | NotAccepted | None = None
        self.start()

    @property
    def stuck_s(self) -> float:
        """Seconds without progress, while there is a fault."""
        return self._clock.mono_s() - self._progress_mono_s if self.fault else 0.0

    def hold(self, held: bool) -> None:
        (self._held.set if held else self._held.clear)()

    def stop(self) -> None:
        self._over.set()
        if (connected := self._socket) is not None:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        while not self._over.is_set():
            began_mono_s, had_b = self._clock.mono_s(), self.sent_b
            try:
                self.outcome = self._try()
                return
            except UploadStopped:
                return
            except FileNotFoundError as error:
                self.outcome = NotAccepted("file")
                _log.error("%s: %s", self._file, error.strerror)
                return
            except (OSError, UploadBroken, LinkFault) as error:
                self._wait(error, began_mono_s, went_on=self.sent_b > had_b)

    def _wait(self, error: Exception, began_mono_s: float, went_on: bool) -> None:
        backoff = Backoff(self._backoff.waits) if went_on else self._backoff
        self._backoff, wait_s = backoff.lost(self._clock.mono_s() - began_mono_s, random.random())
        self.fault = str(error)
        _log.warning("%s: %s; again in %.0f s", self.url, error, wait_s)
        self._over.wait(wait_s)

    def _try(self) -> UploadDone | NotAccepted:
        intake = TusClient(self.url, context(self._ward), self._connected)
        try:
            place = intake.create(self.upload)
            self._send(intake, place)
            while not isinstance(answer := intake.receipt(place), bytes):
                if self._over.wait(answer):
                    raise UploadStopped
            return UploadDone(answer)
        except UploadRefused as refused:
            return NotAccepted(str(refused))
        finally:
            self._socket = None
            intake.close()

    def _connected(self, connected: socket.socket) -> None:
        self._socket = connected
        self._flow.use(connected)
        self._may_go_on()

    def _send(self, intake: TusClient, place: str) -> None:
        with os.fdopen(open_plain(self._file), "rb") as file:
            self.sent_b = intake.offset_b(place)
            while self.sent_b < self.upload.size_b:
                file.seek(self.sent_b)
                piece = file.read(PIECE_B)
                if not piece:
                    raise UploadBroken("it says that it has more than there is")
                self.sent_b = intake.send(place, self.sent_b, piece,
                                          functools.partial(self._flow.send, may_go_on=self._may_go_on))
                self.fault, self._progress_mono_s = None, self._clock.mono_s()

    def _may_go_on(self) -> None:
        while self._held.is_set() and not self._over.is_set():
            self._over.wait(LOOK_S)
        if self._over.is_set():
            raise UploadStopped


def give_up(ward: Ward, uploader: Uploader) -> None:
    """Asks the intake to delete all bytes of a stopped upload; best effort, on a thread of its own.

    It asks only after the upload has ended: an announcement that is still under way would bring the upload back.
    """
    def work() -> None:
        uploader.join()
        for wait_s in FORGET_WAITS_S:
            time.sleep(wait_s)
            try:
                intake = TusClient(uploader.url, context(ward), lambda _: None)
                with contextlib.closing(intake):
                    intake.forget(uploader.upload.request)
                return
            except (OSError, UploadBroken, UploadRefused, LinkFault) as error:
                _log.warning("%s does not forget a stopped upload: %s", uploader.url, error)

    threading.Thread(target=work, name="give up", daemon=True).start()
