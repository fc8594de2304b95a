"""What the probes make of the kernel's files, on trees of known boards and on the machine that runs the tests."""
import os
import threading
from pathlib import Path

import pytest

from agent.host.probes.card import NEW_S
from agent.host.probes.machine import Probes
from tests.host import trees
from tests.host.trees import Tree
from tests.rigs.wait import Stopwatch


def read(tree: Tree, now_mono_s: float = 100.0):
    """One look by fresh probes."""
    return Probes(tree.store, root=tree.root).read(now_mono_s)


def test_a_zero_2_w(tmp_path):
    facts = read(trees.zero2w(tmp_path))
    assert (facts.soc_temp_c, facts.throttle, facts.volt_low) == (51.54, 0, False)
    assert (facts.mem_total_b, facts.mem_avail_b, facts.mem_limits) == (436_892 * 1024, 212_004 * 1024, False)
    assert (facts.load1, facts.up_s, facts.cpu_pct) == (0.42, 86461.5, None)
    assert (facts.rssi_dbm, facts.net_up, facts.net_tx_b, facts.net_rx_b) == (-52, True, 5000, 7000)
    assert (facts.clock, facts.watchdog_reset) == ("saved", None)


def test_a_pi_4_with_a_weak_power_supply_earlier(tmp_path):
    facts = read(trees.pi4(tmp_path))
    assert (facts.throttle, facts.volt_low, facts.mem_limits) == (0x50000, False, True)
    assert (facts.clock, facts.rssi_dbm) == ("ntp", None)


def test_a_pi_5_has_the_voltage_alarm_but_no_bits(tmp_path):
    tree = trees.pi5(tmp_path)
    assert (read(tree).throttle, read(tree).volt_low) == (None, False)
    tree.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert (read(tree).throttle, read(tree).volt_low) == (None, True)


def test_a_pc_knows_nothing_of_voltage_and_does_not_take_the_case_for_the_chip(tmp_path):
    facts = read(trees.pc(tmp_path))
    assert (facts.throttle, facts.volt_low, facts.rssi_dbm, facts.mem_limits) == (None, None, None, None)
    assert (facts.soc_temp_c, facts.watchdog_reset) == (44.0, True)


def test_root_s_word_that_it_restarts_no_more_for_the_card(tmp_path):
    tree = trees.zero2w(tmp_path)
    assert read(tree).card_given_up is None
    assert read(tree.put("run/taimat-card/given-up", "")).card_given_up is True


def test_an_empty_machine_is_unknown_in_everything_but_its_store(tmp_path):
    facts = read(Tree(tmp_path))
    known = {name for name in facts.__dataclass_fields__ if getattr(facts, name) is not None}
    store = {"card_missing", "card_hung", "card_error", "disk_tot_b", "disk_free_b", "inodes_tot_n", "inodes_free_n"}
    assert known <= store | {"clock"}


@pytest.mark.parametrize("junk", [
    b"", b"\xff\0\xfe", b"nonsense: 1\n" * 3, b"a b c d e f g h i j k\n" * 9, b"9" * 5000, b"nan\n",
    b"inf inf inf inf\n" * 3])
def test_junk_in_any_file_never_raises(tmp_path, junk):
    tree = trees.zero2w(tmp_path)
    for path in [each for each in tree.root.rglob("*") if each.is_file() and each.name != "ballast"]:
        path.write_bytes(junk)
    read(tree)


def test_processor_time_is_of_the_time_between_two_looks(tmp_path):
    tree = trees.zero2w(tmp_path).cpu(1000, 9000)
    probes = Probes(tree.store, root=tree.root)
    tree.cpu(1030, 9070)
    assert probes.read(1.0).cpu_pct == 30.0
    tree.cpu(1130, 9070)
    assert probes.read(2.0).cpu_pct == 100.0


def test_a_dip_of_the_voltage_between_two_looks_is_seen_once(tmp_path):
    tree = trees.zero2w(tmp_path)
    bits = "sys/devices/platform/soc/soc:firmware/get_throttled"
    probes = Probes(tree.store, root=tree.root)
    seen = []
    for value in ("0", "50000", "50000", "50005", "50000"):
        seen.append(probes.read(float(len(seen))).volt_low if tree.put(bits, value) else None)
    assert seen == [False, True, False, True, False]


