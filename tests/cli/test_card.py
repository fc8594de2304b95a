"""`taimat card check`: each mistake on a card is told with file, line, why and remedy; a good card passes."""
import json
import re
import time
from pathlib import Path

import pytest

from agent.cli.card.boot_partition import judge
from agent.core.card.mistake import CardMistake
from tests.cli.cli import taimat
from tests.rigs.machine.boot_card import CMDLINE, CONFIG, NETWORK, README, USER_DATA, stock

# Text that the stock file has, what somebody made of it, and what is said: severity, line (None: any), a pattern.
CONFIGS = {
    "an overlay that does not exist": ("[all]\n", "[all]\ndtoverlay=nospi11\n", "warning", 28,
                                       "no overlay nospi11.*is nospi10 meant"),
    "a parameter that an overlay lacks": ("kms-v3d", "kms-v3d,noaudi", "warning", 12, "no parameter noaudi.*noaudio"),
    "a parameter that the board lacks": ("dtparam=audio=on", "dtparam=sound=on", "warning", 5, "no parameter sound"),
    "a board's parameter that an overlay catches": ("max_framebuffers=2", "dtparam=audio=off", "warning", 13,
                                                    "goes to the overlay vc4-kms-v3d.*dtoverlay="),
    "a sensor by hand beside auto-detection": ("arm_boost=1", "arm_boost=1\ndtoverlay=imx219", "error", 17,
                                               "imx219.*camera_auto_detect=1 .line 7"),
    "two sensors at one port": ("camera_auto_detect=1", "dtoverlay=imx708\ndtoverlay=imx219", "error", 8, "both.*cam1"),
    "no camera at all": ("camera_auto_detect=1", "camera_auto_detect=0", "warning", 7, "no Raspberry Pi camera"),
    "a camera that one section hides": ("camera_auto_detect=1\n", "[cm4]\ncamera_auto_detect=1\n[all]\n", "warning", 8,
                                        r"stands in \[cm4\]"),
    "no screen before pairing": ("kms-v3d", "kms-v3d,nohdmi", "warning", 12, "HDMI.*pairing code"),
    "the Pi 4's speed": ("arm_boost=1\n", "", "warning", None, "arm_boost=1 is missing.*1.5 GHz"),
    "the CM5's USB ports": ("dtoverlay=dwc2,dr_mode=host\n", "", "warning", None, "Compute Module 5"),
    "a setting where it does nothing": ("[cm5]\n", "[pi3]\narm_boost=1\n[cm5]\n", "warning", 22, r"nothing in \[pi3\]"),
    "a filter that does not exist": ("[all]", "[pi6]\n[all]", "warning", 27,
                                     r"no filter \[pi6\].*\[pi\d"),
    "an open section at the end": ("[all]\n", "", "warning", 26, r"ends in \[pi5\].*\[all\]"),
    "a long line": ("arm_boost=1", "arm_boost=1" + " " * 98, "error", 16, "firmware reads 98"),
    "spaces round the =": ("arm_boost=1", "arm_boost = 1", "error", 16, "write arm_boost=1"),
    "a comment behind a setting": ("disable_overscan=1", "disable_overscan=1 # no", "error", 15, "line of its own"),
    "quotation marks": ("disable_overscan=1", "disable_overscan=“1”", "warning", 15, "quotation marks"),
    "a word that is no setting": ("disable_overscan=1", "disable_overscan", "warning", 15, "not a setting"),
    "a misspelt setting": ("disable_overscan", "disable_ovrscan", "warning", 15, "is disable_overscan meant"),
    "no encoder": ("arm_boost=1", "arm_boost=1\ngpu_mem=16", "error", 17, "encoder"),
    "32 bits": ("arm_boost=1", "arm_boost=1\narm_64bit=0", "error", 17, "64-bit"),
    "too much camera memory": ("kms-v3d", "kms-v3d,cma-320", "warning", 12, "320 MB.*Zero 2 W.*cma-128"),
    "the old camera system": ("arm_boost=1", "arm_boost=1\nstart_x=1", "warning", 17, "old camera system"),
}
CMDLINES = {
    "a second line": (CMDLINE + "panic=10\n", "error", 2, "second line"),
    "no root": (CMDLINE.replace("root=PARTUUID=4e639091-02 ", ""), "error", 1, "no root="),
    "a root that nobody filled in": (CMDLINE.replace("PARTUUID=4e639091-02", "ROOTDEV"), "error", 1, "placeholder"),
    "a mark at the beginning": ("\ufeff" + CMDLINE, "error", 1, "BOM"),
    "no memory limits": (CMDLINE.replace("resize", "cgroup_disable=memory"), "warning", 1, "leaks"),
}
CLOUD = {
    "not cloud-init's": ({"user_data": "hostname: a\n"}, "user-data", "error", 1, "first line is not #cloud-config"),
    "a missing colon": ({"user_data": USER_DATA + "locale vi_VN.UTF-8\nx: 1\n"}, "user-data", "error", 5, "YAML"),
    "a tab": ({"user_data": USER_DATA + "apt:\n\tconf: x\n"}, "user-data", "error", 5, "tab.*spaces"),
    "a misspelt key": ({"user_data": USER_DATA.replace("timezone", "timezon")}, "user-data", "warning", 3, "timezone"),
    "a name with an underscore": ({"user_data": USER_DATA.replace("taimat", "tai_mat")}, "user-data", "error", 2, "na"),
    "a name of digits": ({"user_data": USER_DATA.replace("taimat", "2024")}, "user-data", "error", 2, "quotes"),
    "a password for a user": ({"user_data": USER_DATA + "users:\n- name: a\n  plain_text_passwd: b\n"}, "user-data",
                              "warning", 5, "a password"),
    "passwords over the network": ({"user_data": USER_DATA + "ssh_pwauth: true\n"}, "user-data", "warning", 4, "a key"),
    "a boot that waits for itself": ({"user_data": USER_DATA + "bootcmd:\n- systemctl enable --now ssh\n"}, "user-data",
                                     "error", 5, "--no-block"),
    "no identity": ({"meta_data": "dsmode: local\n"}, "meta-data", "warning", 1, "instance-id"),
    "no country": ({"network": NETWORK.replace("      regulatory-domain: VN\n", "")}, "network-config", "error", 4,
                   "regulatory-domain: VN"),
    "Norway": ({"network": NETWORK.replace(": VN", ": NO")}, "network-config", "error", 6, "quotes"),
    "a password without quotes": ({"network": NETWORK.replace('"12345678"', "12345678")}, "network-config", "error", 9,
                                  "quotes"),
    "a short password": ({"network": NETWORK.replace("12345678", "1234")}, "network-config", "error", 9, "8 to 63"),
    "a placeholder": ({"network": NETWORK.replace("Nhà Bà Tám", "TEN-WIFI")}, "network-config", "error", 8, "not your"),
    "a name without quotes": ({"network": NETWORK.replace('"Nhà Bà Tám"', "123")}, "network-config", "error", 8,
                              "number"),
    "maybe": ({"network": NETWORK.replace("true", "maybe")}, "network-config", "error", 5, "neither true nor false"),
    "no packages": ({"user_data": USER_DATA + "runcmd: [apt install /boot/firmware/taimat/*.deb]\n"}, "taimat", "error",
                    0, "no folder taimat"),
}


