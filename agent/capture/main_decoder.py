"""Decodes a main stream for motion in a thread of its own: keyframes while it is quiet, otherwise every packet.

A large picture takes long to decode, and the thread that receives may serve every camera in the house. While it is
quiet, only keyframes cross between the threads, which makes that cheap.
"""
import logging
import threading
from typing import NamedTuple

import av

from agent.capture.pipe import Pipe
from agent.core.media.gop_queue import GopQueue
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.closer_look import GLANCE_SMALL_WITHIN_S, GLANCE_WITHIN_S, CloserLook, GlancePace
from agent.core.vision.luma import Luma
from agent.core.vision.packet_sizes import PacketSizes
from agent.host.decoder import BoundedDecoder, TooLarge, Undecodable
from agent.host.luma import LOOKING, luma_of

PACKETS_MAX, BYTES_MAX = 600, 8 << 20       # of what is kept, and of what waits; the ring holds the same bytes
WARN_EVERY_S = 60.0

_log = logging.getLogger(__name__)


class TimedPacket(NamedTuple):
    packet: Packet
    mono_s: float
    begins: bool = False


class GopBuffer:
    """The newest stretch of a stream and the one before, and the packets of them that wait for the decoder.

    A stretch lies between two keyframes that may be looked at: a GOP, or some short ones. The buffer is bounded and
    never blocks; its owner locks.
    """

    def __init__(self) -> None:
        self._before: list[TimedPacket] = []
        self._newest: list[TimedPacket] = []
        self._newest_b = 0
        self._holding = False           # from the first keyframe on, unless a stretch is too long to keep
        self._waiting: GopQueue[TimedPacket] = GopQueue(
            lambda timed: len(timed.packet.data), BYTES_MAX, PACKETS_MAX)
        self.following = False          # whether new packets are decoded

    @property
    def dropped_n(self) -> int:
        return self._waiting.dropped_n

    def push(self, timed: TimedPacket) -> None:
        """Keeps the next packet, and queues it for the decoder while that follows."""
        if timed.begins:
            self._before, self._newest, self._newest_b, self._holding = self._newest, [], 0, True
        if self._holding:
            self._newest.append(timed)
            self._newest_b += len(timed.packet.data)
            if len(self._newest) > PACKETS_MAX or self._newest_b > BYTES_MAX:
                self._before, self._newest, self._holding = [], [], False
        if self.following:
            if timed.begins and any(waiting.begins for waiting in self._waiting):
                self._waiting.forget()      # a decoder that is a whole stretch late continues with the newest
            self._waiting.offer(timed, timed.packet.key)

    def follow(self, before: bool = False) -> None:
        """Decodes from the newest stretch on, or from the one before if `before`."""
        self.following = True
        self._waiting.refill((self._before if before else []) + self._newest)

    def stop(self) -> None:
        self.following = False
        self._waiting.refill(())

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def next(self) -> TimedPacket | None:
        return self._waiting.pop() if self._waiting else None


class Decoder:
    """Decodes one stream for motion. It begins with a keyframe, and after damage with the next. Raises TooLarge."""

    def __init__(self, info: StreamInfo, small: bool = False) -> None:
        """A `small` decoder refuses large pictures."""
        self._codec = BoundedDecoder(info, LOOKING, small=small)
        self._whole = False

    def decode(self, packet: Packet) -> av.VideoFrame | None:
        """Returns the newest complete picture, with B-frames that of an earlier packet; None if there is none."""
        self._whole = self._whole or packet.key
        return self._through(packet) if self._whole else None

    def decode_alone(self, packet: Packet) -> av.VideoFrame | None:
        """Returns a keyframe's own picture at once. The next packet must be a keyframe."""
        self._codec.flush()             # an earlier picture may have left something in it
        picture = self._through(packet)
        picture = self._through(None) or picture
        self._codec.flush()             # the decoder has been ended
        self._whole = False
        return picture

    def _through(self, packet: Packet | None) -> av.VideoFrame | None:
        try:
            frames = self._codec.decode(packet)
        except Undecodable as error:
            _log.debug("a picture cannot be decoded: %s", error)
            self._whole = False
            return None
        return frames[-1] if frames else None