def test_the_default_route_with_the_lowest_metric_counts(tmp_path):
    tree = trees.zero2w(tmp_path).route("wlan0")
    tree.put("proc/net/route", (tmp_path / "proc/net/route").read_text()
             + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n")
    tree.put("sys/class/net/eth0/carrier", "0\n")
    facts = read(tree)
    assert (facts.net_up, facts.net_tx_b) == (False, None)


def test_a_route_that_rejects_is_no_way_out(tmp_path):
    tree = trees.zero2w(tmp_path)
    tree.put("proc/net/route", f"{trees.IPV4_HEAD}*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n")
    assert read(tree).net_up is False


def test_without_ipv4_the_ipv6_route_counts_and_a_rejecting_one_does_not(tmp_path):
    tree = trees.zero2w(tmp_path).put("proc/net/route", trees.IPV4_HEAD)
    zero = "0" * 32
    reject = f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n"
    tree.put("proc/net/ipv6_route", reject)
    assert read(tree).net_up is False
    route = f"{zero} 00 {zero} 00 fe80{zero[4:]} 00000400 00000001 00000000 00000003    wlan0\n"
    tree.put("proc/net/ipv6_route", route + reject)
    assert read(tree).net_up is True


@pytest.mark.parametrize("level", ["0", "-256.", "208"])
def test_a_signal_level_that_is_no_level_in_dbm_is_unknown(tmp_path, level):
    tree = trees.zero2w(tmp_path)
    tree.put("proc/net/wireless", f"{trees.WIRELESS_HEAD} wlan0: 0000    0  {level}  -256  0 0 0 0 0 0\n")
    assert read(tree).rssi_dbm is None


def test_space_and_bytes_written_are_those_of_the_card(tmp_path):
    facts, space = read(trees.zero2w(tmp_path)), os.statvfs(tmp_path)
    assert facts.disk_tot_b == space.f_blocks * space.f_frsize
    assert abs(facts.disk_free_b - space.f_bavail * space.f_frsize) < 1 << 30
    assert facts.disk_wr_b == trees.SECTORS_WRITTEN * 512       # the whole disk's, not the partition's
    assert (facts.card_missing, facts.card_hung, facts.read_only) == (False, False, False)


def test_errors_of_the_file_system_are_told_apart_from_those_of_an_earlier_life(tmp_path):
    tree = trees.zero2w(tmp_path).put("sys/fs/ext4/mmcblk0p2/errors_count", "3\n")
    probes = Probes(tree.store, root=tree.root)
    first = probes.read(1.0)
    assert (first.card_errors_n, first.card_errors_new_n) == (3, 0)
    tree.put("sys/fs/ext4/mmcblk0p2/errors_count", "5\n")
    assert probes.read(2.0).card_errors_new_n == 2
    later = probes.read(2.0 + NEW_S)
    assert (later.card_errors_n, later.card_errors_new_n) == (5, 0)


@pytest.mark.parametrize("options", ["ro,noatime", "rw,emergency_ro"])
def test_a_card_that_turned_read_only(tmp_path, options):
    tree = trees.any_linux(tmp_path)
    line = (tmp_path / "proc/self/mountinfo").read_text().replace("rw,noatime", options)
    assert read(tree.put("proc/self/mountinfo", line)).read_only is True


def test_a_store_that_is_gone_is_missing_and_its_space_unknown(tmp_path):
    tree = trees.zero2w(tmp_path)
    (tree.store / "ballast").unlink()
    tree.store.rmdir()
    facts = read(tree)
    assert (facts.card_missing, facts.disk_free_b, facts.card_hung) == (True, None, False)


def test_a_folder_without_its_volume_is_missing_though_it_is_there(tmp_path):
    tree = trees.zero2w(tmp_path)
    tree.put("etc/fstab", f"PARTUUID=1 / ext4 defaults,noatime 0 1\nLABEL=data {tree.store} ext4 noatime,nofail 0 2\n")
    assert read(tree).card_missing is True
    tree.put("etc/fstab", f"PARTUUID=1 / ext4 defaults 0 1\n#LABEL=data {tree.store} ext4 nofail 0 2\n")
    assert read(tree).card_missing is False


def test_of_two_mounts_on_one_point_the_later_counts(tmp_path):
    tree = trees.zero2w(tmp_path)
    base = (tmp_path / "proc/self/mountinfo").read_text().strip()
    tree.mounted(base, f"60 25 8:1 / {tree.store} ro - ext4 /dev/sda1 ro",
                 f"61 60 8:2 / {tree.store} rw - ext4 /dev/sdb1 rw")
    assert read(tree).read_only is False


def test_a_volume_that_is_unmounted_while_we_run_is_missing(tmp_path):
    tree = trees.zero2w(tmp_path)
    base = (tmp_path / "proc/self/mountinfo").read_text().strip()
    tree.mounted(base, f"60 25 8:1 / {tree.store} rw - ext4 /dev/sda1 rw")
    probes = Probes(tree.store, root=tree.root)
    assert probes.read(1.0).card_missing is False
    tree.mounted(base)
    assert probes.read(2.0).card_missing is True


def test_a_card_with_requests_waiting_is_hung_only_if_none_is_completed(tmp_path):
    tree = trees.zero2w(tmp_path)
    probes = Probes(tree.store, root=tree.root)
    hung = []
    for now_mono_s, completed_n, waiting_n in ((0.0, 5, 0), (30.0, 5, 1), (60.0, 6, 1), (90.0, 6, 1), (120.0, 7, 0)):
        tree.put("sys/devices/block/mmcblk0/stat", f"100 0 800 50 {completed_n} 0 16 90 {waiting_n} 80 140\n")
        hung.append(probes.read(now_mono_s).card_hung)
    assert hung == [False, False, False, True, False]


def test_a_card_that_does_not_answer_is_hung_and_its_facts_age(tmp_path):
    """The sample is a pipe without a writer, so that opening it blocks in the kernel as a dead card does."""
    tree = trees.zero2w(tmp_path)
    probes = Probes(tree.store, root=tree.root, interval_s=5.0)
    assert probes.read(0.0).card_hung is False
    sample = tree.store / "ballast"
    sample.unlink()
    os.mkfifo(sample)
    threads_n = threading.active_count()
    with Stopwatch() as watch:
        looks = {now: probes.read(now) for now in (5.0, 10.0, 15.0, 20.0)}
    assert watch.fair_s < 3
    assert [look.card_hung for look in looks.values()] == [False, False, True, True]
    assert [look.disk_free_b is None for look in looks.values()] == [False, False, False, True]     # unknown after 15 s
    assert looks[20.0].disk_wr_b == trees.SECTORS_WRITTEN * 512         # the kernel's memory still answers
    assert looks[20.0].soc_temp_c == 51.54
    assert threading.active_count() == threads_n                       # never a second thread to hang
    os.close(os.open(sample, os.O_RDWR))                               # the card answers again
    sample.unlink()
    assert probes.read(25.0).card_hung is False
    assert probes.read(30.0).disk_free_b is not None


def test_this_machine_can_be_asked_and_answers_soon(tmp_path):
    probes = Probes(tmp_path)
    with Stopwatch() as watch:
        facts = probes.read(1.0)
    assert watch.fair_s < 1
    assert facts.mem_total_b > facts.mem_avail_b > 0
    assert facts.disk_tot_b > 0
    assert facts.up_s > 0
    assert facts.load1 is not None
    assert facts.clock in ("unset", "saved", "rtc", "ntp")
    if not Path("/proc/device-tree/model").exists():
        assert (facts.throttle, facts.volt_low) == (None, None)


@pytest.mark.parametrize(("life_time", "pre_eol_info", "worn_pct"), [
    ("0x01 0x01\n", "0x01\n", None), ("0x02 0x09\n", "0x01\n", 80), ("0x0a 0x01\n", "0x01\n", 90),
    ("0x01 0x0b\n", "0x01\n", 100), ("0x00 0x00\n", "0x02\n", 90), ("0x00 0x00\n", "0x00\n", None),
    ("nonsense\n", "\n", None), ("0xzz\n", "0x03\n", 90)])
def test_what_an_emmc_says_of_its_wear(tmp_path, life_time, pre_eol_info, worn_pct):
    tree = trees.zero2w(tmp_path)
    tree.put("sys/devices/block/mmcblk0/device/life_time", life_time)
    tree.put("sys/devices/block/mmcblk0/device/pre_eol_info", pre_eol_info)
    assert read(tree).card_worn_pct == worn_pct


def test_how_much_a_file_system_was_given_in_its_life(tmp_path):
    tree = trees.zero2w(tmp_path)
    assert (read(tree).card_lifetime_b, read(tree).card_worn_pct) == (None, None)
    assert read(tree.put("sys/fs/ext4/mmcblk0p2/lifetime_write_kbytes", "2048\n")).card_lifetime_b == 2 << 20
