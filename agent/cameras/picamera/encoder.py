"""The two encoders of a Pi camera, the board's own and x264, and the output that both write to."""
from typing import Any

import av
from picamera2 import MappedArray
from picamera2.encoders.encoder import Encoder
from picamera2.outputs import Output

from agent.cameras.effort import Effort
from agent.cameras.encode import GOP_US, SoftwareEncoder
from agent.cameras.frame_queue import FrameQueue
from agent.cameras.picamera.keyframes import KeyWatch
from agent.config.settings import Camera
from agent.core.media.headroom import HARDWARE, Level


class X264(Encoder):
    """Fills picamera2's seam for encoders with ours, the one that webcams get: keyframes by time, and one thread.

    Runs in the camera's event loop, so what it takes too long for, the camera leaves out.
    """

    def __init__(self, level: Level, camera: Camera, queue: FrameQueue, effort: Effort) -> None:
        """`effort` is told of each picture; an exception goes to `queue` and ends the run."""
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
    """A new encoder for each session, for one that has failed stays broken. Its output writes to `queue`."""
    if level.encoder == HARDWARE:
        # by its own module: on a Pi 5 the package's H264Encoder is x264
        from picamera2.encoders.h264_encoder import H264Encoder
        encoder = H264Encoder(bitrate=camera.bitrate_kbps * 1000, repeat=True, framerate=camera.fps,
                              iperiod=camera.fps * GOP_US // 1_000_000)
    else:
        encoder = X264(level, camera, queue, effort)
    encoder.output = LayDown(encoder, camera.fps, queue)
    return encoder


class LayDown(Output):
    """Lays each encoded frame down for our own thread. Called in picamera2's threads: never raises, never blocks."""

    def __init__(self, encoder: Any, fps: int, queue: FrameQueue) -> None:
        super().__init__()
        self._encoder, self._queue = encoder, queue
        self._keys = KeyWatch(fps) if hasattr(encoder, "force_key_frame") else None     # the hardware's: it only counts
        self._guarded = queue.guarded(self._lay_down)

    def outputframe(self, frame: bytes, keyframe: bool = True, timestamp: int | None = None, packet: Any = None,
                    audio: bool = False) -> None:
        """`timestamp` counts from the encoder's first frame, in microseconds."""
        self._guarded(frame, keyframe, timestamp)

    def _lay_down(self, frame: bytes, key: bool, timestamp_us: int) -> None:
        self._queue.put(bytes(frame), self._encoder.firsttimestamp + timestamp_us, key)   # on the sensor's clock
        if self._keys is not None and self._keys.due(timestamp_us, key):
            self._encoder.force_key_frame()
