"""The shell blocks of README and guides: which a fresh machine can run as typed, and what the others need.

A block's fence says so: ```sh is run, ```sh needs=WORD is not, and `NEEDS` says the word in a sentence.
"""
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
GUIDES = [ROOT / "README.md", ROOT / "docs" / "style.md", *sorted((ROOT / "docs" / "guide").glob("*.md")),
          ROOT / "docs" / "reference" / "subscriber.md"]
NEEDS = {
    "board": "a Raspberry Pi in the same network",
    "broker": "the ward's own broker machine, with its certificates",
    "camera": "a camera in the network, and its password",
    "card": "a freshly flashed card; a ward's machine's are typed by tests/systemd/test_two_machines.py",
    "city": "a city's broker machine, with its certificates",
    "device": "a device of a ward, named by its id; ward.md's are typed by tests/systemd/test_two_machines.py",
    "editor": "a person at a text editor",
    "engine": "a container engine and a release",
    "idle": "a computer with nothing else to do, for minutes",
    "internet": "the package registries, for minutes",
    "recipient": "somebody else's key",
    "release": "a newer version, signed by its maker",
    "ward": "a ward's machine, on which tests/systemd/test_two_machines.py types it",
}
FENCE = re.compile(r"^ *```(\S*) *(.*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language, what it needs (NEEDS; "" for nothing), its text."""

    path: Path
    line: int
    language: str
    needs: str
    text: str

    @property
    def name(self) -> str:
        """How a test calls it."""
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path: Path) -> list[Block]:
    """All fenced blocks of a document."""
    found: list[Block] = []
    opened: tuple[int, str, str] | None = None
    body: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if fence and opened is None:
            opened, body = (number, fence[1], fence[2]), []
        elif fence and opened:
            found.append(Block(path, opened[0], opened[1], opened[2].removeprefix("needs="), "\n".join(body) + "\n"))
            opened = None
        elif opened:
            body.append(line)
    return found


def commands(path: Path, needing: bool = False) -> list[Block]:
    """The shell blocks of a document that run as typed; with `needing`, those that need something."""
    return [block for block in blocks(path) if block.language == "sh" and bool(block.needs) == needing]
