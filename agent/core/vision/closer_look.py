"""When a main stream is decoded in full, for a closer look; otherwise its keyframes are all that is seen. Pure.

A keyframe on which the detector finds something, or packets larger than usual, ask for a closer look. It lasts until
nothing has been seen for a while, and as long as an event is open. Heavy rain is decoded in full: whoever walks through
it has to be found, and a rule that looked away for some seconds in between saved little and was late for them.
"""
from agent.core.vision.motion import Look, Reason

START_S = 5.0               # the detector learns a new scene in this time
CHANGED_MIN = 0.0004        # of the picture: so little change in a keyframe may be what is left of somebody
CALM_S = 2.0                # seen nothing for this long, the closer look is over
LOUD = 1.5                  # packets so many spreads above their quiet level are a hint,
LOUD_MAX = 24.0             # twice as many after each one in vain,
LOUD_HALVES_S = 120.0       # and half as many again after this time
BLIND_MAX_S = 11.0          # where no keyframe comes for so long, the stream is decoded until one does


def _lively(look: Look) -> bool:
    """Whether the detector has found anything that the next pictures might make an object of."""
    return look.moving or look.tracks_n > 0 or Reason.GLOBAL_CHANGE in look.reasons


class CloserLook:
    """One stream's decision. Begins with a closer look, because the scene is to be learned."""

    def __init__(self, event_s: float, now_mono_s: float) -> None:
        """`event_s` is the time without motion after which an event is over."""
        self._event_s = event_s
        self._begin(now_mono_s, by_size=False)
        self._until_mono_s = now_mono_s + START_S
        self._rare = False                      # it goes on because keyframes come too rarely
        self._loud, self._loud_mono_s = LOUD, now_mono_s
        self._seen_mono_s = now_mono_s          # when the last picture was looked at

    def _begin(self, now_mono_s: float, by_size: bool) -> None:
        self.wanted = True                      # whether every packet is to be decoded
        self._by_size, self._fruitful = by_size, False
        self._until_mono_s = now_mono_s + CALM_S

    def packet(self, key: bool, excess: float, now_mono_s: float) -> bool:
        """Take the next packet and how loud they are (see `packet_sizes`); whether a closer look begins with it."""
        self._rare = self._rare and not key
        if self.wanted or key:
            return False
        self._rare = now_mono_s - self._seen_mono_s > BLIND_MAX_S
        if self._rare or excess > self._loud_min(now_mono_s):
            self._begin(now_mono_s, by_size=not self._rare)
        return self.wanted

    def _loud_min(self, now_mono_s: float) -> float:
        return max(LOUD, self._loud * 0.5 ** ((now_mono_s - self._loud_mono_s) / LOUD_HALVES_S))

    def keyframe(self, look: Look, now_mono_s: float) -> bool:
        """Take what the detector says about a keyframe, between closer looks; whether one begins with it."""
        self._seen_mono_s = now_mono_s
        if self.wanted or not (_lively(look) or look.score >= CHANGED_MIN):
            return False
        self._begin(now_mono_s, by_size=False)
        self._judge(look, now_mono_s)
        return True

    def looked(self, look: Look, now_mono_s: float) -> None:
        """Take what the detector says about a picture during a closer look, which may end it."""
        self._seen_mono_s = now_mono_s
        if self.wanted:
            self._judge(look, now_mono_s)
            if now_mono_s >= self._until_mono_s and not self._rare:
                self._end(now_mono_s)

    def _judge(self, look: Look, now_mono_s: float) -> None:
        if look.moving:
            self._fruitful = True
            self._until_mono_s = now_mono_s + max(CALM_S, self._event_s)
        elif _lively(look):
            self._until_mono_s = max(self._until_mono_s, now_mono_s + CALM_S)

    def _end(self, now_mono_s: float) -> None:
        self.wanted = False
        if self._fruitful:
            self._loud = LOUD
        elif self._by_size:
            self._loud = min(LOUD_MAX, 2 * self._loud_min(now_mono_s))
            self._loud_mono_s = now_mono_s
