"""A camera that only exists on its live socket: real H.264, offered through capture's own door, in real time."""
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agent.capture.sockets import LiveSocket
from agent.core.media.model import Packet, StreamInfo
from agent.host.runtime import camera_socket


class LiveCam:
    """Repeats `packets` without a break until closed; `hold` makes it silent, as a camera that hangs."""

    def __init__(self, runtime: Path, camera: str, info: StreamInfo, packets: Sequence[Packet], frame_us: int) -> None:
        self.live = LiveSocket(camera_socket(runtime, "live", camera))
        self._packets, self._frame_us = packets, frame_us
        self._end = threading.Event()
        self.hold = threading.Event()
        self.live.stream(info)
        self._thread = threading.Thread(target=self._run, name=f"livecam-{camera}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        start_us, sent_n = time.monotonic_ns() // 1000, 0
        while not self._end.is_set():
            pts_us = start_us + sent_n * self._frame_us
            if not self.hold.is_set():
                self.live.packet(replace(self._packets[sent_n % len(self._packets)], pts_us=pts_us, dts_us=pts_us))
            sent_n += 1
            self._end.wait(max(0.0, (start_us + sent_n * self._frame_us) / 1e6 - time.monotonic()))

    def close(self) -> None:
        """Switch the camera off."""
        self._end.set()
        self._thread.join()
        self.live.close()