def only(findings: list[CardMistake], file: str, severity: str, line: int | None, pattern: str) -> None:
    """There is one finding, and it says this."""
    assert len(findings) == 1, findings
    (found,) = findings
    assert (found.file, found.severity) == (file, severity)
    assert line is None or found.line == line
    assert re.search(pattern, f"{found.why} → {found.remedy}")


def test_a_flashed_card_passes_by_our_list_of_names_and_by_its_own(tmp_path: Path):
    assert judge(stock(tmp_path)) == []
    assert judge(stock(tmp_path, readme=README)) == []


@pytest.mark.parametrize("case", CONFIGS)
def test_a_mistake_in_config_txt_is_told(case: str, tmp_path: Path):
    before, after, *told = CONFIGS[case]
    assert before in CONFIG
    end = CONFIG.rindex(before)
    changed = CONFIG[:end] + after + CONFIG[end + len(before):]
    only(judge(stock(tmp_path, config=changed)), "config.txt", *told)


def test_what_the_cards_own_list_does_not_have_is_an_error(tmp_path: Path):
    card = stock(tmp_path, config=CONFIG + "dtoverlay=mcp2515,spi0-1\ndtoverlay=old-clock\n", readme=README)
    only(judge(card), "config.txt", "error", 29, "the card's own overlays/README has no overlay old-clock")


