"""Video over RTP: payloads in, access units with decode times out. H.264 and H.265 differ only in a table of numbers.

End of a frame: the marker bit, if the camera sets it on the last packet of a frame. The first frame shows this, so it
waits for the packet after it. If a camera never sets the marker, or sets it on every slice, the next timestamp ends its
frames.

Loss: a frame with a missing packet is dropped. Later frames are kept although they depend on it: they show smears
until the next keyframe, and smeared evidence is better than none.

Decode times: RTP says only when a frame is shown, MP4 also needs when it is decoded. With B-frames a frame is decoded
earlier than frames that are shown before it. At most `depth` frames overtake any one. So decode times are the sorted
show times, delayed by `depth` frames: each is known when its unit comes, and no unit must wait. Without B-frames the
depth is 0 and both times are equal. libavformat does the same.
"""
import struct
from collections import deque
from collections.abc import Callable, Collection, Sequence
from heapq import heappushpop, nlargest
from typing import ClassVar

from agent.core.media import nal
from agent.core.media.model import StreamInfo
from agent.core.media.nal import LENGTH, SETS, START, ParameterSets, split_annex_b
from agent.core.protocols.rtp.track import DOLLAR, FRAME_B, HEADER_B, EncodedUnit, Item, RtpTrack, TrackFormat

DEPTH_MAX = 16              # H.264 and H.265 allow no more
DEPTH_GUESS_MAX = 4  # if the parameter sets have no depth or a wrong one, a unit further back means a reset clock
GAP_US = 5_000_000          # a unit so far ahead means a pause or a reset clock, not B-frames
STEP_US = 40_000            # between the decode times of a run's first units, whose real ones are before its start
HOLD_MAX_N = 6              # if the depth is unknown, this many first units are held and watched,
HOLD_US = 2_000_000         # but not for longer
NEVER_US = -(1 << 62)


class DecodeOrder:
    """Dates the units of one format. Within a run dts grows, and is never after pts. A new run makes both jump."""

    def __init__(self, depth: int | None) -> None:
        """`depth`: how many frames may overtake another, by the parameter sets; None if unknown."""
        self._depth = depth or 0
        self._held: list[EncodedUnit] | None = [] if depth is None else None
        self._shown: deque[int] = deque(maxlen=DEPTH_MAX)       # show times of the latest units
        self._due: list[int] = []       # a heap: the next `depth` decode times
        self._newest_us = NEVER_US      # the latest show time
        self._last_us = NEVER_US        # the latest decode time

    def date(self, unit: EncodedUnit) -> list[EncodedUnit]:
        """Adds the next unit in decode order, without its dts. Returns what can be dated, usually this one."""
        if self._held is None:
            return [self._dated(unit)]
        self._held.append(unit)
        if len(self._held) < HOLD_MAX_N and abs(unit.pts_us - self._held[0].pts_us) < HOLD_US:
            return []
        return self.flush()

    def flush(self) -> list[EncodedUnit]:
        """Returns the held units, because the stream ends or their order is known."""
        held, self._held = self._held or [], None
        times = [unit.pts_us for unit in held]
        overtaken = [sum(time > times[n] for time in times[:n]) for n in range(len(times))]
        self._depth = max((count for count in overtaken if count <= DEPTH_GUESS_MAX), default=self._depth)
        return [self._dated(unit) for unit in held]

    def _dated(self, unit: EncodedUnit) -> EncodedUnit:
        pts_us = unit.pts_us
        if not self._newest_us < pts_us <= self._newest_us + GAP_US:
            self._look_back(unit)
        self._newest_us = max(self._newest_us, pts_us)
        self._shown.append(pts_us)
        dts_us = heappushpop(self._due, pts_us)
        if dts_us <= self._last_us:     # two frames with one time, or the depth has just changed
            dts_us = self._last_us + 1
        self._last_us = dts_us
        if dts_us == pts_us == unit.dts_us:
            return unit
        return unit._replace(pts_us=max(pts_us, dts_us), dts_us=dts_us)

    def _look_back(self, unit: EncodedUnit) -> None:
        """The unit is shown earlier than others before it, or much later: is it a B-frame, or was the clock reset?"""
        overtook_n = sum(time > unit.pts_us for time in self._shown)
        if (unit.pts_us > self._newest_us or overtook_n > max(self._depth, DEPTH_GUESS_MAX)
                or (overtook_n and unit.key)):      # no frame decoded before a keyframe is shown after it
            self._shown.clear()
            self._newest_us, self._last_us = unit.pts_us, NEVER_US
            self._due = [unit.pts_us - ahead * STEP_US for ahead in range(self._depth, 0, -1)]
        elif overtook_n > self._depth:
            self._depth = overtook_n
            self._due = sorted(nlargest(overtook_n, self._shown))


UNIT_MAX_B = 8_000_000      # a keyframe of a 4K camera has less than 2 MB
NAL_COST_B = 64             # a NAL unit's overhead, so that millions of tiny ones are limited, too


