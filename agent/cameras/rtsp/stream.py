"""A camera that plays: its bytes become packets for the sink; it is sent signs of life, and its silence is noticed."""
import contextlib
import select
import socket
from collections.abc import Callable

from agent.cameras import RecordSink, SourceError
from agent.cameras.rtsp.connect import waits_for
from agent.core.media import audio
from agent.core.media.model import Packet, Sound
from agent.core.protocols.rtp.items import EncodedUnit, Item, RtspText, TrackFormat
from agent.core.protocols.rtp.receiver import InterleavingError, Receiver
from agent.core.protocols.rtsp.dialogue import Dialogue
from agent.core.protocols.rtsp.message import Unreadable, read, receiver_report
from agent.core.protocols.rtsp.offer import UnfitStream

SILENT_S = 4.0              # nothing at all: the camera hangs, or the way to it
NO_VIDEO_S = 8.0            # it talks but shows nothing; some pause for seconds when they switch to night
FLOOD_B_PER_S = 32_000_000  # ten times the largest stream of any camera
UNSENT_MAX_B = 65_536       # a camera that does not even take our signs of life


class RtspStream:
    """One camera's connection in the hub. Raises SourceError, OSError and UnfitStream."""

    def __init__(self, connection: socket.socket, dialogue: Dialogue, receiver: Receiver, sink: RecordSink, name: str,
                 now: Callable[[], float]) -> None:
        """`name` is the camera's address as it may be shown."""
        self.socket = connection
        self._dialogue, self._receiver, self._sink, self._name, self._now = dialogue, receiver, sink, name, now
        self._sounds = {track.channel: track.sound for track in dialogue.tracks if track.sound}
        self._unsent = bytearray()
        self._heard_mono_s = self._seen_mono_s = self._second_mono_s = now()
        self._second_b = 0
        self._speak_mono_s = self._heard_mono_s + dialogue.keep_alive_every_s
        self.seen_n = 0         # units of video

    @property
    def due_mono_s(self) -> float:
        """When the camera is to hear of us, or has been silent for too long."""
        return min(self._speak_mono_s, self._heard_mono_s + SILENT_S, self._seen_mono_s + NO_VIDEO_S)

    def receive(self, piece: memoryview) -> bool:
        """Take what has come; whether more may wait: in the socket, or in TLS, which announces nothing."""
        taken_b = 0
        while taken_b < len(piece):
            try:
                size_b = self.socket.recv_into(piece)
            except OSError as error:
                if not waits_for(error, select.POLLIN):
                    raise
                return False
            if not size_b:
                raise SourceError("camera_unreachable", f"{self._name}: the camera closed the connection",
                                  "it may be restarting")
            taken_b += size_b
            self.handle(piece[:size_b])
            if not hasattr(self.socket, "pending"):     # once is enough where nothing is encrypted
                break
        return taken_b >= len(piece)

    def handle(self, data: bytes | memoryview) -> None:
        """Hand on the packets that these bytes complete."""
        self._heard_mono_s = self._now()
        self._count(len(data))
        for item in self._received(data):
            self._hand_on(item)

    def _hand_on(self, item: Item) -> None:
        match item:
            case EncodedUnit() if item.track in self._sounds:
                info = self._sounds[item.track]
                self._sink.sound(Sound(item.data, item.pts_us, audio.samples_n(info, item.data)))
            case EncodedUnit():
                self._seen_mono_s = self._heard_mono_s
                self.seen_n += 1
                self._sink.packet(Packet(item.data, item.pts_us, item.dts_us, item.key))
            case TrackFormat():
                self._sink.stream(item.info)
            case RtspText():
                self._listen(item.data)

    def _received(self, data: bytes | memoryview) -> list[Item]:
        try:
            return self._receiver.feed(data)
        except InterleavingError as error:
            if not self.seen_n:
                raise UnfitStream(f"it sends {error}") from None
            raise SourceError("camera_stream_bad", f"{self._name}: sends no valid video any more ({error})",
                              "restart the camera") from None

    def tick(self) -> bool:
        """Say what is to be said, notice what is missing; whether the socket has no room for all of it."""
        now_mono_s = self._now()
        if now_mono_s >= self._heard_mono_s + SILENT_S:
            raise SourceError("camera_unreachable", f"{self._name}: sends nothing any more",
                              "check its power and network")
        if now_mono_s >= self._seen_mono_s + NO_VIDEO_S:
            if not self.seen_n:
                raise UnfitStream("nothing that it sends makes a picture here")
            raise SourceError("camera_no_frames", f"{self._name}: is there but sends no picture", "restart the camera")
        if now_mono_s >= self._speak_mono_s:
            self._speak_mono_s = now_mono_s + self._dialogue.keep_alive_every_s
            reports = (receiver_report(id(self) & 0xFFFFFFFF, track.control_channel) for track in self._dialogue.tracks)
            self._say(self._dialogue.keep_alive() + b"".join(reports))
        return self._flush()

    def end(self) -> None:
        """Say goodbye, if there is room for it, and close."""
        with contextlib.suppress(OSError):
            if not self._unsent and not self._dialogue.over:
                self.socket.send(self._dialogue.farewell())
        with contextlib.suppress(OSError):
            self.socket.close()

    def _listen(self, data: bytes) -> None:
        """The camera's own words: answers to our signs of life, and requests."""
        head, _, body = data.partition(b"\r\n\r\n")
        with contextlib.suppress(Unreadable):       # whatever it was, the video tells whether the camera is well
            self._say(self._dialogue.hear(read(head, body)))
        if self._dialogue.over:
            raise SourceError("camera_unreachable", f"{self._name}: the camera ended the stream",
                              "it may be restarting")

    def _say(self, data: bytes) -> None:
        self._unsent += data
        if len(self._unsent) > UNSENT_MAX_B:
            raise SourceError("camera_unreachable", f"{self._name}: takes no word from us", "restart the camera")
        self._flush()

    def _flush(self) -> bool:
        """Send what there is room for; whether some is left. The hub asks again when there is room, or at a tick."""
        while self._unsent:
            try:
                del self._unsent[:self.socket.send(self._unsent)]
            except OSError as error:
                if not waits_for(error, select.POLLOUT):
                    raise
                return True
        return False

    def _count(self, size_b: int) -> None:
        if self._heard_mono_s - self._second_mono_s >= 1.0:
            self._second_mono_s, self._second_b = self._heard_mono_s, 0
        self._second_b += size_b
        if self._second_b > FLOOD_B_PER_S:
            raise SourceError("camera_stream_bad", f"{self._name}: sends more than any camera does", "is it one?")
