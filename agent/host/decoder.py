"""Opens the decoders for untrusted video and limits their memory. Their pictures are upright.

A few bytes from a camera can demand gigabytes. So we read the parameter sets before libav does, and give libav the
largest picture size. While libav works, the process can only grow by the granted memory, because parameter sets may
lie.

A file may say that its pictures lie on their side, as films of phones do. Players turn them by the matrix of the track,
and we do it here, so that thumbnails, masks, zones and boxes refer to the picture that people see.
"""
import contextlib
import functools
import mmap
import os
import resource
import struct
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from fractions import Fraction

import av
import numpy as np

from agent.core.media import nal
from agent.core.media.model import Packet, StreamInfo
from agent.core.media.mp4.traks import TURNS
from agent.core.media.sps import BitstreamError, Sps, parse

CODECS = {"h264": "h264", "h265": "hevc"}
MICROSECONDS = Fraction(1, 1_000_000)
# 1080p with 4 reference frames needs 26 MB, 4 megapixels with one need 25: such decoders always open.
SMALL_MAX_B = 32 << 20
# 4K (8 megapixels) with 3 reference frames needs 87 MB. All larger decoders of a process share this.
LARGE_MAX_B = 96 << 20
SINGLE_MAX_B = 40 << 20     # two pictures of 8 megapixels: for decoding a single keyframe
PROBED_MAX_PX = 16_000_000  # largest picture that libav may decode on its own to learn what a container holds
FENCED_PX = 500_000         # up to this size, libav can be made to hold at most 40 MB (34 pictures)
SLACK_B = 16 << 20          # other growth while a picture is decoded, and what a decoder needs beside pictures
EDGE_PX = 128               # libav counts pictures with an edge
UNITS_MAX_N = 4_096         # in one packet
STRIKES_MAX_N = 3           # a decoder fails if it wants more than its grant so often
STRIKES_S = 60.0            # within this time; fewer may be growth of other threads
# A title that is not UTF-8 must not block the video. From PyAV 19 on it never does, and the option is gone.
ANY_METADATA = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
# libav decodes the first pictures of a container to learn what it holds.
PROBING = {"max_pixels": str(PROBED_MAX_PX), "threads": "1"}


class TooLarge(Exception):
    """This process has no memory to decode these pictures; the text is their size."""


class Undecodable(Exception):
    """The packet gives no picture."""


class _DecoderMemory:
    """The memory granted to all decoders of this process, and the limit while they work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._large_b = 0           # granted to large decoders
        self._rooms_b = 0           # how far running calls may let the process grow
        self._limits = 0, 0         # of the process while no call runs

    def grant(self, size_b: int) -> bool:
        with self._lock:
            fits = size_b <= SMALL_MAX_B or self._large_b + size_b <= LARGE_MAX_B
            self._large_b += size_b if fits and size_b > SMALL_MAX_B else 0
            return fits

    def give_back(self, size_b: int) -> None:
        with self._lock:
            self._large_b -= size_b if size_b > SMALL_MAX_B else 0

    @contextlib.contextmanager
    def fence(self, now_b: int, room_b: int) -> Iterator[None]:
        """Makes allocations fail that would let the process grow above `now_b + room_b`."""
        self._change(now_b, room_b)
        try:
            yield
        finally:
            self._change(now_b, -room_b)

    def _change(self, now_b: int, room_b: int) -> None:
        with self._lock:
            if not self._rooms_b:
                self._limits = resource.getrlimit(resource.RLIMIT_DATA)
            self._rooms_b += room_b
            soft, hard = self._limits
            if self._rooms_b:
                set_b = [each for each in self._limits if each != resource.RLIM_INFINITY]
                soft = min([now_b + self._rooms_b, *set_b])
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


_memory = _DecoderMemory()


@functools.cache
def _statm(pid: int) -> int:
    return os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)


def _data_b() -> int:
    return int(os.pread(_statm(os.getpid()), 256, 0).split()[5]) * mmap.PAGESIZE


def size_of(info: StreamInfo) -> Sps:
    """Returns the stream's parameter set that needs the most memory. Raises TooLarge if none can be read."""
    try:
        units, _ = nal.config_units(info.codec, info.config)
        return max((parse(info.codec, unit) for unit in units
                    if nal.unit_type(info.codec, unit) == nal.SPS[info.codec]), key=lambda sps: sps.decoder_b)
    except (BitstreamError, ValueError):
        raise TooLarge("of no known size") from None