class Video(RtpTrack):
    """One video track. Subclasses define the types of NAL units and packets, and the layout of their headers."""

    CODEC: ClassVar[str]
    NAL_HEADER_B: ClassVar[int]                 # size of a NAL unit's header; its type is first byte >> SHIFT & MASK
    SHIFT: ClassVar[int]
    MASK: ClassVar[int]
    SLICES: ClassVar[Collection[int]]
    KEYS: ClassVar[Collection[int]]             # slices at which decoding can start
    LEADING: ClassVar[Collection[int]]          # types that stand only before a picture's slices
    AGGREGATE: ClassVar[int]                    # the lowest type of a packet that is not a NAL unit
    FRAGMENT: ClassVar[int]
    PREFIX: ClassVar[Callable[..., tuple[int, int, int, int, bytes]]]      # parses a fragment from its "$" on

    def __init__(self, payload_type: int, clock_rate: int, sets: Sequence[bytes] = ()) -> None:
        """`sets`: the parameter sets in SDP, as NAL units."""
        super().__init__(payload_type, clock_rate)
        self._sets = ParameterSets(self.CODEC, sets)
        self._last_info: StreamInfo | None = None        # the last format in the output
        self._order = DecodeOrder(None)
        self._set_kinds = SETS[self.CODEC]
        self._body_at = FRAME_B + HEADER_B + self.NAL_HEADER_B + 1       # of a fragment, from its "$" on
        self._stamp = -1
        self._handed_stamp = -1                     # of the last unit that a marker ended
        self._marker_ends: bool | None = None       # whether the camera's markers are reliable; None: unknown yet
        self._torn = True                           # collect nothing before a unit begins
        self._clear()

    @property
    def info(self) -> StreamInfo | None:
        return self._sets.info

    def follow(self, data: bytearray, at: int, end: int) -> int:
        """Most packets are the middle of a fragmented slice, equal to the last one except for their numbers."""
        if not self._middle or end - at > self._room_b:
            return at
        read, lead, body_at = self.PREFIX, DOLLAR << 8 | self.channel, self._body_at
        head, stamp, middle, append = self._head, self._stamp, self._middle, self._parts.append
        begin = at
        while end - at > body_at:
            mark, size, first, time, prefix = read(data, at)
            after = at + FRAME_B + size
            if first != head or prefix != middle or time != stamp or mark != lead or after > end:
                break
            append(data[at + body_at:after])
            head += 1
            at = after
        self._head = head
        self._room_b -= at - begin
        return at

    def _payload(self, payload: bytes, stamp: int, marker: bool, whole: bool, out: list[Item]) -> None:
        if not whole or len(payload) > self._room_b:
            self._tear()
        if stamp != self._stamp:
            if self._picture:
                self._marker_ends = True if self._marked else self._marker_ends
                self._finish(out)
            self._stamp = stamp
            self._torn = self._torn and not whole
        kind = payload[0] >> self.SHIFT & self.MASK if payload else None
        complete = True
        if kind == self.FRAGMENT:
            complete = self._fragment(payload, out)
        elif kind == self.AGGREGATE:
            self._aggregate(payload, out)
        elif payload:
            self._add(payload, out)
        if marker and complete and self._picture:
            if self._marker_ends:
                self._handed_stamp = stamp
                self._finish(out)
            elif self._marker_ends is None:
                self._marked = True

    def _aggregate(self, payload: bytes, out: list[Item]) -> None:
        at, end = self.NAL_HEADER_B, len(payload)
        while at < end:
            begin = at + 2
            at = begin + int.from_bytes(payload[at:begin], "big")
            if not begin < at <= end:
                self._refuse()
                return
            self._add(payload[begin:at], out)

    def _add(self, unit: bytes, out: list[Item]) -> None:
        """Some cameras send several NAL units with start codes as one, beginning with a parameter set."""
        kind = unit[0] >> self.SHIFT & self.MASK
        if (kind in self._set_kinds or unit.startswith(b"\0\0")) and START in unit:
            for inner in split_annex_b(START + unit):
                self._add(inner, out)
            return
        unit = unit.rstrip(b"\0")       # as nal.split_annex_b does for libav's packets
        if len(unit) < self.NAL_HEADER_B or kind >= self.AGGREGATE:
            self._refuse()
        elif self._may_begin(kind, unit[self.NAL_HEADER_B:self.NAL_HEADER_B + 1], out):
            self._end_fragments(out)
            self._parts += (LENGTH.pack(len(unit)), unit)
            self._room_b -= len(unit) + NAL_COST_B
            if kind in self._set_kinds:
                self._found.append(unit)

    def _fragment(self, payload: bytes, out: list[Item]) -> bool:
        """A part of a NAL unit: after the packet's header a byte with start, end and type, then the bytes."""
        at = self.NAL_HEADER_B + 1
        if len(payload) < at:
            self._refuse()
            return False
        flags = payload[at - 1]
        kind = flags & self.MASK
        middle = payload[:at - 1] + bytes((kind,))
        if flags & 0x80:
            if kind < self.AGGREGATE and self._may_begin(kind, payload[at:at + 1], out):
                self._end_fragments(out)
                first = payload[0] & ~(self.MASK << self.SHIFT) | kind << self.SHIFT
                self._begun = len(self._parts)
                self._parts += (b"", bytes((first,)) + payload[1:at - 1], payload[at:])
                self._middle = middle
        elif middle == self._middle:
            self._parts.append(payload[at:])
        else:
            self._tear()
        self._room_b -= len(payload) + NAL_COST_B
        if flags & 0x40:
            self._end_fragments(out)
        return bool(flags & 0x40)

    def _end_fragments(self, out: list[Item]) -> None:
        """Puts the length before the fragmented NAL unit, which ends when another begins."""
        if not self._middle:
            return
        parts, begun, self._middle = self._parts, self._begun, b""
        header = parts[begun + 1]
        if header[0] >> self.SHIFT & self.MASK in self._set_kinds or not any(header):
            unit = b"".join(parts[begun:])
            del parts[begun:]
            self._add(unit, out)
            return
        parts[-1] = parts[-1].rstrip(b"\0")
        parts[begun] = LENGTH.pack(sum(map(len, parts[begun + 1:])))

    def _may_begin(self, kind: int, after_header: bytes, out: list[Item]) -> bool:
        """Whether a NAL unit of this type belongs to the output. Notes its meaning for the frame.

        A slice's first bit says whether it is its picture's first: H.264 first_mb_in_slice (0 is coded as "1") and
        H.265 first_slice_segment_in_pic_flag.
        """
        is_slice = kind in self.SLICES
        if kind in self.LEADING or (is_slice and after_header >= b"\x80"):
            if self._marked:
                self._marker_ends = True
                self._finish(out)
            self._torn = False
        elif self._torn:
            return False
        elif is_slice and self._marked:
            self._marker_ends, self._marked = False, False
        elif is_slice and not self._picture and self._stamp == self._handed_stamp:
            self._marker_ends = False       # the rest of a frame that was ended too early
            self._tear()
            return False
        self._picture = self._picture or is_slice
        self._key = self._key or kind in self.KEYS
        return True

    def _finish(self, out: list[Item]) -> None:
        self._end_fragments(out)
        if self._found:
            self._sets.learn(self._found)
        info = self._sets.info
        if info is None:
            self.dropped_n += 1
        else:
            if info is not self._last_info:
                out += (*self._order.flush(), TrackFormat(self.channel, info))
                self._last_info, self._order = info, DecodeOrder(self._sets.reorder_n)
            time_us = self._time_us(self._stamp)
            out += self._order.date(EncodedUnit(self.channel, b"".join(self._parts), time_us, time_us, self._key))
        self._clear()

    def _refuse(self) -> None:
        """The payload is not H.264 or H.265 over RTP, or has a form that was not requested."""
        self.junk_n += 1
        self._tear()

    def _tear(self) -> None:
        if not self._torn:
            self.dropped_n += 1
        self._torn = True
        self._clear()

    def _clear(self) -> None:
        self._parts: list[bytes | bytearray] = []       # lengths and NAL units; fragmented ones in pieces
        self._found: list[bytes] = []       # the parameter sets among them
        self._room_b = UNIT_MAX_B
        self._begun = 0                     # index in `_parts` of the fragmented NAL unit's length
        self._middle = b""                  # start of the payloads of its next fragments; empty if absent
        self._picture = self._key = self._marked = False     # a slice has come; one of a keyframe; a marker after it


class H264(Video):
    """An H.264 track. Types: ITU-T H.264 table 7-1 and RFC 6184 table 1."""

    CODEC = "h264"
    NAL_HEADER_B, SHIFT, MASK = 1, 0, 31
    SLICES = range(1, 6)
    KEYS = range(nal.IDR, nal.IDR + 1)
    LEADING = frozenset(range(6, 10))       # SEI, SPS, PPS, delimiter: they come before a picture's first slice
    AGGREGATE, FRAGMENT = 24, 28            # STAP-A, FU-A
    PREFIX = struct.Struct(">HHII4x2s").unpack_from


class H265(Video):
    """An H.265 track. Types: ITU-T H.265 table 7-1 and RFC 7798 §4.4."""

    CODEC = "h265"
    NAL_HEADER_B, SHIFT, MASK = 2, 1, 63
    SLICES = range(32)
    KEYS = nal.IRAP
    LEADING = frozenset((32, 33, 34, 35, 39))       # VPS, SPS, PPS, delimiter, prefix SEI
    AGGREGATE, FRAGMENT = 48, 49
    PREFIX = struct.Struct(">HHII4x3s").unpack_from
