"""Decodes a sub-stream for motion in the thread that receives it: keyframes while it is quiet, otherwise every packet.

Its pictures are small, so a thread of its own would cost more than the decoding. But the receiving thread serves all
cameras: what was skipped before a closer look is decoded in slices.
"""
from agent.cameras.masks import MaskOverlay
from agent.capture.main_decoder import Decoder, GopBuffer, TimedPacket
from agent.capture.pipe import Pipe
from agent.core.media.model import Packet, StreamInfo
from agent.core.vision.closer_look import CHANGED_ONLY_MIN, CloserLook, GlancePace, KeyIntervals
from agent.core.vision.luma import Luma
from agent.host.clock import Clock
from agent.host.luma import luma_of

SLICE_S = 0.03          # decoding for one packet ends after this time,
SLICE_MIN_N = 3         # but not before so many packets, so that a slow machine catches up before the next keyframe


class SubDecoder:
    """Decodes one stream of one format. All methods raise TooLarge."""

    def __init__(self, info: StreamInfo, pipe: Pipe, clock: Clock, overlay: MaskOverlay) -> None:
        """`overlay` hides parts of the pictures from motion."""
        self._pipe, self._clock, self._overlay = pipe, clock, overlay
        self._decoder = Decoder(info, small=True)
        self._intervals, self._pace = KeyIntervals(), GlancePace()
        self._closer = CloserLook(pipe.over_after_s, clock.mono_s(), CHANGED_ONLY_MIN)
        self._buffer = GopBuffer()
        self._close = False                             # whether keyframes are close together
        self._key: TimedPacket | None = None            # the newest keyframe, until it has been looked at
        self._looked_key_mono_s: float | None = None    # when the latest keyframe of a complete decoding came
        self._now_mono_s = 0.0                          # when the newest packet came

    def packet(self, packet: Packet) -> None:
        """Takes the next packet, and decodes for a short time if there is a reason to."""
        self._now_mono_s = self._clock.mono_s()
        self._take(packet, self._now_mono_s)
        decoded_n = 0
        while self._step():
            decoded_n += 1
            if decoded_n >= SLICE_MIN_N and self._clock.mono_s() - self._now_mono_s >= SLICE_S:
                break

    def _take(self, packet: Packet, mono_s: float) -> None:
        if self._pipe.watch.sub_silent:         # nothing is known, or the main stream's pictures were learned
            self._closer.learn(mono_s)
        self._close = self._intervals.close(packet.key, packet.dts_us / 1e6, mono_s)
        timed = TimedPacket(packet, mono_s, begins=packet.key and self._pace.due(mono_s))
        follows = self._closer.wanted or not self._close
        if timed.begins and not follows and not self._buffer.waiting:
            self._buffer.stop()
            self._key = timed
        self._buffer.push(timed)
        if follows and not self._buffer.following:
            self._buffer.follow()

    def _step(self) -> bool:
        """Decodes one packet, if there is a reason to; whether there was."""
        key, self._key = self._key, None
        timed = key or self._buffer.next()
        if timed is not None:
            (self._glance if key else self._look)(timed)
        return timed is not None

    def _glance(self, key: TimedPacket) -> None:
        """Looks at a keyframe. If there is more to see, it first goes back to the stretch that this keyframe ended."""
        luma = self._luma(key, alone=True)
        if luma is None:
            return
        if self._closer.keyframe(self._pipe.watch.peek(luma), key.mono_s):
            self._buffer.follow(before=True)
        else:
            self._pipe.luma(luma)

    def _look(self, timed: TimedPacket) -> None:
        luma = self._luma(timed)
        if luma is None:
            return
        look = self._pipe.luma(luma)
        if not self._closer.wanted:
            self._closer.keyframe(look, timed.mono_s)
            return
        self._closer.looked(look, timed.mono_s)
        if not self._closer.wanted and self._close:
            self._buffer.stop()

    def _luma(self, timed: TimedPacket, alone: bool = False) -> Luma | None:
        """Returns the picture that a packet gives, if motion wants one; while it is quiet, every second one."""
        picture = (self._decoder.decode_alone if alone else self._decoder.decode)(timed.packet)
        if timed.packet.key:
            self._looked_key_mono_s = timed.mono_s
        if picture is None:
            return None
        self._pipe.watch.sub_came(self._now_mono_s)
        if not self._pipe.wants_luma(timed.mono_s, 1 if alone or self._closer.wanted else 2):
            return None
        return self._overlay.over(luma_of(picture, timed.mono_s, self._looked_key_mono_s))
