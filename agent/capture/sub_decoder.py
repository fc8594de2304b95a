"""Decodes a sub-stream for motion in the thread that receives it: keyframes while it is quiet, otherwise every packet.

Its pictures are small, so a thread of its own would cost more than the decoding. But the receiving thread serves all
cameras: what was skipped before a closer look is decoded in slices.
"""
import av

from agent.cameras.masks import MaskOverlay
from agent.capture.main_decoder import LookDecoder, TimedPacket
from agent.capture.pipe import Pipe
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.closer_look import CHANGED_ONLY_MIN, CloserLook, KeyIntervals
from agent.core.vision.luma import Luma
from agent.host.clock import Clock

SLICE_S = 0.03          # decoding for one packet ends after this time,
SLICE_MIN_N = 3         # but not before so many packets, so that a slow machine catches up before the next keyframe
KEYS_ENOUGH_FPS = 5.0   # a household that wants more looks a second wants news sooner than keyframes bring them


class SubDecoder(LookDecoder):
    """All its methods raise TooLarge."""

    def __init__(self, info: StreamInfo, pipe: Pipe, clock: Clock, overlay: MaskOverlay) -> None:
        """`overlay` hides parts of the pictures from motion."""
        super().__init__(info, pipe, CloserLook(pipe.over_after_s, clock.mono_s(), CHANGED_ONLY_MIN), small=True)
        self._clock, self._overlay = clock, overlay
        self._intervals, self._close = KeyIntervals(), False    # whether keyframes are close enough together
        self._now_mono_s = 0.0                                  # when the newest packet came

    def packet(self, packet: Packet) -> None:
        """Takes the next packet, and decodes for a short time if there is a reason to."""
        self._now_mono_s = self._clock.mono_s()
        self._enqueue(packet, self._now_mono_s)
        decoded_n = 0
        while self.step():
            decoded_n += 1
            if decoded_n >= SLICE_MIN_N and self._clock.mono_s() - self._now_mono_s >= SLICE_S:
                break

    def _enqueue(self, packet: Packet, mono_s: float) -> None:
        if self._pipe.watch.sub_silent:         # nothing is known, or the main stream's pictures were learned
            self._closer.learn(mono_s)
        close = self._intervals.close(packet.key, packet.dts_us / 1e6, mono_s)
        self._close = close and self._pipe.watch.camera.motion.fps <= KEYS_ENOUGH_FPS
        timed = TimedPacket(packet, mono_s, begins=packet.key and self._pace.due(mono_s))
        follows = self._closer.wanted or not self._close
        if timed.begins and not follows and not self._buffer.waiting:
            self._buffer.stop()
            self._key = timed
        self._buffer.push(timed)
        if follows and not self._buffer.following:
            self._buffer.follow()

    @property
    def _skips(self) -> bool:
        return self._close

    def _wants(self, timed: TimedPacket) -> bool:
        """While it is quiet although every packet is decoded, every second picture is enough."""
        self._pipe.watch.sub_came(self._now_mono_s)
        return self._pipe.wants_luma(timed.mono_s, 1 if self._closer.wanted or self._close else 2)

    def _luma(self, timed: TimedPacket, picture: av.VideoFrame | None) -> Luma | None:
        luma = super()._luma(timed, picture)
        return None if luma is None else self._overlay.over(luma)
