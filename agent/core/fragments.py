"""Groups a clip's packets into fragments: short enough that a power cut costs little, never across a keyframe. Pure."""
from agent.core.model import Packet, StreamInfo
from agent.core.mp4.write import Movie

LONGEST_US = 300_000        # what waits in memory; together with the flush schedule it bounds what a cut can cost
SEEK_EVERY_S = 2.0          # room for this many seek points; more keyframes than that are merged


class Fragmenter:
    """One clip in the making: `head`, then what `add` returns, then what `close` returns."""

    def __init__(self, info: StreamInfo, first: Packet, wall_ms: int, longest_s: float) -> None:
        """`first` is the first packet to be added, `wall_ms` when that is, `longest_s` how long the clip may become."""
        self._movie = Movie(info, wall_ms=wall_ms, reorder_us=first.pts_us - first.dts_us,
                            index_entries_max=int(longest_s / SEEK_EVERY_S) + 8)
        self._pending: list[Packet] = []
        self.head = self._movie.init_segment()

    @property
    def dur_us(self) -> int:
        """From the first frame to the end of the last whole fragment."""
        return self._movie.duration_us

    @property
    def frames_n(self) -> int:
        """Frames in whole fragments."""
        return self._movie.frames_n

    def add(self, packet: Packet) -> bytes | None:
        """Take the next packet; returns the fragment that it ends, if it ends one."""
        done = None
        if self._pending and (packet.key or packet.dts_us - self._pending[0].dts_us >= LONGEST_US):
            done = self._movie.fragment(self._pending, packet.dts_us)
            self._pending = []
        self._pending.append(packet)
        return done

    def close(self, until_us: int) -> tuple[bytes, list[tuple[int, bytes]]]:
        """The last fragment, shown until `until_us`, and the patches (offset, bytes) that complete the head."""
        tail = b""
        if self._pending:
            tail = self._movie.fragment(self._pending, max(until_us, self._pending[-1].dts_us + 1))
        self._pending = []
        return tail, [(0, self._movie.final_head())]
