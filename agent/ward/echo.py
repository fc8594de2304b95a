"""Whether the broker brings the ingest what it has for it. Pure.

A flood of messages without acknowledgement fills the broker's queue of packets, and mosquitto drops acknowledged ones
that do not fit, too. It waits for their acknowledgement and never sends them again on that connection; with as many as
may be under way nothing more would come, while pings are answered. So the ingest says something to itself now and then:
after several words without one acknowledged message from anybody, a new connection is due, which gets all of them.
"""
UNHEARD_MAX = 3


class Echo:
    """The words of the ingest to itself."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._due_mono_s = float("-inf")
        self._unheard_n = 0
        self._works = False         # else the broker's list of rights has no echo, and there is nothing to conclude

    def begin(self) -> None:
        """A connection has been made."""
        self._unheard_n = 0

    def is_due(self, now_mono_s: float) -> bool:
        """Whether it is time for the next word."""
        return now_mono_s >= self._due_mono_s

    def said(self, now_mono_s: float) -> None:
        """A word has gone out."""
        self._due_mono_s = now_mono_s + self._every_s
        self._unheard_n += 1

    def heard(self) -> None:
        """An acknowledged message has come, from whomever: while the broker works through a queue, ours is the last."""
        self._unheard_n, self._works = 0, True

    @property
    def is_lost(self) -> bool:
        """Whether so many words found no way back."""
        return self._works and self._unheard_n >= UNHEARD_MAX
