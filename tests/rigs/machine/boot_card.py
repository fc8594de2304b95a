"""A boot partition as Raspberry Pi OS makes it: not copied, but written after what is known of it."""
import shutil
import subprocess
from pathlib import Path

import pytest

START = 2048                    # of the first partition in an image, in sectors
MIB = 1 << 20
CONFIG = """\
# See the documentation for what else can stand here.
#dtparam=spi=on

# Sound
dtparam=audio=on

camera_auto_detect=1
display_auto_detect=1
auto_initramfs=1

# The display's driver
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_fw_kms_setup=1
disable_overscan=1
arm_boost=1

[cm4]
otg_mode=1

[cm5]
dtoverlay=dwc2,dr_mode=host

[pi5]
dtoverlay=nospi10

[all]
"""
CMDLINE = ("console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 fsck.repair=yes rootwait "
           "resize\n")
USER_DATA = "#cloud-config\nhostname: taimat\ntimezone: Asia/Ho_Chi_Minh\n"
META_DATA = "instance_id: taimat-1\n"
NETWORK = """\
network:
  version: 2
  wifis:
    wlan0:
      dhcp4: true
      regulatory-domain: VN
      access-points:
        "Nhà Bà Tám":
          password: "12345678"
"""
# What Imager writes in place of ours if somebody fills in its form.
IMAGERS = {"user-data": "#cloud-config\nhostname: cua-hang\nusers:\n- name: an\nruncmd:\n- [ touch, /etc/imagers ]\n",
           "meta-data": "instance-id: rpi-imager-1796000000000\n", "network-config": "network:\n  version: 2\n"}
README = """\
Introduction
============

Name:   <The base DTB>
Info:   The board
Load:   <loaded automatically>
Params:
        audio                   Sound
                                (default off)

        watchdog                Reset a board that hangs


Name:   imx219
Info:   A camera
Load:   dtoverlay=imx219,<param>=<val>
Params: rotation                Degrees
        cam0                    The other port


Name:   mcp2515
Info:   CAN
Load:   dtoverlay=mcp2515,<param>=<val>
Params: spi<n>-<m>              Where it is


Name:   vc4-kms-v3d
Info:   The display
Load:   dtoverlay=vc4-kms-v3d,<param>
Params: cma-128                 Memory
        audio                   Sound through HDMI
        nohdmi                  No HDMI


Name:   disable-bt
Info:   No Bluetooth
Load:   dtoverlay=disable-bt
Params: <None>


Name:   dwc2
Info:   USB
Load:   dtoverlay=dwc2,<param>=<val>
Params: dr_mode                 host


Name:   nospi10
Info:   Pi 5
Load:   dtoverlay=nospi10
Params: <None>


Name:   old-clock
Info:   This overlay has been deleted.
Load:   <Deleted>
"""


def stock(folder: Path, **instead: str) -> Path:
    """A flashed card in `folder`; `instead` has other contents by file: config, cmdline, user_data, network, readme."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, told, content in (("config.txt", "config", CONFIG), ("cmdline.txt", "cmdline", CMDLINE),
                                ("user-data", "user_data", USER_DATA), ("meta-data", "meta_data", META_DATA),
                                ("network-config", "network", NETWORK)):
        (folder / name).write_bytes(instead.get(told, content).encode())
    if "readme" in instead:
        (folder / "overlays").mkdir(exist_ok=True)
        (folder / "overlays" / "README").write_text(instead["readme"])
    return folder


def debs(folder: Path) -> list[Path]:
    """Two files in `folder` that are called like our packages."""
    made = [folder / "taimat_0.3.0_arm64.deb", folder / "taimat-board_0.3.0_all.deb"]
    for path in made:
        path.write_bytes(b"a package")
    return made


def image_of(card: Path, image: Path, table: str, boot_mib: int = 64) -> Path:
    """An image with that partition table, whose FAT partition has the files of `card`, and another one behind it."""
    for tool in ("mkfs.vfat", "mcopy", "sfdisk"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing: apt install dosfstools mtools fdisk")
    with image.open("wb") as file:
        file.truncate((boot_mib + 16) * MIB)
    kind = "c" if table == "dos" else "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
    size = boot_mib * MIB // 512
    script = f"label: {table}\nstart={START}, size={size}, type={kind}\nstart={START + size}\n"
    subprocess.run(["sfdisk", "--quiet", image], input=script, text=True, check=True, capture_output=True)
    subprocess.run(["mkfs.vfat", "-F", "32", "-n", "bootfs", "--offset", str(START), image, str(size // 2)], check=True,
                   capture_output=True)
    at = f"{image}@@{START * 512}"
    subprocess.run(["mcopy", "-s", "-i", at, *card.iterdir(), "::/"], check=True)
    return image
