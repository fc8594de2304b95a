"""Encodes with the board's encoder (V4L2 memory-to-memory). Calls have a time limit, because libav's have none."""
import av

from agent.cameras import SourceError, SourceStuck
from agent.cameras.effort import HEADROOM
from agent.cameras.encode import GOP_US, KeyTimes, create, stamped
from agent.cameras.frame_queue import EncodedFrame, TooLate, within

CODEC = "h264_v4l2m2m"
OPEN_S, ENCODE_S = 10.0, 4.0        # usually some hundredths of a second


class HardwareEncoder:
    def __init__(self, name: str, width: int, height: int, fps: int, kbps: int) -> None:
        """`name` is the camera's. Raises SourceError if the encoder cannot be opened, and SourceStuck."""
        self._name = name
        self._keys = KeyTimes()
        try:
            self._codec = create(CODEC, width, height, fps, kbps)
            self._codec.gop_size = fps * GOP_US // 1_000_000
            within(OPEN_S, self._codec.open)
        except TooLate as error:
            raise self._stuck(error) from None
        except (av.error.FFmpegError, ValueError) as error:
            raise self._failed(error) from None

    def encode(self, frame: av.VideoFrame, pts_us: int) -> list[EncodedFrame]:
        """Takes one yuv420p picture; returns the frames that are ready, mostly one. Raises SourceError, SourceStuck."""
        asked = stamped(frame, pts_us, self._keys.due(pts_us))
        try:
            packets = within(ENCODE_S, lambda: self._codec.encode(asked))
        except TooLate as error:
            raise self._stuck(error) from None
        except av.error.FFmpegError as error:
            raise self._failed(error) from None
        return [EncodedFrame(bytes(packet), round(packet.pts * packet.time_base * 1_000_000)) for packet in packets]

    def _failed(self, error: Exception) -> SourceError:
        """Also notes the failure, so that x264 takes over after some."""
        HEADROOM.hardware_failed(self._name)
        return SourceError("encoder_missing", f"{self._name}: the board's video encoder does not work ({error})",
                           "end other programs that use it, or choose a smaller picture")

    def _stuck(self, error: TooLate) -> SourceStuck:
        return SourceStuck("camera_no_frames", f"{self._name}: the board's video encoder is {error}",
                           "its process is being restarted; if it recurs, set a higher bitrate_kbps")
