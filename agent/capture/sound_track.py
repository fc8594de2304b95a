"""One camera's sound on its way to the recorder: which format it has, and its stretches on the device's clock."""
import logging

from agent.core.contract.facts import SoundFacts
from agent.core.media.model import AudioInfo, Sound
from agent.core.media.mp4.traks import holds
from agent.core.media.timeline import Soundline

SILENT_S = 10.0      # sound that was promised and has not come for so long is told as missing

_log = logging.getLogger(__name__)


class SoundTrack:
    """Dates what a source sends of sound. Why sound is not kept is said once in the log, and in `facts`."""

    def __init__(self, camera: str, wanted: bool) -> None:
        self._camera, self._wanted = camera, wanted
        self._told: tuple[AudioInfo | None, str] | None = None
        self._line: Soundline | None = None
        self._came_us: int | None = None
        self._dropped_n = 0
        self.audio: AudioInfo | None = None     # the format that is recorded

    @property
    def dropped_n(self) -> int:
        """Stretches that had no place in time."""
        return self._dropped_n + (self._line.dropped_n if self._line else 0)

    def learn(self, info: AudioInfo | None, unsupported: str) -> bool:
        """The format of what follows, as `Sink.audio` tells it; whether it is another one than before."""
        if self._told == (info, unsupported):
            return False
        self._told = info, unsupported
        before, self.audio = self.audio, info if info is not None and holds(info) else None
        if self.audio is None:
            codec = unsupported or (info.codec if info else "")
            _log.warning("%s: %s; it is recorded without sound", self._camera,
                         f"its sound is {codec}, which can't be kept as it is: AAC or G.711 can" if codec
                         else "sends no sound")
        self.restart()
        return self.audio != before

    def restart(self) -> None:
        """A new run begins, with clocks that start anew."""
        self._dropped_n = self.dropped_n
        self._line = Soundline(self.audio.rate_hz) if self.audio else None

    def date(self, sound: Sound, now_us: int) -> list[Sound]:
        """The next stretch, on the source's clock; returns those that can be dated now, on the device's."""
        self._came_us = now_us
        return self._line.date(sound, now_us) if self._line else []

    def facts(self, now_mono_s: float) -> SoundFacts | None:
        """Facts for the heartbeat; None before the source has told of its sound."""
        if not self._wanted:
            return SoundFacts("off")
        if self._told is None:
            return None
        info, unsupported = self._told
        if self.audio is None:
            return SoundFacts("unsupported", unsupported or info.codec) if unsupported or info else SoundFacts("none")
        silent = self._came_us is None or now_mono_s - self._came_us / 1e6 > SILENT_S
        return SoundFacts("silent" if silent else "recorded", self.audio.codec, self.audio.rate_hz)
