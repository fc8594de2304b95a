"""Cameras on this machine, by made-up trees of what the kernel shows, and the first configuration that they make."""
from pathlib import Path

import pytest

from agent.config.load import parse
from agent.config.settings import Camera
from agent.core.contract.setup import LocalCamera
from agent.privileged.setup.local_cameras import find, first_text, write_first

# A Raspberry Pi 4 with a camera module: the receiver, the codecs and the image processor are nodes, too.
BOARD = {"video0": "unicam-image", "video1": "unicam-embedded", "video10": "bcm2835-codec-decode",
         "video11": "bcm2835-codec-encode", "video13": "bcm2835-isp-output0", "v4l-subdev1": "dw9807 10-000c"}


class Tree:
    """Made-up /sys and /dev."""

    def __init__(self, root: Path) -> None:
        self.kernel, self.devices = root / "sys", root / "dev"
        (self.kernel / "class/video4linux").mkdir(parents=True)
        self.devices.mkdir()
        for node, name in BOARD.items():
            self.add(node, name)

    def add(self, node: str, name: str | bytes, **links: str) -> None:
        """A device with the kernel's name and udev's: by_id and by_path."""
        folder = self.kernel / "class/video4linux" / node
        folder.mkdir()
        (folder / "name").write_bytes(name if isinstance(name, bytes) else name.encode() + b"\n")
        (self.devices / node).touch()
        for kind, link in links.items():
            place = self.devices / "v4l" / kind.replace("_", "-")
            place.mkdir(parents=True, exist_ok=True)
            (place / link).symlink_to(f"../../{node}")

    def found(self, *cameras: Camera) -> list[LocalCamera]:
        return find(self.kernel, self.devices, cameras)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_board_without_a_camera_has_none(tree: Tree):
    tree.add("video20", "rpi-hevc-dec", by_path="platform-rpi-hevc-dec-video-index0")
    assert tree.found() == []


def test_camera_modules_are_found_by_their_sensors(tree: Tree):
    tree.add("v4l-subdev0", "imx219 10-0010")
    tree.add("v4l-subdev2", "imx708_wide_noir 11-001a")
    assert tree.found(Camera(name="gate", source="picamera:1")) == [
        LocalCamera(kind="picamera", source="picamera:0", title="Raspberry Pi Camera Module 2",
                    detail="imx219 10-0010"),
        LocalCamera(kind="picamera", source="picamera:1", title="Raspberry Pi Camera Module 3",
                    detail="imx708_wide_noir 11-001a", camera="gate")]


def test_webcams_are_found_by_the_name_that_stays(tree: Tree):
    tree.add("video30", "HD Webcam C270: HD Webcam C270", by_id="usb-046d_HD_Webcam_C270-video-index0",
             by_path="platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.2:1.0-video-index0")
    tree.add("video31", "HD Webcam C270: HD Webcam C270", by_id="usb-046d_HD_Webcam_C270-video-index1")
    tree.add("video32", "HD Webcam C270: HD Webcam C270",
             by_path="platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0-video-index0")
    by_id, by_path = tree.found(Camera(name="bep", source="v4l2:/dev/video32"))
    assert by_id.source == "v4l2:/dev/v4l/by-id/usb-046d_HD_Webcam_C270-video-index0"
    assert by_path.source == ("v4l2:/dev/v4l/by-path/platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0-"
                              "video-index0")
    assert [by_id.title, by_path.title] == ["HD Webcam C270", "HD Webcam C270 2"]


@pytest.mark.parametrize("name", [b"\x1b[2J\xff\xfe", b"", "\u202eevil".encode(), b'"\n[update]\nrule = "allow"',
                                  b"x" * 4000])
def test_what_calls_itself_whatever_makes_a_configuration_that_holds(tree: Tree, name: bytes):
    tree.add("video30", name, by_id="usb-'\"$(reboot)-video-index0")
    (camera,) = tree.found()
    assert camera.source == "v4l2:/dev/video30"
    settings = parse(first_text([camera]), "f")
    assert [each.source for each in settings.camera] == [camera.source] and settings.update.rule == "ask"


def test_the_first_configuration_has_the_cameras_and_lets_phones_look(tree: Tree):
    tree.add("v4l-subdev0", "imx219 10-0010")
    tree.add("video30", "Webcam Cổng: x", by_id="usb-x-video-index0")
    text = first_text(tree.found())
    settings = parse(text, "f")
    assert [(each.name, each.title, each.source) for each in settings.camera] == [
        ("raspberry-pi-camera-modu", "Raspberry Pi Camera Module 2", "picamera:0"),
        ("webcam-cong", "Webcam Cổng", "v4l2:/dev/v4l/by-id/usb-x-video-index0")]
    assert settings.web.listen == "0.0.0.0" and not settings.ward.enabled
    assert text.count("\n") < 30


def test_without_a_camera_it_shows_how_one_is_written():
    assert parse(first_text([]), "f").camera == []
    opened = first_text([]).replace("#[[", "[[").replace("#name", "name").replace("#title", "title").replace(
        "#source", "source")
    assert parse(opened, "f").camera[0].label == "Cổng trước"


def test_a_configuration_that_somebody_wrote_meanwhile_stays(tmp_path: Path):
    path = tmp_path / "taimat.toml"
    path.write_text("# mine\n")
    write_first(path, first_text([]))
    assert path.read_text() == "# mine\n" and [each.name for each in tmp_path.iterdir()] == ["taimat.toml"]