def is_small(info: StreamInfo) -> bool:
    """Whether any process may decode the stream. Raises TooLarge for streams that no process may decode."""
    size = size_of(info)
    if size.decoder_b > LARGE_MAX_B:
        raise TooLarge(f"{size.width}x{size.height}")
    return size.decoder_b <= SMALL_MAX_B


class BoundedDecoder:
    """Decodes one stream of one format."""

    def __init__(self, info: StreamInfo, options: Mapping[str, str] | None = None, *, timed: bool = False,
                 small: bool = False, single: bool = False) -> None:
        """Raises TooLarge if the memory is not granted.

        `options` are libav's. Pictures of a `timed` decoder have a time in microseconds. A `small` decoder refuses
        large streams. A `single` one decodes one picture at a time, with a flush after each.
        """
        self._info, self._options, self._timed = info, dict(options or {}), timed
        self._size = size_of(info)
        self._granted_b = 2 * self._size.picture_b if single else self._size.decoder_b
        most_b = SINGLE_MAX_B if single else SMALL_MAX_B if small else LARGE_MAX_B
        if self._granted_b > most_b or not (single or _memory.grant(self._granted_b)):
            raise TooLarge(f"{self._size.width}x{self._size.height}")
        if not single:
            weakref.finalize(self, _memory.give_back, self._granted_b)
        self._fitting: bytes | None = None      # the latest parameter set that fits
        self._struck_s: deque[float] = deque(maxlen=STRIKES_MAX_N)      # when it wanted too much memory
        self._grown_b = 0           # how far the process grew for it and has not shrunk since
        self._codec = self._opened()

    def _opened(self) -> av.CodecContext:
        codec = av.CodecContext.create(CODECS[self._info.codec], "r")
        codec.extradata = self._info.config
        codec.thread_count = 1          # more threads use more CPU and memory and delay each picture
        codec.thread_type = "NONE"
        codec.options = {**self._options, "max_pixels": str(_edged(self._size.coded_px))}
        return codec

    def decode(self, packet: Packet | None) -> list[av.VideoFrame]:
        """Returns upright pictures for a packet; None fetches the last ones. Raises Undecodable and TooLarge."""
        encoded = None if packet is None else self._encoded(packet)
        return [turned(frame, self._info.turn) for frame in self._decode(encoded)]

    def _decode(self, encoded: av.Packet | None) -> list[av.VideoFrame]:
        try:
            with self._fence():
                return self._codec.decode(encoded)
        except MemoryError:
            before_b = _data_b()
            self._codec = self._opened()
            self._grown_b = max(0, self._grown_b + _data_b() - before_b)
            self._struck_s.append(time.monotonic())
            if len(self._struck_s) == STRIKES_MAX_N and self._struck_s[-1] - self._struck_s[0] < STRIKES_S:
                raise TooLarge(f"{self._size.width}x{self._size.height}") from None
            raise Undecodable("it wants more memory than it said") from None
        except (av.error.FFmpegError, ValueError) as error:
            raise Undecodable(str(error)) from None

    def flush(self) -> None:
        """Drops all pictures; the next packet must be a keyframe."""
        self._codec.flush_buffers()

    def _encoded(self, packet: Packet) -> av.Packet:
        for unit in _parameter_sets(self._info.codec, packet.data):
            if unit != self._fitting:
                self._check_fit(unit)
                self._fitting = unit
        encoded = av.Packet(packet.data)
        if self._timed:
            encoded.pts, encoded.dts, encoded.time_base = packet.pts_us, packet.dts_us, MICROSECONDS
        return encoded

    def _check_fit(self, unit: bytes) -> None:
        try:
            size = parse(self._info.codec, unit)
        except BitstreamError as error:
            raise Undecodable(str(error)) from None
        if max(size.picture_b, size.decoder_b) > max(self._size.picture_b, self._size.decoder_b):
            raise Undecodable(f"a picture of {size.width}x{size.height} that was not announced")

    @contextlib.contextmanager
    def _fence(self) -> Iterator[None]:
        if self._size.coded_px <= FENCED_PX:
            yield
            return
        before_b, most_b = _data_b(), self._granted_b + SLACK_B
        try:
            with _memory.fence(before_b, max(most_b - self._grown_b, SLACK_B)):
                yield
        finally:
            change_b = _data_b() - before_b
            if abs(change_b) > self._size.picture_b // 2:       # a smaller change comes from another thread
                self._grown_b = max(0, self._grown_b + change_b)
            if self._grown_b > most_b:      # libav reports "invalid data" if it gets no memory
                raise MemoryError