class LookDecoder:
    """Decodes one stream of one format from the first packet that motion depends on to the last."""

    def __init__(self, info: StreamInfo, pipe: Pipe, closer: CloserLook, *, small: bool = False) -> None:
        """Raises TooLarge."""
        self._pipe, self._closer, self._decoder = pipe, closer, Decoder(info, small)
        self._changed = threading.Condition()       # guards what two threads may use: `_closer`, and the next three
        self._buffer, self._pace = GopBuffer(), GlancePace(GLANCE_SMALL_WITHIN_S if small else GLANCE_WITHIN_S)
        self._buffer.follow()
        self._key: TimedPacket | None = None            # the newest keyframe, until the decoder has glanced at it
        self._looked_key_mono_s: float | None = None    # when the latest keyframe of a closer look came
        self.over = False               # the decoding has ended

    def step(self) -> bool:
        """Decodes one packet, if there is a reason to; whether there was."""
        with self._changed:
            key, self._key = self._key, None
            timed = self._buffer.next() if key is None else None
        if key is not None:
            self._glance(key)
        elif timed is not None:
            self._look(timed)
        return key is not None or timed is not None

    def _glance(self, key: TimedPacket) -> None:
        """Looks at a keyframe. If there is more to see, it first goes back to the stretch that this keyframe ended."""
        luma = self._luma(key, self._decoder.decode_alone(key.packet))
        if luma is None:
            return
        look = self._pipe.watch.peek(luma)
        with self._changed:
            if self._closer.keyframe(look, key.mono_s):
                self._buffer.follow(before=True)
                return
        self._pipe.luma(luma)

    def _look(self, timed: TimedPacket) -> None:
        luma = self._luma(timed, self._decoder.decode(timed.packet))
        if luma is None:
            return
        look = self._pipe.luma(luma)
        with self._changed:
            if self._closer.wanted:
                self._closer.looked(look, timed.mono_s)
            else:
                self._closer.keyframe(look, timed.mono_s)
            if not self._closer.wanted and self._skips:
                self._buffer.stop()

    @property
    def _skips(self) -> bool:
        """Whether keyframes are enough while nothing happens."""
        return True

    def _luma(self, timed: TimedPacket, picture: av.VideoFrame | None) -> Luma | None:
        """Returns a decoded picture if motion wants it."""
        if timed.packet.key:
            self._looked_key_mono_s = timed.mono_s
        if picture is None or self.over or not self._wants(timed):
            return None
        return luma_of(picture, timed.mono_s, self._looked_key_mono_s)

    def _wants(self, timed: TimedPacket) -> bool:
        return self._pipe.wants_luma(timed.mono_s)


class MainDecoder(LookDecoder):
    """Decodes a main stream in a thread of its own."""

    def __init__(self, info: StreamInfo, pipe: Pipe, now_mono_s: float) -> None:
        """Raises TooLarge."""
        super().__init__(info, pipe, CloserLook(pipe.over_after_s, now_mono_s))
        self._sizes = PacketSizes()
        self._warned_n, self._warned_mono_s = 0, now_mono_s

    def start(self) -> None:
        threading.Thread(target=self._run, name="main-decoder", daemon=True).start()

    # For the receiving thread.

    def offer(self, packet: Packet, mono_s: float) -> None:
        with self._changed:
            # By the camera's clock, because several packets arrive at the same moment.
            excess = self._sizes.step(len(packet.data), packet.key, packet.dts_us / 1e6)
            timed = TimedPacket(packet, mono_s, begins=packet.key and self._pace.due(mono_s))
            self._buffer.push(timed)
            if self._closer.packet(packet.key, excess, mono_s):
                self._buffer.follow()
            elif timed.begins and not self._closer.wanted:
                self._key = timed
            if self._buffer.waiting or self._key is not None:
                self._changed.notify()
            if self._buffer.dropped_n > self._warned_n and mono_s - self._warned_mono_s > WARN_EVERY_S:
                self._warned_n, self._warned_mono_s = self._buffer.dropped_n, mono_s
                _log.warning("this machine is too slow to decode every picture for motion (%d left out so far); set "
                             "the camera's sub to its small stream", self._warned_n)

    def end(self) -> None:
        """Drops every packet; the thread ends soon."""
        with self._changed:
            self.over = True
            self._buffer, self._key = GopBuffer(), None
            self._changed.notify()

    # For its own thread.

    def _run(self) -> None:
        while not self.over:
            with self._changed:
                self._changed.wait_for(lambda: self.over or self._key or self._buffer.waiting)
            try:
                self.step()
            except TooLarge as error:       # although the stream's format said otherwise
                self._pipe.watch.too_large = str(error)
                self.end()
