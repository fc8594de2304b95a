"""The two encoders of a Pi camera, the board's own and x264, and their common output."""
from typing import Any

import av
from picamera2 import MappedArray
from picamera2.encoders.encoder import Encoder
from picamera2.outputs import Output

from agent.cameras.effort import Effort
from agent.cameras.encode import GOP_US, KeyWatch, SoftwareEncoder
from agent.cameras.frame_queue import FrameQueue
from agent.config.settings import Camera
from agent.core.media.headroom import HARDWARE, Level


class X264(Encoder):
    """Our x264 encoder for picamera2. It runs in the camera's event loop: the camera drops frames if it is too slow."""

    def __init__(self, level: Level, camera: Camera, queue: FrameQueue, effort: Effort) -> None:
        """`effort` measures each picture; an exception goes to `queue` and ends the run."""
        super().__init__(framerate=camera.fps)
        self._level, self._camera, self._effort = level, camera, effort
        self._show = queue.guarded(self._encode_one)

    def _start(self) -> None:
        self._x264 = SoftwareEncoder(self.width, self.height, self._camera.fps, self._camera.bitrate_kbps,
                                     self._level.preset, threads_n=1)

    def _encode(self, stream: str, request: Any) -> None:
        self._show(stream, request)

    def _encode_one(self, stream: str, request: Any) -> None:
        pts_us = self._timestamp(request)
        with self._effort, MappedArray(request, stream, write=False) as mapped:
            frame = av.VideoFrame.from_numpy_buffer(mapped.array, format="yuv420p", width=self.width)
            data = self._x264.encode(frame, pts_us)
        self.outputframe(data, self._x264.gave_key, pts_us)


def make(level: Level, camera: Camera, queue: FrameQueue, effort: Effort) -> Encoder:
    """Makes a new encoder for each session, because a failed one stays broken. Its output writes to `queue`."""
    if level.encoder == HARDWARE:
        # its own module, because on a Pi 5 the package's H264Encoder is x264
        from picamera2.encoders.h264_encoder import H264Encoder
        encoder = H264Encoder(bitrate=camera.bitrate_kbps * 1000, repeat=True, framerate=camera.fps,
                              iperiod=camera.fps * GOP_US // 1_000_000)
    else:
        encoder = X264(level, camera, queue, effort)
    encoder.output = QueueOutput(encoder, camera.fps, queue)
    return encoder


class QueueOutput(Output):
    """Puts each encoded frame into our queue. Runs in picamera2's threads: never raises, never blocks."""

    def __init__(self, encoder: Any, fps: int, queue: FrameQueue) -> None:
        super().__init__()
        self._encoder, self._queue = encoder, queue
        # only the hardware encoder counts frames
        self._keys = KeyWatch(fps) if hasattr(encoder, "force_key_frame") else None
        self._guarded = queue.guarded(self._put)

    def outputframe(self, frame: bytes, keyframe: bool = True, timestamp: int | None = None, packet: Any = None,
                    audio: bool = False) -> None:
        """`timestamp` counts from the encoder's first frame, in microseconds."""
        self._guarded(frame, keyframe, timestamp)

    def _put(self, frame: bytes, key: bool, timestamp_us: int) -> None:
        self._queue.put(bytes(frame), self._encoder.firsttimestamp + timestamp_us, key)   # on the sensor's clock
        if self._keys is not None and self._keys.due(timestamp_us, key):
            self._encoder.force_key_frame()
