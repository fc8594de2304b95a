"""Every shell block of README and guides, typed by a fresh machine's default user, in the order in which it is read.

A block that needs more than such a machine is skipped, and says why (`tests.rigs.machine.guides.NEEDS`). If the reader
edits the configuration, a film is written into it as the camera `gate`, so that there is footage to look at.
"""
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.packaging.wheels import NoWheel
from tests.machines.debian import NotDebian, supply
from tests.rigs.cameras import footage
from tests.rigs.machine.guides import GUIDES, NEEDS, Block, blocks
from tests.rigs.machine.packaged import MACHINE, packaged
from tests.rigs.machine.stick import STICK, Stick
from tests.rigs.wait import until
from tests.systemd.booted import clips
from tests.systemd.machine import Machine, NoMachine
from tests.systemd.stock import DPKG, stocked
from tests.systemd.typist import USER, Typist

SETTINGS = "/etc/taimat/taimat.toml"
CAMERA = """
[[camera]]
name = "gate"
source = "file:/srv/gate.mp4"
loop = true
record = "both"
max_clip_s = 10
[[camera.zone]]
name = "driveway"
rule = "watch"
area = [[0, 0], [1, 0], [1, 1], [0, 1]]
"""
FIRST = ("card.md", "device.md", "evidence.md", "household.en.md", "household.vi.md")   # who installs reads first


def story() -> list[Block]:
    """All shell blocks, as somebody reads them who installs a recorder and then uses it."""
    order = sorted(GUIDES, key=lambda path: FIRST.index(path.name) if path.name in FIRST else len(FIRST))
    return [block for path in order for block in blocks(path) if block.language == "sh"]


class Desk:
    """Where somebody sits with the guides."""

    def __init__(self, typist: Typist) -> None:
        self.said = ""
        self._typist = typist
        self._typed: set[str] = set()
        self._guide: Path | None = None

    def type(self, block: Block) -> None:
        """Fails with the first command that fails.

        Word for word the same, as in a guide's other language, it is typed once. The home folder has nothing of
        another guide's.
        """
        words = re.sub(r"\s+#.*", "", block.text)
        if words in self._typed:
            return
        if block.path != self._guide:
            self._typist.machine.run("find", f"/home/{USER}", "-mindepth", "1", "!", "-name", "*.deb", "-delete")
        self._typed.add(words)
        self._guide = block.path
        self.said += self._typist.type(block.text)

    def edit_settings(self) -> None:
        """What a reader does in the editor; returns when there is footage."""
        machine = self._typist.machine
        path = machine.root / SETTINGS.lstrip("/")
        until(path.exists, "the first configuration")
        if CAMERA not in path.read_text():
            path.write_text(path.read_text() + CAMERA)
            until(lambda: clips(machine), "the first clip")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, thorough: bool) -> Iterator[Desk]:
    """At a machine that nobody has touched yet."""
    folder = tmp_path_factory.mktemp("desk")
    try:
        made = packaged()
        with Machine(folder, stock=None if thorough else stocked(made.deb)) as machine:
            shutil.copy(footage.clip(640, 360, 10, 10, 500), machine.root / "srv/gate.mp4")
            typist = Typist(machine, "taimat")
            typist.move_in([made.deb], supply(MACHINE, machine.root / DPKG, made.deb, "sudo"))
            Stick(machine.root / STICK.lstrip("/"), folder / "gpg").add(made.deb, made.board)
            yield Desk(typist)
    except (NoMachine, NotDebian, NoWheel) as reason:
        pytest.skip(f"no machine: {reason}")


@pytest.mark.parametrize("block", story(), ids=lambda block: block.name)
def test_a_block_runs_as_typed(block: Block, request: pytest.FixtureRequest) -> None:
    """With every command's success, whatever it asks being answered by yes."""
    if block.needs == "editor":
        request.getfixturevalue("desk").edit_settings()
    elif block.needs:
        pytest.skip(f"it needs {NEEDS[block.needs]}")
    else:
        request.getfixturevalue("desk").type(block)


def test_the_installation_has_said_how_the_first_phone_gets_in(desk: Desk) -> None:
    """apt, on a machine that runs."""
    assert "sudo taimat pair shows the code" in desk.said
