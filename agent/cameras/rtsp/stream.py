"""A camera that plays: turns its bytes into packets for the sink, sends keep-alives, and detects silence."""
import contextlib
import select
import socket
import time
from collections.abc import Callable

from agent.cameras import RecordSink, SourceError
from agent.cameras.rtsp.connect import waits_for
from agent.core.media import audio
from agent.core.media.model import Packet, Sound
from agent.core.media.timeline import SETTLE_US
from agent.core.protocols.rtp.receiver import InterleavingError, Receiver
from agent.core.protocols.rtp.track import EncodedUnit, Item, RtspText, TrackFormat
from agent.core.protocols.rtsp.dialogue import Dialogue
from agent.core.protocols.rtsp.message import Unreadable, read, receiver_report
from agent.core.protocols.rtsp.sdp import UnfitStream

SILENT_S = 4.0              # no data at all: the camera or the network hangs
NO_VIDEO_S = 8.0            # data but no video; some cameras pause for seconds when they switch to night
FLOOD_B_PER_S = 32_000_000  # ten times the largest stream of any camera
UNSENT_MAX_B = 65_536       # a camera that does not even read our keep-alives
WORDS_MAX_N = 100           # messages of its own per second; good cameras send two a minute
SETTLE_S = 2 * SETTLE_US / 1e6      # after a track's first unit: pictures and sound are aligned by their arrival
BUSY_OVER_S = 5.0           # time over which a camera's share of the hub's thread is measured,
BUSY_MAX = 0.7              # and the largest share: the thread serves every camera


class _StreamLoad:
    """The load that one camera causes. Raises SourceError if it is more than any camera should cause."""

    def __init__(self, name: str, now_mono_s: float) -> None:
        self._name = name
        self._second_mono_s = self._busy_mono_s = now_mono_s    # when the short and the long count began
        self._came_b = self._words_n = 0
        self._busy_s = 0.0

    def came(self, size_b: int, now_mono_s: float) -> None:
        if now_mono_s - self._second_mono_s >= 1.0:
            self._second_mono_s, self._came_b, self._words_n = now_mono_s, 0, 0
        self._came_b += size_b
        self._limit(self._came_b <= FLOOD_B_PER_S)

    def talked(self) -> None:
        self._words_n += 1
        self._limit(self._words_n <= WORDS_MAX_N)

    def worked(self, work_s: float, now_mono_s: float) -> None:
        """Counts time of the thread. Data that is cheap to send may be expensive to receive."""
        self._busy_s += work_s
        over_s = now_mono_s - self._busy_mono_s
        if over_s >= BUSY_OVER_S:
            if self._busy_s > BUSY_MAX * over_s:
                raise SourceError("camera_stream_bad", f"{self._name}: takes more work than this machine has time for",
                                  "lower its resolution or frame rate")
            self._busy_s, self._busy_mono_s = 0.0, now_mono_s

    def _limit(self, bounded: bool) -> None:
        if not bounded:
            raise SourceError("camera_stream_bad", f"{self._name}: sends more than any camera does", "is it one?")


class RtspStream:
    """One camera's connection in the hub. Raises SourceError, OSError and UnfitStream."""

    def __init__(self, connection: socket.socket, dialogue: Dialogue, receiver: Receiver, sink: RecordSink, name: str,
                 now: Callable[[], float]) -> None:
        """`name` is the camera's address without its password."""
        self.socket = connection
        self._dialogue, self._receiver, self._sink, self._name, self._now = dialogue, receiver, sink, name, now
        self._sounds = {track.channel: track.sound for track in dialogue.tracks if track.sound}
        self._unsent = bytearray()
        self._begun = set[int]()    # tracks that have sent something
        self._settled_mono_s = float("inf")
        self._heard_mono_s = self._seen_mono_s = now()
        self._load = _StreamLoad(name, self._heard_mono_s)
        self._speak_mono_s = self._heard_mono_s + dialogue.keep_alive_every_s
        self.seen_n = 0         # units of video

    @property
    def due_mono_s(self) -> float:
        """Returns when to send a keep-alive, or when the camera has been silent for too long."""
        return min(self._speak_mono_s, self._heard_mono_s + SILENT_S, self._seen_mono_s + NO_VIDEO_S)

    @property
    def settling(self) -> bool:
        """Whether the clocks of its tracks are still being learned; then data must be read at once."""
        return self._heard_mono_s < self._settled_mono_s

    def receive(self, piece: memoryview) -> bool:
        """Reads what has come; returns whether more may wait: in the socket, or in TLS, which announces nothing."""
        began_s = time.thread_time()
        more = self._receive(piece)
        self._load.worked(time.thread_time() - began_s, self._heard_mono_s)
        return more

    def _receive(self, piece: memoryview) -> bool:
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
            if not hasattr(self.socket, "pending"):     # without encryption, once is enough
                break
        return taken_b >= len(piece)

    def handle(self, data: bytes | memoryview) -> None:
        self._heard_mono_s = self._now()
        self._load.came(len(data), self._heard_mono_s)
        for item in self._received(data):
            if self.settling and isinstance(item, EncodedUnit):
                self._settle(item.track)
            self._hand_on(item)

    def _settle(self, track: int) -> None:
        """Notes a track's first unit. A track that is silent for seconds has no part in it."""
        if track not in self._begun:
            self._begun.add(track)
            self._settled_mono_s = self._heard_mono_s + SETTLE_S

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
            raise SourceError("camera_stream_bad", f"{self._name}: no longer sends valid video ({error})",
                              "restart the camera") from None

    def tick(self) -> bool:
        """Sends keep-alives and detects silence; returns whether it waits for room to send."""
        now_mono_s = self._now()
        if now_mono_s >= self._heard_mono_s + SILENT_S:
            raise SourceError("camera_unreachable", f"{self._name}: no longer sends anything",
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
        """Says goodbye, if there is room for it, and closes."""
        with contextlib.suppress(OSError):
            if not self._unsent and not self._dialogue.over:
                self.socket.send(self._dialogue.farewell())
        with contextlib.suppress(OSError):
            self.socket.close()

    def _listen(self, data: bytes) -> None:
        self._load.talked()
        head, _, body = data.partition(b"\r\n\r\n")
        with contextlib.suppress(Unreadable):       # whatever it was, the video shows whether the camera works
            self._say(self._dialogue.hear(read(head, body)))
        if self._dialogue.over:
            raise SourceError("camera_unreachable", f"{self._name}: the camera ended the stream",
                              "it may be restarting")

    def _say(self, data: bytes) -> None:
        self._unsent += data
        if len(self._unsent) > UNSENT_MAX_B:
            raise SourceError("camera_unreachable", f"{self._name}: does not read our messages", "restart the camera")
        self._flush()

    def _flush(self) -> bool:
        """Sends as much as fits; returns whether some is left. The hub calls again when there is room, or at a tick."""
        while self._unsent:
            try:
                del self._unsent[:self.socket.send(self._unsent)]
            except OSError as error:
                if not waits_for(error, select.POLLOUT):
                    raise
                return True
        return False
