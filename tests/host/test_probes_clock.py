"""How far the wall clock is believed."""
from agent.host import clock_state
from tests.host import trees

NOW_S = clock_state.EPOCH_WALL_S + 30_000_000.0


def test_a_clock_before_the_first_agent_was_built_is_unset_whoever_vouches_for_it(tmp_path):
    assert clock_state.read(trees.pi4(tmp_path).root, wall_s=0.0) == "unset"


def test_timesyncd_answered(tmp_path):
    assert clock_state.read(trees.pi4(tmp_path).root, wall_s=NOW_S) == "ntp"


def test_a_battery_clock_that_agrees(tmp_path):
    tree = trees.pi5(tmp_path).put("sys/class/rtc/rtc0/since_epoch", f"{NOW_S - 2:.0f}\n")
    assert clock_state.read(tree.root, wall_s=NOW_S) == "rtc"


def test_a_battery_clock_with_a_flat_battery_proves_nothing(tmp_path):
    tree = trees.pi5(tmp_path).put("sys/class/rtc/rtc0/since_epoch", "47\n")
    assert clock_state.read(tree.root, wall_s=NOW_S) == "saved"


def test_a_battery_clock_that_did_not_set_the_time_proves_nothing(tmp_path):
    tree = trees.pi5(tmp_path).put("sys/class/rtc/rtc0/since_epoch", f"{NOW_S:.0f}\n")
    tree.put("sys/class/rtc/rtc0/hctosys", "0\n")
    assert clock_state.read(tree.root, wall_s=NOW_S) == "saved"


def test_no_battery_no_network(tmp_path):
    assert clock_state.read(trees.zero2w(tmp_path).root, wall_s=NOW_S) == "saved"


def test_asking_the_kernel_sets_nothing():
    before = clock_state.read()
    assert [clock_state.read() for _ in range(100)] == [before] * 100


def test_how_far_off_a_clock_may_be_is_told_while_somebody_keeps_it():
    error_ms = clock_state.error_ms()
    assert (error_ms is not None) == (clock_state.read() == "ntp")
    assert error_ms is None or 0 <= error_ms <= 16_000, "the kernel gives the clock up beyond 16 s"


def test_a_battery_clock_is_asked_again_once_the_wall_clock_is_set(tmp_path):
    tree = trees.pi5(tmp_path).put("sys/class/rtc/rtc0/since_epoch", f"{NOW_S:.0f}\n")
    assert clock_state.read(tree.root, wall_s=NOW_S) == "rtc"
    tree.put("sys/class/rtc/rtc0/since_epoch", "no clock any more\n")
    assert clock_state.read(tree.root, wall_s=NOW_S) == "rtc", "its word of a moment ago still holds"
    assert clock_state.read(tree.root, wall_s=NOW_S + 5) == "saved"
