"""When a main stream is decoded in full, for a closer look; otherwise its keyframes are all that is seen. Pure.

A keyframe on which the detector finds something, or packets larger than usual, ask for a closer look. It lasts until
nothing has been seen for a while, and as long as an event is open. Heavy rain is decoded in full: whoever walks through
it has to be found, and a rule that looked away for some seconds in between saved little and was late for them.

Encoders have habits: the packets behind each keyframe, or every third one, are larger though nothing moves. So how loud
packets may be is learned from those that came before a picture with nothing in it, which is decoded anyhow.
"""
from agent.core.vision.motion import Look, Reason

GLANCE_WITHIN_S = 2.5       # so long a keyframe may wait for the next one to be looked at in its place
START_S = 5.0               # the detector learns a new scene in this time
CHANGED_MIN = 0.0004        # of the picture: so little change in a keyframe may be what is left of somebody
CALM_S = 2.0                # seen nothing for this long, the closer look is over
LOUD = 1.5                  # packets so many spreads above their quiet level are a hint,
LOUD_TIMES = 1.5            # if they are also so many times as loud as others that meant nothing,
LOUD_HALVES_S = 120.0       # the others count half after this time
BLIND_MAX_S = 11.0          # where no keyframe comes for so long, the stream is decoded until one does


def _lively(look: Look) -> bool:
    """Whether the detector has found anything that the next pictures might make an object of."""
    return look.moving or look.tracks_n > 0 or Reason.GLOBAL_CHANGE in look.reasons


class GlancePace:
    """Which keyframes of one stream may be looked at: all, or some where they come in quick succession."""

    def __init__(self) -> None:
        self._due_mono_s = self._key_mono_s = float("-inf")

    def due(self, now_mono_s: float) -> bool:
        """Take the next keyframe; whether the one after it, as far behind as it is itself, may be too late."""
        gop_s, self._key_mono_s = now_mono_s - self._key_mono_s, now_mono_s
        if now_mono_s + gop_s < self._due_mono_s:
            return False
        self._due_mono_s = now_mono_s + GLANCE_WITHIN_S
        return True


class CloserLook:
    """One stream's decision. Begins with a closer look, because the scene is to be learned."""

    def __init__(self, event_s: float, now_mono_s: float) -> None:
        """`event_s` is the time without motion after which an event is over."""
        self._event_s = event_s
        self._begin(now_mono_s)
        self._until_mono_s = now_mono_s + START_S
        self._rare = False                      # it goes on because keyframes come too rarely
        self._loudest = 0.0                     # of the packets since a picture last told what they meant
        self._vain, self._vain_mono_s = 0.0, now_mono_s     # how loud packets were that meant nothing, and when
        self._seen_mono_s = now_mono_s          # when the last picture was looked at

    def _begin(self, now_mono_s: float) -> None:
        self.wanted, self._fruitful = True, False       # wanted: whether every packet is to be decoded
        self._until_mono_s = now_mono_s + CALM_S

    def packet(self, key: bool, excess: float, now_mono_s: float) -> bool:
        """Take the next packet and how loud they are (see `packet_sizes`); whether a closer look begins with it."""
        self._rare = self._rare and not key
        self._loudest = max(self._loudest, excess)
        if self.wanted or key:
            return False
        self._rare = now_mono_s - self._seen_mono_s > BLIND_MAX_S
        if self._rare or excess > max(LOUD, LOUD_TIMES * self._vain_at(now_mono_s)):
            self._begin(now_mono_s)
        return self.wanted

    def _vain_at(self, now_mono_s: float) -> float:
        return self._vain * 0.5 ** ((now_mono_s - self._vain_mono_s) / LOUD_HALVES_S)

    def _judge_loudest(self, in_vain: bool, now_mono_s: float) -> None:
        """What the packets since the last time meant."""
        if in_vain:
            self._vain, self._vain_mono_s = max(self._loudest, self._vain_at(now_mono_s)), now_mono_s
        self._loudest = 0.0

    def keyframe(self, look: Look, now_mono_s: float) -> bool:
        """Take what the detector says about a keyframe, between closer looks; whether one begins with it."""
        self._seen_mono_s = now_mono_s
        if self.wanted:
            return False
        begins = _lively(look) or look.score >= CHANGED_MIN
        self._judge_loudest(not begins, now_mono_s)
        if begins:
            self._begin(now_mono_s)
            self._judge(look, now_mono_s)
        return begins

    def looked(self, look: Look, now_mono_s: float) -> None:
        """Take what the detector says about a picture during a closer look, which may end it."""
        self._seen_mono_s = now_mono_s
        if self.wanted:
            self._judge(look, now_mono_s)
            if now_mono_s >= self._until_mono_s and not self._rare:
                self.wanted = False
                self._judge_loudest(not self._fruitful, now_mono_s)

    def _judge(self, look: Look, now_mono_s: float) -> None:
        if look.moving:
            self._fruitful = True
            self._until_mono_s = now_mono_s + max(CALM_S, self._event_s)
        elif _lively(look):
            self._until_mono_s = max(self._until_mono_s, now_mono_s + CALM_S)
