"""An IP camera over RTSP: recorded as it comes, never re-encoded (libav through PyAV, TCP)."""
import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import av

from agent.capture.source import Sink, SourceError
from agent.capture.source.demux import ANY_METADATA, Eye, Packets, video_stream
from agent.core.model import StreamInfo
from agent.core.nal import BitstreamError
from agent.host.clock import Clock
from agent.host.log import redact
from agent.host.stop import Stop

# libav waits about twice the value before it gives up (measured: 4 s became 8.2 s);
# the other way to say it, `stimeout`, is ignored.
OPTIONS = {"rtsp_transport": "tcp", "timeout": "2500000", "analyzeduration": "0", "probesize": "32"}


class RtspSource:
    """One RTSP stream. With `luma_only` nothing but pictures for motion is made of it (a camera's sub-stream)."""

    def __init__(self, url: str, clock: Clock, luma_only: bool = False) -> None:
        self._url, self._clock, self._luma_only = url, clock, luma_only
        self._name = redact(url)

    def run(self, sink: Sink, stop: Stop) -> None:
        """Receive until the camera ends the stream, which is an error, or `stop` is set. Raises SourceError."""
        with self._errors(), av.open(self._url, options=OPTIONS, timeout=(5.0, 2.5),
                                     **ANY_METADATA) as container:
            stream = video_stream(container, self._name)
            packets, eye = Packets(stream), Eye(stream, self._clock, always=self._luma_only)
            if packets.info is not None and not self._luma_only:
                sink.stream(packets.info)
            for packet in container.demux(stream):
                if stop.is_set():
                    return
                if packet.size == 0:        # libav's mark for the end; packets without a time are real ones
                    continue
                if not self._luma_only:
                    _hand_on(packets, packet, sink)
                eye.look(packet, sink)
        raise SourceError("camera_unreachable", f"{self._name}: the camera closed the connection; it may be restarting")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """What libav and the system call an error, as one clear line with a remedy and without the password."""
        host = urlsplit(self._url).hostname
        try:
            yield
        except av.error.HTTPUnauthorizedError:
            raise SourceError("camera_auth", f"{self._name}: the camera refuses the user name or password; "
                                             f"correct them in the source's address") from None
        except av.error.HTTPNotFoundError:
            raise SourceError("camera_not_found", f"{self._name}: the camera has no stream under this path; "
                                                  f"its manual tells the right one") from None
        except (ConnectionError, av.error.ConnectionRefusedError):
            raise SourceError("camera_unreachable", f"{self._name}: {host} refuses the connection; "
                                                   "is it a camera, and is RTSP on?") from None
        except (av.error.ExitError, TimeoutError):
            raise SourceError("camera_unreachable", f"{self._name}: {host} does not answer; "
                                                   "check its power and network") from None
        except BitstreamError as error:
            raise SourceError("camera_stream_bad", f"{self._name}: sends no valid video ({error}); "
                                                 "restart the camera") from None
        except (av.error.FFmpegError, OSError) as error:
            text = getattr(error, "strerror", None) or type(error).__name__
            raise SourceError("camera_unreachable", f"{self._name}: {text}; "
                                                   "check the camera's power, address and network") from None


def _hand_on(packets: Packets, packet: Any, sink: Sink) -> None:
    for item in packets.take(packet):
        if isinstance(item, StreamInfo):
            sink.stream(item)
        else:
            sink.packet(item)
