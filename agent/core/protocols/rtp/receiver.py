"""RTP and RTSP on one TCP connection (RFC 2326 §10.12): bytes after PLAY in, access units, formats and messages out.

Bytes may be cut anywhere. `Receiver(tracks).feed(data)` returns the items that they complete. `tracks` maps
interleaved channels to `H264`, `H265`, `Aac` or `G711`, each made from the SDP.
"""
import re
import struct
from collections.abc import Mapping

from agent.core.protocols.rtp.track import DOLLAR, FRAME_B, Item, RtpTrack, RtspText

FRAME = struct.Struct(">BBH").unpack_from       # "$", channel, length
HEAD_MAX_B = 16_384         # of an RTSP message; real ones have some hundred bytes
BODY_MAX_B = 65_536
JUNK_MAX_B = 65_536         # without an item in between: this is not RTP, or an unknown form of it
SEAM_B = 8                  # a frame or message that is cut here cannot be recognised yet

START_LINE = re.compile(rb"RTSP/1\.[01] |[A-Z_]{3,20} [^\r\n]{1,2048} RTSP/1\.[01]\r\n")
BINARY = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f]")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)


class InterleavingError(Exception):
    """The bytes are not RTP within RTSP, or violate the standard."""


class Receiver:
    """Receives one connection. It keeps at most one frame or message, and no reference to its input."""

    def __init__(self, tracks: Mapping[int, RtpTrack]) -> None:
        """`tracks`: interleaved channel -> its medium. The channel above each carries RTCP, which is ignored."""
        self._tracks = dict(tracks)
        for channel, track in self._tracks.items():
            track.channel = channel
        self._known = frozenset(self._tracks) | {channel + 1 & 255 for channel in self._tracks}
        channels = b"".join(re.escape(bytes((channel,))) for channel in sorted(self._known))
        self._landmark = re.compile(rb"\$[" + channels + rb"]..[\x80-\xbf]|RTSP/1\.", re.DOTALL)
        self._talking = next(iter(self._tracks.values()))       # track of the last packet, and probably of the next
        self._held = bytearray()            # the start of a frame or message
        self._need_b = 0                    # bytes that it needs before the next look
        self._astray = False                # out of step: search for the next frame
        self._junk_run_b = 0                # since the last item
        self.junk_b = 0                     # bytes between the frames that are not messages

    @property
    def lost_n(self) -> int:
        return sum(track.lost_n for track in self._tracks.values())

    @property
    def junk_n(self) -> int:
        """Ignored packets: malformed, old or of another payload type."""
        return sum(track.junk_n for track in self._tracks.values())

    @property
    def dropped_n(self) -> int:
        return sum(track.dropped_n for track in self._tracks.values())

    def feed(self, data: bytes | bytearray | memoryview) -> list[Item]:
        """Returns the items that these bytes complete, in order. Raises InterleavingError."""
        held = self._held
        held += data
        if len(held) < self._need_b:
            return []
        out: list[Item] = []
        at = self._frames(held, out)
        del held[:at]       # cheap: a bytearray only moves its start
        if out:
            self._junk_run_b = 0
        return out

    def _frames(self, data: bytearray, out: list[Item]) -> int:
        tracks, end, track = self._tracks, len(data), self._talking
        at = track.follow(data, 0, end)
        self._need_b = 0
        while end - at >= FRAME_B:
            mark, channel, size = FRAME(data, at)
            if mark != DOLLAR or self._astray:
                step = self._between(data, at, out)
                if step is None:
                    break
                at += step
                continue
            after = at + FRAME_B + size
            if after > end:
                self._need_b = after - at
                break
            if channel in tracks:
                track = tracks[channel]
                track.receive(data, at + FRAME_B, after, out)
                at = track.follow(data, after, end)
                continue
            if channel not in self._known:
                self._skip(FRAME_B + size)
            at = after
        self._talking = track
        return at

    def _between(self, data: bytearray, at: int, out: list[Item]) -> int | None:
        if self._astray or not data[at:at + 1].isupper():
            return self._resynchronise(data, at)
        left_b = len(data) - at
        head_end = data.find(b"\r\n\r\n", at, at + HEAD_MAX_B)
        if head_end < 0 and left_b < HEAD_MAX_B and not BINARY.search(data, at):
            self._need_b = left_b + 1
            return None
        length = CONTENT_LENGTH.search(data, at, head_end + 4)
        body_b = int(length[1]) if length else 0
        message_b = head_end + 4 - at + body_b
        if head_end < 0 or body_b > BODY_MAX_B or not START_LINE.match(data, at):
            return self._resynchronise(data, at)
        if left_b < message_b:
            self._need_b = message_b
            return None
        out.append(RtspText(bytes(data[at:at + message_b])))
        return message_b

    def _resynchronise(self, data: bytearray, at: int) -> int | None:
        found = self._landmark.search(data, at if self._astray else at + 1)
        self._astray = found is None
        step = found.start() - at if found else len(data) - SEAM_B - at
        if step < 0 or (step == 0 and self._astray):
            self._need_b = SEAM_B + 1
            return None
        self.junk_b += step
        self._skip(step)
        return step

    def _skip(self, count_b: int) -> None:
        self._junk_run_b += count_b
        if self._junk_run_b > JUNK_MAX_B:
            raise InterleavingError(f"{self._junk_run_b} bytes that are neither RTP nor RTSP")