def _edged(picture_px: int) -> int:
    """Returns the pixels of a picture of any shape, including libav's edge."""
    return picture_px + picture_px // 4 + EDGE_PX * EDGE_PX


def _parameter_sets(codec: str, data: bytes) -> Iterator[bytes]:
    kind, at, end, units_n = nal.SPS[codec], 0, len(data), 0
    while at < end:
        begin = at + 4
        at = begin + int.from_bytes(data[at:begin], "big")
        units_n += 1
        if not begin < at <= end or units_n > UNITS_MAX_N:
            raise Undecodable("NAL units whose lengths make no sense")
        if nal.unit_type(codec, data[begin:begin + 1]) == kind:
            yield data[begin:at]


def set_up(codec: av.CodecContext, options: Mapping[str, str]) -> None:
    """Prepares a container's own decoder, not yet open, with these libav options. Raises TooLarge."""
    name = next((ours for ours, theirs in CODECS.items() if theirs == codec.name), None)
    most_px = PROBED_MAX_PX
    if name and (extradata := bytes(codec.extradata or b"")):
        with contextlib.suppress(BitstreamError):
            units, _ = nal.from_extradata(name, extradata)
            size = size_of(StreamInfo(name, 0, 0, nal.config_record(name, nal.parameter_sets(name, units))))
            if size.decoder_b > LARGE_MAX_B:
                raise TooLarge(f"{size.width}x{size.height}")
            most_px = _edged(size.coded_px)
    codec.thread_count, codec.thread_type = 1, "NONE"
    codec.options = {**options, "max_pixels": str(most_px)}


def jpeg_decoder(width: int, height: int) -> av.CodecContext:
    """Returns a decoder for single JPEG pictures of at most this size."""
    codec = av.CodecContext.create("mjpeg", "r")
    codec.options = {"max_pixels": str(_edged(width * height))}
    return codec


MATRIX = struct.Struct("=9i")       # libav's: as in a track's header, in this machine's byte order


def turn_of(frame: av.VideoFrame) -> int:
    """Returns how far the container says to turn this picture, in degrees clockwise; 0 if it is not a right angle."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or len(bytes(matrix)) != MATRIX.size:
        return 0
    a, b, _, c, d, *_ = MATRIX.unpack(bytes(matrix))
    return TURNS.get(tuple((each > 0) - (each < 0) for each in (a, b, c, d)), 0)


def turned(frame: av.VideoFrame, turn: int) -> av.VideoFrame:
    """Returns the picture turned by `turn` degrees clockwise: the same frame for 0, else yuv420p."""
    if not turn:
        return frame
    width, height = frame.width & ~1, frame.height & ~1         # 4:2:0 has no odd sizes to turn
    upright = part_of(frame, 0, 0, width, height, turn)
    upright.pts = frame.pts
    if frame.time_base is not None:
        upright.time_base = frame.time_base
    return upright


def part_of(frame: av.VideoFrame, left: int, top: int, width: int, height: int, turn: int = 0) -> av.VideoFrame:
    """Returns a part of the picture as yuv420p, turned by `turn` degrees clockwise. All sides are even."""
    flat = frame if frame.format.name in ("yuv420p", "yuvj420p") else frame.reformat(format="yuv420p")
    part = av.VideoFrame(*((height, width) if turn % 180 else (width, height)), flat.format.name)
    for number, (target, source) in enumerate(zip(part.planes, flat.planes, strict=True)):
        share = 2 if number else 1
        y, x, down, right = (side // share for side in (top, left, height, width))
        view = np.rot90(_pixels(source)[y:y + down, x:x + right], -turn // 90)
        _pixels(target)[:view.shape[0], :view.shape[1]] = view
    part.colorspace, part.color_range = frame.colorspace, frame.color_range
    return part


def _pixels(plane: av.video.plane.VideoPlane) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
