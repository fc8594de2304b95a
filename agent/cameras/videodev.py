"""Reads a V4L2 camera directly, because PyAV's wheels lack libav's reader, and it hangs when frames stop.

Structures and numbers: Linux UAPI <linux/videodev2.h>, 64-bit. Every error is the kernel's own OSError.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import select
from ctypes import c_char, c_int32, c_int64, c_uint8, c_uint32
from typing import Any, NamedTuple

CAPTURE, MMAP = 1, 1                    # V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_MEMORY_MMAP
CAN_CAPTURE, CAN_STREAM = 0x1, 0x4000000
SPOILT = 0x40                           # V4L2_BUF_FLAG_ERROR
FIELD_NONE = 1
BUFFERS_N = 4
FORMATS_MAX = 64


def _struct(**fields: Any) -> type[ctypes.Structure]:
    return type("VideoStruct", (ctypes.Structure,), {"_fields_": list(fields.items())})


# struct v4l2_capability, v4l2_fmtdesc, v4l2_format and v4l2_streamparm (single-plane capture), v4l2_requestbuffers and
# v4l2_buffer
Capability = _struct(driver=c_char * 16, card=c_char * 32, bus=c_char * 32, version=c_uint32, capabilities=c_uint32,
                     device_caps=c_uint32, reserved=c_uint32 * 3)
FormatDescription = _struct(index=c_uint32, type=c_uint32, flags=c_uint32, description=c_char * 32, fourcc=c_uint32,
                            mbus_code=c_uint32, reserved=c_uint32 * 3)
PixelFormat = _struct(type=c_uint32, pad=c_uint32, width=c_uint32, height=c_uint32, fourcc=c_uint32, field=c_uint32,
                      row_b=c_uint32, image_b=c_uint32, rest=c_uint8 * (200 - 24))
StreamParameters = _struct(type=c_uint32, capability=c_uint32, mode=c_uint32, numerator=c_uint32, denominator=c_uint32,
                           rest=c_uint8 * (200 - 16))
RequestBuffers = _struct(count=c_uint32, type=c_uint32, memory=c_uint32, capabilities=c_uint32, flags=c_uint8,
                         reserved=c_uint8 * 3)
Buffer = _struct(index=c_uint32, type=c_uint32, used_b=c_uint32, flags=c_uint32, field=c_uint32, seconds=c_int64,
                 microseconds=c_int64, timecode=c_uint8 * 16, sequence=c_uint32, memory=c_uint32, offset=c_int64,
                 length=c_uint32, reserved=c_uint32, request=c_int32)


def _number(direction: int, number: int, argument: type) -> int:
    """_IOC of <asm-generic/ioctl.h>; direction 1 writes, 2 reads, 3 both."""
    return direction << 30 | ctypes.sizeof(argument) << 16 | ord("V") << 8 | number


QUERYCAP, ENUM_FMT = _number(2, 0, Capability), _number(3, 2, FormatDescription)
S_FMT, S_PARM = _number(3, 5, PixelFormat), _number(3, 22, StreamParameters)
REQBUFS, QUERYBUF = _number(3, 8, RequestBuffers), _number(3, 9, Buffer)
QBUF, DQBUF = _number(3, 15, Buffer), _number(3, 17, Buffer)
STREAMON = _number(1, 18, c_int32)


class DeviceFormat(NamedTuple):
    fourcc: str         # "MJPG", "YUYV", "H264", ...
    width: int
    height: int
    row_b: int          # bytes from one row to the next; 0 if compressed


class GrabbedFrame(NamedTuple):
    data: bytes
    pts_us: int         # CLOCK_MONOTONIC, when it was taken


class VideoDevice:
    """One opened camera: `offered`, then `start`, then `grab` again and again; `close` in any state."""

    def __init__(self, path: str) -> None:
        """Opens the node. Raises OSError: ENOENT, EACCES, EBUSY, ENODEV; ENOTTY if it is not a camera."""
        self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._pages: list[mmap.mmap] = []
        try:
            can = Capability()
            self._ask(QUERYCAP, can)
            if can.device_caps & (CAN_CAPTURE | CAN_STREAM) != CAN_CAPTURE | CAN_STREAM:
                raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        except OSError:
            self.close()
            raise

    def _ask(self, number: int, argument: ctypes.Structure | c_int32) -> None:
        fcntl.ioctl(self._file, number, argument)

    def offered(self) -> list[str]:
        """Returns the camera's pixel formats, as four-letter codes."""
        found: list[str] = []
        while len(found) < FORMATS_MAX:
            entry = FormatDescription(index=len(found), type=CAPTURE)
            try:
                self._ask(ENUM_FMT, entry)
            except OSError as error:
                if error.errno == errno.EINVAL:     # the end of the list
                    break
                raise
            found.append(entry.fourcc.to_bytes(4, "little").decode("latin-1"))
        return found

    def start(self, fourcc: str, width: int, height: int, fps: int) -> DeviceFormat:
        """Starts with this format; the camera may change the size. Raises OSError: EBUSY, EINVAL, ENOSPC (USB)."""
        wish = PixelFormat(type=CAPTURE, width=width, height=height, field=FIELD_NONE,
                           fourcc=int.from_bytes(fourcc.encode("latin-1"), "little"))
        self._ask(S_FMT, wish)
        pace = StreamParameters(type=CAPTURE, numerator=1, denominator=fps)
        try:
            self._ask(S_PARM, pace)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):     # a camera with only one rate
                raise
        self._queue_buffers()
        self._ask(STREAMON, c_int32(CAPTURE))
        given = wish.fourcc.to_bytes(4, "little").decode("latin-1")
        return DeviceFormat(given, wish.width, wish.height, wish.row_b)

    def _queue_buffers(self) -> None:
        request = RequestBuffers(count=BUFFERS_N, type=CAPTURE, memory=MMAP)
        self._ask(REQBUFS, request)
        for index in range(request.count):
            buffer = Buffer(index=index, type=CAPTURE, memory=MMAP)
            self._ask(QUERYBUF, buffer)
            self._pages.append(mmap.mmap(self._file, buffer.length, offset=buffer.offset))
            self._ask(QBUF, buffer)

    def grab(self, wait_s: float) -> GrabbedFrame | None:
        """Returns the next good picture; None if none comes in `wait_s`. Raises OSError: ENODEV (unplugged), EIO."""
        poll = select.poll()
        poll.register(self._file, select.POLLIN)
        if not poll.poll(wait_s * 1000):
            return None
        buffer = Buffer(type=CAPTURE, memory=MMAP)
        try:
            self._ask(DQBUF, buffer)
        except BlockingIOError:
            return None
        data = self._pages[buffer.index][:buffer.used_b]
        pts_us, spoilt = buffer.seconds * 1_000_000 + buffer.microseconds, buffer.flags & SPOILT
        self._ask(QBUF, buffer)         # the kernel empties it
        return GrabbedFrame(data, pts_us) if data and not spoilt else None

    def close(self) -> None:
        """Releases the camera: the kernel ends the stream when the file closes."""
        for pages in self._pages:
            pages.close()
        os.close(self._file)
