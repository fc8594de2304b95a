"""The sound of what PyAV opens: its format for the sink, and its packets as ours."""
from typing import Any

from agent.capture.source import Sink
from agent.capture.source.demux import microseconds
from agent.core import audio
from agent.core.model import AudioInfo, Sound

LAWS = {"pcm_alaw": "pcma", "pcm_mulaw": "pcmu"}


class Sounds:
    """The first sound of a container; `stream` is None where there is none, or none that can be kept as it is."""

    def __init__(self, container: Any) -> None:
        streams = container.streams.audio
        self._codec = streams[0].codec_context.name if streams else ""
        self._info = _info(streams[0].codec_context) if streams else None
        self.stream: Any = streams[0] if self._info is not None else None

    def announce(self, sink: Sink) -> None:
        """Tell the format, or what is in its way."""
        sink.audio(self._info, "" if self._info is not None else self._codec)

    def take(self, packet: Any) -> Sound | None:
        """Our stretch of sound from one of PyAV's packets; None for one without data or time."""
        if self._info is None or not packet.size or packet.pts is None:
            return None
        data = bytes(packet)
        return Sound(data, microseconds(packet.pts, packet.time_base), audio.samples_n(self._info, data))

    def end_us(self, sound: Sound) -> int:
        """When a stretch of sound that `take` gave ends, on its own clock."""
        return sound.pts_us + sound.samples_n * 1_000_000 // self._info.rate_hz if self._info else sound.pts_us


def _info(context: Any) -> AudioInfo | None:
    """None for what can't be kept; AAC without a configuration is of a kind that has it in each frame (ADTS)."""
    if context.name == "aac":
        return audio.aac(bytes(context.extradata or b""))
    law = LAWS.get(context.name)
    return AudioInfo(law, context.sample_rate, len(context.layout.channels)) if law else None
