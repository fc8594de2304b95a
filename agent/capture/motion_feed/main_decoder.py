"""Looks at a main stream in a thread of its own: keyframes in quiet times, every packet while there is a reason.

A large picture takes long to decode, and the thread that receives may receive for every camera in the house. In quiet
times only keyframes cross from one to the other, which is what makes it cheap.
"""
import logging
import threading

from agent.capture.motion_feed.decoder import Decoder
from agent.capture.motion_feed.gop_buffer import GopBuffer, TimedPacket
from agent.capture.pipe import Pipe
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.closer_look import CloserLook, GlancePace
from agent.core.vision.packet_sizes import PacketSizes
from agent.host.decoder import TooLarge
from agent.host.luma import luma_of

TELL_EVERY_S = 60.0

_log = logging.getLogger(__name__)


class MainDecoder:
    """One stream of one format, from the first packet that motion depends on to the last."""

    def __init__(self, info: StreamInfo, pipe: Pipe, now_mono_s: float) -> None:
        """Raises TooLarge."""
        self._pipe, self._decoder = pipe, Decoder(info)
        self._changed = threading.Condition()       # what follows is used by both threads
        self._sizes, self._closer, self._buffer = PacketSizes(), CloserLook(pipe.over_after_s, now_mono_s), GopBuffer()
        self._buffer.follow()
        self._pace = GlancePace()
        self._key: TimedPacket | None = None               # the newest keyframe, if nobody has glanced at it
        self._looked_key_mono_s: float | None = None    # when the keyframe came that a closer look goes on from
        self.over = False               # nothing is decoded any more
        self._told_n, self._told_mono_s = 0, now_mono_s

    def start(self) -> None:
        """Work in a thread of its own."""
        threading.Thread(target=self._run, name="main-decoder", daemon=True).start()

    # For the thread that receives.

    def offer(self, packet: Packet, mono_s: float) -> None:
        """The next packet, which came at `mono_s`."""
        with self._changed:
            # By the camera's own clock: packets come in handfuls, all at the same moment.
            excess = self._sizes.step(len(packet.data), packet.key, packet.dts_us / 1e6)
            timed = TimedPacket(packet, mono_s, begins=packet.key and self._pace.due(mono_s))
            self._buffer.push(timed)
            if self._closer.packet(packet.key, excess, mono_s):
                self._buffer.follow()
            elif timed.begins and not self._closer.wanted:
                self._key = timed
            if self._buffer.waiting or self._key is not None:
                self._changed.notify()
            if self._buffer.dropped_n > self._told_n:
                self._tell(mono_s)

    def _tell(self, mono_s: float) -> None:
        if mono_s - self._told_mono_s > TELL_EVERY_S:
            self._told_n, self._told_mono_s = self._buffer.dropped_n, mono_s
            _log.warning("this machine is too slow to decode every picture for motion (%d left out so far); set the "
                         "camera's sub to its small stream", self._told_n)

    def end(self) -> None:
        """Let go of every packet; the thread ends soon."""
        with self._changed:
            self.over = True
            self._buffer, self._key = GopBuffer(), None
            self._changed.notify()

    # For the thread of its own.

    def _run(self) -> None:
        while not self.over:
            with self._changed:
                self._changed.wait_for(lambda: self.over or self._key or self._buffer.waiting)
            try:
                self.step()
            except TooLarge as error:       # by itself it said otherwise
                self._pipe.watch.too_large = str(error)
                self.end()

    def step(self) -> bool:
        """Decode one packet, if there is a reason; whether there was."""
        with self._changed:
            key, self._key = self._key, None
            timed = self._buffer.next() if key is None else None
        if key is not None:
            self._glance(key)
        elif timed is not None:
            self._look(timed)
        return key is not None or timed is not None

    def _glance(self, key: TimedPacket) -> None:
        """Look at a keyframe. If there is more to see, what led to it comes first: the stretch that it ended."""
        picture = self._decoder.decode_alone(key.packet)
        if picture is None or self.over or not self._pipe.wants_luma(key.mono_s):
            return
        luma = luma_of(picture, key.mono_s, key.mono_s)
        look = self._pipe.watch.peek(luma)
        with self._changed:
            if self._closer.keyframe(look, key.mono_s):
                self._buffer.follow(before=True)
                return
        self._pipe.luma(luma)

    def _look(self, timed: TimedPacket) -> None:
        """Decode a packet during a closer look, and show the detector as many pictures as it wants."""
        picture = self._decoder.decode(timed.packet)
        if timed.packet.key:
            self._looked_key_mono_s = timed.mono_s
        if picture is None or self.over or not self._pipe.wants_luma(timed.mono_s):
            return
        look = self._pipe.luma(luma_of(picture, timed.mono_s, self._looked_key_mono_s))
        with self._changed:
            self._closer.looked(look, timed.mono_s)
            if not self._closer.wanted:
                self._buffer.stop()
