"""When to take a closer look: to decode a main stream completely, and not only its keyframes. Pure.

A keyframe with a detection, or unusually large packets, start a closer look. It ends after some seconds without a
detection, but not while an event is open. Heavy rain is decoded completely, because a person who walks through it must
be found, and a rule that paused for some seconds saved little and found the person late.

Encoders have habits: the packets after each keyframe, or every third one, are larger although nothing moves. So the
usual size is learned from packets before a picture without motion, which is decoded anyway.
"""
from agent.core.vision.motion import Look, Reason

GLANCE_WITHIN_S = 2.5       # a keyframe may be skipped if the next one comes within this time,
GLANCE_SMALL_WITHIN_S = 1.5     # which is shorter for small pictures, because they cost little
CLOSE_S = 2.25              # keyframes this close together are enough while nothing happens,
CLOSE_N = 3                 # if as many came so in a row
DELAYED_S = 1.0             # packets may be delayed by this much on their way
START_S = 5.0               # the detector learns a new scene in this time
CHANGED_MIN = 0.0004        # of the picture: even so little change in a keyframe may be the trace of a person,
CHANGED_ONLY_MIN = 0.0002   # and even less if keyframes are the only hint
CALM_S = 2.0                # the closer look ends after this time without a detection
LOUD = 1.5                  # packets this many spreads above their quiet level are a hint,
LOUD_TIMES = 1.5            # if they are also this much louder than others without motion,
LOUD_HALVES_S = 120.0       # whose level halves in this time
BLIND_MAX_S = 11.0          # if no keyframe comes for this long, the stream is decoded until one does


_LEARNING = {Reason.GLOBAL_CHANGE, Reason.SETTLING}     # a new scene is learned from every picture


def _lively(look: Look) -> bool:
    return look.moving or look.tracks_n > 0 or not _LEARNING.isdisjoint(look.reasons)


class GlancePace:
    """Which keyframes of a stream to look at: all, or only some if they come quickly."""

    def __init__(self, within_s: float = GLANCE_WITHIN_S) -> None:
        self._within_s = within_s
        self._due_mono_s = self._key_mono_s = float("-inf")

    def due(self, now_mono_s: float) -> bool:
        """Takes the next keyframe. Returns whether to look at it, because the one after it may come too late."""
        gop_s, self._key_mono_s = now_mono_s - self._key_mono_s, now_mono_s
        if now_mono_s + gop_s < self._due_mono_s:
            return False
        self._due_mono_s = now_mono_s + self._within_s
        return True


class KeyIntervals:
    """Measures how far apart a stream's keyframes are: by the camera's clock, because packets are delayed, and roughly
    by the device's, because a camera's clock may jump or stand still."""

    def __init__(self) -> None:
        self._key_camera_s, self._key_mono_s = 0.0, float("-inf")
        self._close_n = 0

    def close(self, key: bool, camera_s: float, mono_s: float) -> bool:
        """Takes the next packet and its time by both clocks. Returns whether keyframes are close together now."""
        since_s = max(camera_s - self._key_camera_s, mono_s - self._key_mono_s - DELAYED_S)
        if camera_s < self._key_camera_s or since_s > CLOSE_S:
            self._close_n = 0
        elif key:
            self._close_n += 1
        if key:
            self._key_camera_s, self._key_mono_s = camera_s, mono_s
        return self._close_n >= CLOSE_N


class CloserLook:
    """The decision for one stream. It begins with a closer look to learn the scene."""

    def __init__(self, event_s: float, now_mono_s: float, changed_min: float = CHANGED_MIN) -> None:
        """`event_s` is the time without motion after which an event ends, `changed_min` the share of the picture whose
        change begins a closer look."""
        self._event_s, self._changed_min = event_s, changed_min
        self.learn(now_mono_s)
        self._rare = False                      # continues because keyframes come too rarely
        self._loudest = 0.0                     # of the packets since the last decoded picture
        self._vain, self._vain_mono_s = 0.0, now_mono_s     # loudness of packets without motion, and its time
        self._seen_mono_s = now_mono_s          # time of the last decoded picture

    def learn(self, now_mono_s: float) -> None:
        """Begins a closer look that lasts long enough to learn the scene."""
        self._begin(now_mono_s)
        self._until_mono_s = now_mono_s + START_S

    def _begin(self, now_mono_s: float) -> None:
        self.wanted, self._fruitful = True, False       # wanted: decode every packet
        self._until_mono_s = now_mono_s + CALM_S

    def packet(self, key: bool, excess: float, now_mono_s: float) -> bool:
        """Takes the next packet and its loudness (see `packet_sizes`). Returns whether a closer look begins with it."""
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
        if in_vain:
            self._vain, self._vain_mono_s = max(self._loudest, self._vain_at(now_mono_s)), now_mono_s
        self._loudest = 0.0

    def keyframe(self, look: Look, now_mono_s: float) -> bool:
        """Takes the result for a keyframe between closer looks. Returns whether a closer look begins with it."""
        self._seen_mono_s = now_mono_s
        if self.wanted:
            return False
        begins = _lively(look) or look.score >= self._changed_min
        self._judge_loudest(not begins, now_mono_s)
        if begins:
            self._begin(now_mono_s)
            self._judge(look, now_mono_s)
        return begins

    def looked(self, look: Look, now_mono_s: float) -> None:
        """Takes the detector's result for a picture of a closer look, which may end it."""
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
