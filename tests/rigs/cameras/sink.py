"""A sink for tests that keeps all that a source gives."""
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.core.media.model import AudioInfo, Packet, Sound, StreamInfo
from agent.core.vision.luma import Luma


@dataclass
class Watcher:
    """Keeps everything; `on_packet` may do more, or fail."""

    infos: list[StreamInfo] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    audio_infos: list[tuple[AudioInfo | None, str]] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)
    on_packet: Callable[[Packet], None] = lambda packet: None

    def stream(self, info: StreamInfo) -> None:
        """The format."""
        self.infos.append(info)

    def packet(self, packet: Packet) -> None:
        """The next packet."""
        self.packets.append(packet)
        self.on_packet(packet)

    def audio(self, info: AudioInfo | None, unsupported: str = "") -> None:
        """The sound's format, or why there is none."""
        self.audio_infos.append((info, unsupported))

    def sound(self, sound: Sound) -> None:
        """The next stretch of sound."""
        self.sounds.append(sound)

    def wants_luma(self, mono_s: float) -> bool:
        """No pictures."""
        return False

    def wants_main_luma(self) -> bool:
        """No pictures."""
        return False

    def luma(self, picture: Luma) -> None:
        """Never called by a source that asks first."""
