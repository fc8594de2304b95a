"""A bounded queue of a stream's packets, which drops whole GOPs. Pure: it never blocks; its owner locks it."""
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

NO_LIMIT_N = 1 << 30


class GopQueue(Generic[T]):
    """If it is full, it drops its packets and waits for a keyframe; or it `refuses` new packets to the GOP's end.

    A queue that refuses accepts a keyframe again once half of its packets are gone. Otherwise only keyframes would
    pass.
    """

    def __init__(self, size_b: Callable[[T], int], bytes_max: int, packets_max: int = NO_LIMIT_N, *,
                 refuses: bool = False, is_packet: Callable[[T], bool] | None = None) -> None:
        """`size_b` measures an item. `is_packet` distinguishes packets from other inserted items, if there are any."""
        self._size_b, self._bytes_max, self._packets_max = size_b, bytes_max, packets_max
        self._refuses, self._is_packet = refuses, is_packet
        self._items: deque[T] = deque()
        self._announced: T | None = None
        self._waiting_b = self._packets_n = 0
        self.needs_key = not refuses        # accepts only a keyframe
        self.dropped_n = 0                  # packets that were dropped or refused for lack of room

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def offer(self, packet: T, key: bool) -> bool:
        size_b = self._size_b(packet)
        room_n = self._packets_max // 2 if self._refuses and self.needs_key else self._packets_max
        if self._packets_n >= room_n or self._waiting_b + size_b > self._bytes_max:
            if self._refuses:
                self.needs_key = True
                self.dropped_n += 1
                return False
            self.forget()
        if self.needs_key and not key:
            self.dropped_n += self._refuses
            return False
        self.needs_key = False
        self._items.append(packet)
        self._waiting_b += size_b
        self._packets_n += 1
        return True

    def insert(self, other: T, others_max: int = NO_LIMIT_N) -> bool:
        """Adds an item between packets. Drops it while packets are refused, or if `others_max` others wait."""
        let_in = not (self.needs_key and self._refuses) and len(self._items) - self._packets_n < others_max
        if let_in:
            self.append(other)
        return let_in

    def append(self, other: T) -> None:
        self._items.append(other)
        self._waiting_b += self._size_b(other)

    def announce(self, other: T) -> None:
        """Adds an item that later packets depend on. It survives an overflow, and a keyframe must follow."""
        self._announced, self.needs_key = other, True
        self.append(other)

    def pop(self) -> T:
        """Removes the oldest item. Raises IndexError."""
        item = self._items.popleft()
        self._waiting_b -= self._size_b(item)
        self._packets_n -= self._is_packet is None or self._is_packet(item)
        return item

    def pop_some(self, size_b: int) -> list[T]:
        items, popped_b = [], 0
        while self._items and popped_b < size_b:
            items.append(self.pop())
            popped_b += self._size_b(items[-1])
        return items

    def pop_all(self) -> list[T]:
        items = list(self._items)
        self._items.clear()
        self._waiting_b = self._packets_n = 0
        return items

    def forget(self) -> None:
        """Drops and counts all waiting packets. The next one must be a keyframe."""
        self.dropped_n += self._packets_n
        kept = [item for item in self._items if item is self._announced]
        self.refill(())
        for item in kept:
            self.append(item)

    def refill(self, packets: Iterable[T]) -> None:
        """Replaces the content with these packets, which begin with a keyframe and may exceed the limits. If empty,
        needs a keyframe."""
        self._items = deque(packets)
        self._waiting_b, self._packets_n = sum(map(self._size_b, self._items)), len(self._items)
        self.needs_key = not self._items