def test_a_code_on_the_card_does_without_a_screen(tmp_path: Path):
    card = stock(tmp_path, config=CONFIG.replace("kms-v3d", "kms-v3d,nohdmi"))
    (card / "taimat-code.txt").write_text("7K2M-Q9XD\n")
    assert judge(card) == []
    (card / "taimat-code.txt").write_text("7K2M\n")
    only(judge(card), "taimat-code.txt", "warning", 1, "8 letters and digits")


@pytest.mark.parametrize("case", CMDLINES)
def test_a_mistake_in_cmdline_txt_is_told(case: str, tmp_path: Path):
    text, *told = CMDLINES[case]
    assert text != CMDLINE
    only(judge(stock(tmp_path, cmdline=text)), "cmdline.txt", *told)


def test_an_empty_first_line_is_the_whole_command_line(tmp_path: Path):
    said = judge(stock(tmp_path, cmdline="\n" + CMDLINE))
    assert "first line is empty" in said[0].why and "second line" in said[1].why


@pytest.mark.parametrize("case", CLOUD)
def test_a_mistake_in_cloud_inits_files_is_told(case: str, tmp_path: Path):
    instead, *told = CLOUD[case]
    only(judge(stock(tmp_path, **instead)), *told)


def test_no_finding_tells_a_password(tmp_path: Path):
    said = judge(stock(tmp_path, network=NETWORK.replace('"12345678"', "98712345678912345678")))
    assert said and "987" not in str(said)


def test_windows_line_ends_are_no_mistake(tmp_path: Path):
    crlf = {"config": CONFIG, "cmdline": CMDLINE, "user_data": USER_DATA, "network": NETWORK}
    assert judge(stock(tmp_path, **{name: text.replace("\n", "\r\n") for name, text in crlf.items()})) == []


def test_packages_are_looked_for_where_the_card_installs_from(tmp_path: Path):
    card = stock(tmp_path, user_data=USER_DATA + "runcmd: [apt install /boot/firmware/taimat/*.deb]\n")
    folder = card / "taimat"
    folder.mkdir()
    (folder / "taimat_0.3.0_amd64.deb").write_bytes(b"x")
    (folder / "taimat-board_0.3.0_all.deb").write_bytes(b"x")
    only(judge(card), "taimat", "error", 0, "taimat_VERSION_arm64.deb is missing")
    (folder / "taimat_0.3.0_arm64.deb").write_bytes(b"")
    only(judge(card), "taimat", "error", 0, "is empty")
    (folder / "taimat_0.3.0_arm64.deb").write_bytes(b"x")
    assert judge(card) == []


def test_the_command_says_it_to_people_and_to_programs(tmp_path: Path):
    card = stock(tmp_path / "card", config=CONFIG.replace("arm_boost=1", "arm_boost = 1"))
    told = taimat(tmp_path, "card", "check", card)
    assert told.returncode == 2
    assert "config.txt:16: error: a space" in told.stdout and "→ write arm_boost=1" in told.stdout
    answer = taimat(tmp_path, "card", "check", card, "--json")
    assert [json.loads(line)["line"] for line in answer.stdout.splitlines() if '"error"' in line] == [16]


def test_warnings_alone_end_with_1_and_a_good_card_with_0(tmp_path: Path):
    assert taimat(tmp_path, "card", "check", stock(tmp_path / "a")).returncode == 0
    card = stock(tmp_path / "b", config=CONFIG.replace("[all]\n", ""))
    assert taimat(tmp_path, "card", "check", card).returncode == 1


def test_another_folder_is_no_card(tmp_path: Path):
    told = taimat(tmp_path, "card", "check", tmp_path)
    assert told.returncode == 2 and "no boot partition" in told.stdout


def test_a_card_is_judged_within_a_second(tmp_path: Path):
    card = stock(tmp_path, config=CONFIG + "dtoverlay=imx708\n" * 2000)
    began_s = time.process_time()
    judge(card)
    assert time.process_time() - began_s < 1
