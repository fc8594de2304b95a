"""RTP and RTSP on one TCP connection (RFC 2326 §10.12): bytes after PLAY in, access units, formats and messages out.

Bytes may be cut anywhere. `Receiver(tracks).feed(data)` returns the items that they complete; `tracks` maps interleaved
channels to `H264`, `H265`, `Aac` or `G711`, each made from what SDP tells.
"""
import re
import struct
from collections.abc import Mapping

from agent.core.protocols.rtp.items import Item, RtspText
from agent.core.protocols.rtp.track import DOLLAR, FRAME_B, RtpTrack

FRAME = struct.Struct(">BBH").unpack_from       # "$", channel, length
HEAD_MAX_B = 16_384         # of an RTSP message; real ones have some hundred bytes
BODY_MAX_B = 65_536
JUNK_MAX_B = 65_536         # without a single item in between: this is no RTP, or one that we don't understand
SEAM_B = 8                  # a frame or message cut here can't be recognised yet

START_LINE = re.compile(rb"RTSP/1\.[01] |[A-Z_]{3,20} [^\r\n]{1,2048} RTSP/1\.[01]\r\n")
BINARY = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f]")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)


class InterleavingError(Exception):
    """The bytes are no RTP within RTSP, or not as the standard has it."""


class Receiver:
    """One connection, received. It keeps no view of what it is fed, and at most one frame or message of it."""

    def __init__(self, tracks: Mapping[int, RtpTrack]) -> None:
        """`tracks`: interleaved channel -> its medium; the channel above each carries RTCP, which nobody needs here."""
        self._tracks = dict(tracks)
        for channel, track in self._tracks.items():
            track.channel = channel
        self._known = frozenset(self._tracks) | {channel + 1 & 255 for channel in self._tracks}
        channels = b"".join(re.escape(bytes((channel,))) for channel in sorted(self._known))
        self._landmark = re.compile(rb"\$[" + channels + rb"]..[\x80-\xbf]|RTSP/1\.", re.DOTALL)
        self._talking = next(iter(self._tracks.values()))       # whose packet came last: mostly the next one is, too
        self._held = bytearray()            # the beginning of a frame or message
        self._need_b = 0                    # how much of it there must be before another look
        self._astray = False                # we are not where a frame begins, and look for the next one
        self._junk_run_b = 0                # since the last item
        self.junk_b = 0                     # bytes between the frames that are no message

    @property
    def lost_n(self) -> int:
        """Packets missing by their sequence numbers."""
        return sum(track.lost_n for track in self._tracks.values())

    @property
    def junk_n(self) -> int:
        """Packets ignored: malformed, old or of another payload type."""
        return sum(track.junk_n for track in self._tracks.values())

    @property
    def dropped_n(self) -> int:
        """Units that were not handed out because parts of them, or their parameter sets, are missing."""
        return sum(track.dropped_n for track in self._tracks.values())

    def feed(self, data: bytes | bytearray | memoryview) -> list[Item]:
        """The items that these bytes complete, in order. Raises InterleavingError."""
        held = self._held
        held += data
        if len(held) < self._need_b:
            return []
        out: list[Item] = []
        at = self._frames(held, out)
        del held[:at]       # a bytearray only notes where it begins now
        if out:
            self._junk_run_b = 0
        return out

    def _frames(self, data: bytearray, out: list[Item]) -> int:
        """Go through the frames in `data`; returns where the first one begins that is not complete."""
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
        """Handle a message, or junk, where a frame should begin. Returns its length, None if more has to come."""
        if self._astray or not data[at:at + 1].isupper():
            return self._resynchronise(data, at)
        left_b = len(data) - at
        head_end = data.find(b"\r\n\r\n", at, at + HEAD_MAX_B)
        if head_end < 0 and left_b < HEAD_MAX_B and not BINARY.search(data, at):
            self._need_b = left_b + 1
            return None
        told = CONTENT_LENGTH.search(data, at, head_end + 4)
        body_b = int(told[1]) if told else 0
        message_b = head_end + 4 - at + body_b
        if head_end < 0 or body_b > BODY_MAX_B or not START_LINE.match(data, at):
            return self._resynchronise(data, at)
        if left_b < message_b:
            self._need_b = message_b
            return None
        out.append(RtspText(bytes(data[at:at + message_b])))
        return message_b

    def _resynchronise(self, data: bytearray, at: int) -> int | None:
        """The distance to the next bytes that look like a frame of ours or a response; None if more has to come."""
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
