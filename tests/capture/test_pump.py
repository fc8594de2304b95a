"""The pump: attempts, waits and gaps, with sources that fail as they are told and a clock that is moved by hand."""
from collections.abc import Callable

from agent.cameras import SourceError, SourceStuck
from agent.capture.pump import REFUSED_WAIT_S, Counts, Pump
from agent.capture.writer_jobs import CameraGap
from agent.core.contract.facts import CameraFacts
from agent.core.media.model import Packet
from tests.conftest import HandClock


class Waits:
    """A stop flag that notes each wait's length, lets the hand clock pass instead, and is set after `most` waits."""

    def __init__(self, clock: HandClock, most: int) -> None:
        self.clock, self.most, self.seen = clock, most, []

    def is_set(self) -> bool:
        return len(self.seen) >= self.most

    def wait(self, seconds: float) -> bool:
        self.seen.append(seconds)
        self.clock.advance(seconds)
        return self.is_set()


class Sink:
    """Counts what a pump tells its pipe."""

    def __init__(self) -> None:
        self.gaps: list[CameraGap] = []
        self.ended_n = self.packets_n = 0

    def stream(self, info: object) -> None: ...
    def luma(self, picture: object) -> None: ...
    def audio(self, info: object, unsupported: str = "") -> None: ...
    def sound(self, sound: object) -> None: ...
    def wants_luma(self, mono_s: float) -> bool: return False
    def wants_main_luma(self) -> bool: return False

    def packet(self, packet: Packet) -> None:
        self.packets_n += 1

    def end_run(self) -> float | None:
        self.ended_n += 1
        return None

    def gap(self, gap: CameraGap) -> None:
        self.gaps.append(gap)


def pump(clock: HandClock, script: list[Callable], most: int) -> tuple[Pump, Sink, Waits, list[bool]]:
    """A pump whose n-th attempt calls script[n](sink); beyond its end the camera is unreachable."""
    attempts, sink, stop, stuck = iter(script), Sink(), Waits(clock, most), []

    class Scripted:
        def run(self, sink: Sink, stop: object) -> None:
            step = next(attempts, None)
            if step is None:
                raise SourceError("camera_unreachable", "rtsp://u:secret@h/1: off")
            step(sink)

    made = Pump("gate", Scripted, sink, clock, stop, stuck=lambda: stuck.append(True), counts=Counts())
    made.jitter = lambda: 0.5
    return made, sink, stop, stuck


def works(seconds: float, clock: HandClock) -> Callable:
    def run(sink: Sink) -> None:
        sink.packet(Packet(b"", 0, 0, True))
        clock.advance(seconds)
        sink.packet(Packet(b"", 1, 1, False))
        raise SourceError("camera_unreachable", "h: off")
    return run


def test_waits_grow_to_a_bound_that_keeps_the_return_within_15_s(hand_clock: HandClock):
    made, sink, stop, _ = pump(hand_clock, [], most=8)
    made.run()
    assert stop.seen == [0.5, 1, 2, 4, 6, 6, 6, 6] and sink.ended_n == 8


def test_a_refused_password_is_tried_rarely(hand_clock: HandClock):
    def refuse(sink: Sink) -> None:
        raise SourceError("camera_auth", "no")
    made, _, stop, _ = pump(hand_clock, [refuse, refuse], most=2)
    made.run()
    assert stop.seen == [REFUSED_WAIT_S, REFUSED_WAIT_S]


def test_a_gap_reaches_from_the_last_packet_to_the_next_one(hand_clock: HandClock):
    script = [works(100, hand_clock), lambda _: hand_clock.advance(3) or _fail(), works(1, hand_clock)]
    made, sink, stop, _ = pump(hand_clock, script, most=3)
    made.run()
    assert [(gap.code, gap.gap_s, gap.over) for gap in sink.gaps] == [("camera_no_frames", 0.5 + 3 + 1, True)]
    facts = made.state.facts(CameraFacts(camera="gate", state="starting"))
    assert (facts.gaps_n, facts.reopens_n, facts.state) == (2, 2, "retrying")


def _fail() -> None:
    raise SourceError("camera_no_frames", "h: silent")


def test_a_long_gap_can_be_told_while_it_lasts_and_shows_no_password(hand_clock: HandClock):
    made, _, _, _ = pump(hand_clock, [works(100, hand_clock)], most=5)
    made.run()
    gap = made.state.current_gap()
    assert gap is not None and gap.gap_s == 0.5 + 1 + 2 + 4 + 6 and not gap.over and "secret" not in gap.detail


def test_a_camera_that_is_dead_from_the_start_is_a_gap_from_then_on(hand_clock: HandClock):
    began_mono_s, told = hand_clock.mono, []

    def look_and_fail(sink: Sink) -> None:
        told.append(made.state.current_gap())
        _fail()

    made, sink, _, _ = pump(hand_clock, [look_and_fail, look_and_fail, works(1, hand_clock)], most=3)
    made.run()
    assert told == [None, CameraGap("camera_no_frames", "h: silent", 0.5, over=False, began_mono_s=began_mono_s)]
    assert sink.gaps == [CameraGap("camera_no_frames", "h: silent", 0.5 + 1, over=True, began_mono_s=began_mono_s)]


def test_a_long_healthy_run_forgives_earlier_failures(hand_clock: HandClock):
    script = [lambda s: _fail(), lambda s: _fail(), works(100, hand_clock), lambda s: _fail()]
    made, _, stop, _ = pump(hand_clock, script, most=4)
    made.run()
    assert stop.seen == [0.5, 1, 0.5, 1]


def test_bytes_that_nobody_thought_of_are_told_and_tried_again(hand_clock: HandClock, caplog):
    def stumble(sink: Sink) -> None:
        raise UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "title of rtsp://u:secret@h/1")
    made, sink, stop, _ = pump(hand_clock, [stumble, works(100, hand_clock), stumble], most=3)
    made.run()
    assert stop.seen == [0.5, 0.5, 1] and sink.ended_n == 3 and sink.packets_n == 2
    facts = made.state.facts(CameraFacts(camera="gate", state=""))
    assert (facts.state, facts.fault) == ("retrying", "camera_stream_bad")
    assert "UnicodeDecodeError" in facts.detail and "secret" not in facts.detail
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [UnicodeDecodeError] * 2


def test_a_source_that_ends_by_itself_is_not_tried_again(hand_clock: HandClock):
    made, sink, stop, _ = pump(hand_clock, [lambda sink: sink.packet(Packet(b"", 0, 0, True))], most=3)
    made.run()
    hand_clock.advance(60)
    assert stop.seen == [] and sink.ended_n == 1
    assert made.state.facts(CameraFacts(camera="gate", state="")).state == "ended"


def test_an_attempt_that_neither_delivers_nor_gives_up_is_noticed(hand_clock: HandClock):
    hung = []

    def attempt(sink: Sink) -> None:
        hand_clock.advance(61)
        hung.append(made.state.hangs())
        sink.packet(Packet(b"", 0, 0, True))
        hung.append(made.state.hangs())

    made, _, _, _ = pump(hand_clock, [attempt], most=1)
    made.run()
    assert hung == [True, False] and not made.state.hangs()


def test_a_camera_that_does_not_let_go_ends_the_process(hand_clock: HandClock):
    def stick(sink: Sink) -> None:
        raise SourceStuck("camera_no_frames", "close() hangs")
    made, _, _, stuck = pump(hand_clock, [stick], most=1)
    made.run()
    assert stuck == [True]
