"""The places of a file's keyframes: a bounded list of stretches, which becomes the `sidx` box at the close."""
from typing import NamedTuple


class Reference(NamedTuple):
    """A stretch of whole fragments as in `sidx`; duration in ticks."""

    size_b: int
    duration: int
    key: bool       # begins with a keyframe, so a player can start here


class Index:
    """Collects fragments. Each stretch begins at a keyframe; neighbours are merged if there are too many. A stretch is
    stored by its start, so the durations always add up to the file's."""

    def __init__(self, entries_max: int) -> None:
        """`entries_max` limits the stretches; 0 keeps no index."""
        self._entries_max = entries_max
        self._begins: list[tuple[int, int, bool]] = []      # ticks, bytes, key
        self._stride = 1            # keyframes in each stretch
        self._in_last = 0           # keyframes in the last one
        self._end = (0, 0)

    def add(self, base: int, duration: int, size_b: int, key: bool) -> None:
        """Adds a fragment: base time and duration in ticks, size, and whether it begins with a keyframe."""
        if not self._entries_max:
            return
        at_b = self._end[1]
        self._end = (base + duration, at_b + size_b)
        if not self._begins or (key and self._in_last >= self._stride):
            self._begins.append((base, at_b, key))
            self._in_last = 1
        else:
            self._in_last += key
        if len(self._begins) > self._entries_max:
            self._halve()

    def _halve(self) -> None:
        if len(self._begins) % 2 == 0:
            self._in_last += self._stride       # the last one joins a full one; if the number is odd it stays single
        self._begins = self._begins[::2]
        self._stride *= 2

    def references(self) -> list[Reference]:
        """Returns the stretches from the first fragment to the end of the last, without a hole; none for an empty
        file."""
        ends = [(base, at_b) for base, at_b, _ in self._begins[1:]] + [self._end]
        return [Reference(end_b - at_b, end - base, key)
                for (base, at_b, key), (end, end_b) in zip(self._begins, ends, strict=False)]
