"""Reads streams with libav through PyAV, for those that our reader cannot read. Packets are not encoded again."""
import contextlib
from collections.abc import Iterator
from typing import Any

import av

from agent.cameras import RecordSink, Sink, Source, SourceError
from agent.cameras.demux import Packets, Sounds, video_stream
from agent.cameras.rtsp.connect import ConnectStopped
from agent.cameras.rtsp.errors import in_plain_words
from agent.cameras.rtsp.pins import CertificatePins
from agent.cameras.rtsp.relay import Relay
from agent.core.media.model import StreamInfo
from agent.core.media.nal import BitstreamError
from agent.core.media.timeline import InStep
from agent.core.passwords import redact
from agent.core.protocols.rtsp.address import parse
from agent.core.protocols.rtsp.message import Unreadable
from agent.host.clock import Clock
from agent.host.decoder import ANY_METADATA, PROBING
from agent.host.stop import Stop

# libav waits about twice the value before it gives up (measured: 4 s became 8.2 s, 2.2 s 4.6 s). It ignores the other
# option, `stimeout`.
OPTIONS = {"timeout": "2200000", "analyzeduration": "0", "probesize": "32", "protocol_whitelist": "tcp,udp,rtp"}
# Never multicast: the unit's sandbox forbids its addresses.
TRANSPORTS = {"tcp": {"rtsp_transport": "tcp"}, "udp": {"rtsp_transport": "udp"},
              "any": {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"}}

NO_VIDEO_US = 8_000_000     # of sound without video: libav does not notice then that the picture stands still


class LibavSource(Source):
    """One RTSP stream. `audio` adds its sound."""

    def __init__(self, url: str, transport: str, clock: Clock, audio: bool = False,
                 pins: CertificatePins | None = None) -> None:
        """`transport` is one of TRANSPORTS."""
        self._url, self._name, self._clock, self._audio, self._pins = url, redact(url), clock, audio, pins
        self._options = {**OPTIONS, **PROBING, **TRANSPORTS[transport]}
        self.delivered = False          # whether video has come

    def run(self, sink: Sink, stop: Stop) -> None:
        """Receives until the camera ends the stream, which is an error, or `stop` is set. Raises SourceError."""
        address = parse(self._url)
        with (self._errors(address.host), contextlib.suppress(ConnectStopped),
              Relay(address, self._pins, self._clock.mono_s, stop) as relay,
              av.open(relay.url, options=self._options, timeout=(5.0, 2.5), **ANY_METADATA) as container):
            stream = video_stream(container, self._name)
            packets = Packets(stream)
            if packets.info is not None:
                sink.stream(packets.info)
            sounds = Sounds(container) if self._audio else None
            if sounds is not None:
                sounds.announce(sink)
            step, unseen_us = InStep(), 0
            for packet in container.demux(*filter(None, (stream, sounds and sounds.stream))):
                if stop.is_set():
                    return
                if packet.size == 0:        # libav's mark for the end; packets without a time are real
                    continue
                if packet.stream_index == stream.index:
                    _hand_on(packets, packet, sink, step)
                    self.delivered = True
                    unseen_us = 0
                elif sounds is not None and (sound := sounds.convert(packet)):
                    long_us = sounds.end_us(sound) - sound.pts_us
                    for due in step.due(sound, long_us):
                        sink.sound(due)
                    unseen_us += long_us
                    if unseen_us > NO_VIDEO_US:
                        raise SourceError("camera_no_frames", f"{self._name}: sends sound but no picture",
                                          "restart the camera")
        if not stop.is_set():
            raise SourceError("camera_unreachable", f"{self._name}: the camera closed the connection",
                              "it may be restarting")

    @contextlib.contextmanager
    def _errors(self, host: str) -> Iterator[None]:
        try:
            yield
        except av.error.HTTPUnauthorizedError:
            raise SourceError("camera_auth", f"{self._name}: the camera refuses the user name or password",
                              "correct them in the source's address") from None
        except av.error.HTTPNotFoundError:
            raise SourceError("camera_not_found", f"{self._name}: the camera has no stream under this path",
                              "its manual tells the right one") from None
        except (av.error.InvalidDataError, Unreadable):     # also the result of a camera that hangs during the dialogue
            raise SourceError("camera_unreachable", f"{self._name}: {host} gives no answer that makes sense",
                              "is it a camera? If so, restart it") from None
        except BitstreamError as error:
            raise SourceError("camera_stream_bad", f"{self._name}: sends no valid video ({error})",
                              "restart the camera") from None
        except Exception as error:
            if isinstance(error, av.error.FFmpegError) and not isinstance(error, OSError):
                late = isinstance(error, av.error.ExitError)        # our own limit on waiting
                error = TimeoutError() if late else OSError(error.errno, error.strerror)
            known = in_plain_words(error, self._name, host)
            if known is None:
                raise
            raise known from None


def _hand_on(packets: Packets, packet: Any, sink: RecordSink, step: InStep) -> None:
    """libav gives a picture when the next one comes; of the sounds, only AAC's last stretch waits so."""
    for item in packets.convert(packet):
        if isinstance(item, StreamInfo):
            sink.stream(item)
        else:
            step.picture(item.dts_us)
            sink.packet(item)
