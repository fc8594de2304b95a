"""A video file, handed out in real time as a camera would; with `loop` it never ends."""
from pathlib import Path

import av

from agent.capture.source import Sink, SourceError
from agent.capture.source.demux import ANY_METADATA, Eye, Packets, video_stream
from agent.core.model import Packet, StreamInfo
from agent.core.nal import BitstreamError
from agent.host.clock import Clock
from agent.host.stop import Stop


class FileSource:
    """Plays one file; packets are copied, never re-encoded. With `luma_only` it stands for a camera's sub-stream."""

    def __init__(self, path: Path, clock: Clock, loop: bool = False, luma_only: bool = False) -> None:
        self._path, self._clock, self._loop, self._luma_only = path, clock, loop, luma_only

    def run(self, sink: Sink, stop: Stop) -> None:
        """Play the file once, or over and over; returns at its end or when `stop` is set. Raises SourceError."""
        began_us = int(self._clock.mono_s() * 1e6)
        while True:
            try:
                played_us = self._play(sink, stop, began_us)
            except FileNotFoundError:
                raise SourceError("camera_not_found", f"{self._path}: there is no such file; "
                                                      "correct the camera's source") from None
            except (av.error.FFmpegError, BitstreamError, OSError) as error:
                text = getattr(error, "strerror", None) or str(error)
                raise SourceError("camera_stream_bad", f"{self._path}: is no video that can be played ({text}); "
                                                       f"try it with: ffprobe {self._path}") from None
            if stop.is_set() or not self._loop:
                return
            if not played_us:
                raise SourceError("camera_stream_bad", f"{self._path}: has no picture in it; choose another file")
            began_us += played_us

    def _play(self, sink: Sink, stop: Stop, began_us: int) -> int:
        """Play the file once, its first frame at `began_us` of the device's clock; returns its length in us."""
        first_us: int | None = None
        last_us = step_us = 0
        with av.open(str(self._path), **ANY_METADATA) as container:
            stream = video_stream(container, str(self._path))
            packets, eye = Packets(stream), Eye(stream, self._clock, always=self._luma_only)
            if packets.info is not None:
                sink.stream(packets.info)
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                for item in packets.take(packet):
                    if isinstance(item, StreamInfo):
                        sink.stream(item)
                        continue
                    first_us = item.dts_us if first_us is None else first_us
                    due_us = began_us + item.dts_us - first_us
                    if stop.wait(max(0.0, due_us / 1e6 - self._clock.mono_s())):
                        return 0
                    step_us, last_us = item.dts_us - first_us - last_us, item.dts_us - first_us
                    sink.packet(Packet(item.data, began_us + item.pts_us - first_us, due_us, item.key))
                eye.look(packet, sink)
        return last_us + step_us if first_us is not None else 0
