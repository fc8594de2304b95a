"""Work that waits between the thread that receives and the one that works: bounded, and shortened by whole GOPs."""
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

PACKETS_MAX, BYTES_MAX = 90, 8 << 20        # three seconds of pictures and more: later ones would help nobody
OTHERS_MAX = 1000                           # sound, above all

Work = Callable[[], None]


class _Item(NamedTuple):
    work: Work
    size_b: int
    is_packet: bool


class Backlog:
    """Neither side waits for the other, but the working one for work."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: deque[_Item] = deque()
        self._packets_n = self._waiting_b = 0
        self._dropping = self._closed = False

    def packet(self, work: Work, size_b: int, key: bool) -> bool:
        """Add a packet's work; False when there is no room: then the rest of its GOP is refused, too.

        It goes on with a keyframe once half of the room is free, lest only keyframes come through.
        """
        with self._changed:
            room = PACKETS_MAX // 2 if self._dropping else PACKETS_MAX
            full = self._packets_n >= room or self._waiting_b + size_b > BYTES_MAX
            self._dropping = full or (self._dropping and not key)
            if not self._dropping:
                self._packets_n += 1
                self._append(_Item(work, size_b, True))
            return not self._dropping

    def other(self, work: Work, size_b: int) -> None:
        """Add what belongs between the packets; forgotten while these are refused."""
        with self._changed:
            if not self._dropping and len(self._items) - self._packets_n < OTHERS_MAX:
                self._append(_Item(work, size_b, False))

    def close(self, last: Work) -> None:
        """Nothing more comes but this."""
        with self._changed:
            self._closed = True
            self._append(_Item(last, 0, False))

    def next(self, wait_s: float) -> Work | None:
        """The oldest work, or None if none comes within `wait_s`. Raises EOFError when none will ever come."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, wait_s)
            if not self._items:
                if self._closed:
                    raise EOFError
                return None
            item = self._items.popleft()
            self._packets_n -= item.is_packet
            self._waiting_b -= item.size_b
            return item.work

    def _append(self, item: _Item) -> None:
        self._items.append(item)
        self._waiting_b += item.size_b
        self._changed.notify()
