"""Where the keyframes of a file are: a bounded list of stretches, which becomes the `sidx` box at the close."""
from typing import NamedTuple


class Reference(NamedTuple):
    """A stretch of whole fragments as `sidx` tells it; duration in ticks."""

    size_b: int
    duration: int
    key: bool       # begins with a keyframe, so a player may start here


class Index:
    """Collects fragments: each stretch begins at a keyframe, and neighbours are merged lest there be too many.

    Stretches are told by where they begin, so durations always add up to the file's, whatever its fragments claim.
    """

    def __init__(self, entries_max: int) -> None:
        """Room for `entries_max` stretches; 0 keeps no index."""
        self._entries_max = entries_max
        self._begins: list[tuple[int, int, bool]] = []      # ticks, bytes, key
        self._stride = 1            # keyframes a stretch holds
        self._in_last = 0           # keyframes in the last one
        self._end = (0, 0)

    def add(self, base: int, duration: int, size_b: int, key: bool) -> None:
        """Take the next fragment: base time and duration in ticks, size, whether it begins with a keyframe."""
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
        """Join each two neighbours, and let later stretches be as long from the start."""
        if len(self._begins) % 2 == 0:
            self._in_last += self._stride       # the last one joins a full one; of an odd number it stays alone
        self._begins = self._begins[::2]
        self._stride *= 2

    def references(self) -> list[Reference]:
        """The stretches from the first fragment to the end of the last, without a hole; none of an empty file."""
        ends = [(base, at_b) for base, at_b, _ in self._begins[1:]] + [self._end]
        return [Reference(end_b - at_b, end - base, key)
                for (base, at_b, key), (end, end_b) in zip(self._begins, ends, strict=False)]
