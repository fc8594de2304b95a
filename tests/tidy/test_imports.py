"""Imports point down only, and each role loads only what it needs."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "agent").rglob("*.py"))

# The floors of the house, from the ground up. A room may import from itself and from every floor below its own.
FLOORS = (
    ("core", "__init__"),
    ("host",),
    ("config",),
    ("store",),
    ("cameras", "footage", "look", "mqtt", "process"),
    ("home",),
    ("capture", "keeper", "link", "ward", "web"),
    ("cli",),
    ("__main__",),
)
IMPURE = {"time", "os", "socket", "threading", "subprocess", "logging", "sqlite3", "random",
          "pathlib", "asyncio", "signal", "shutil", "tempfile"}
HEAVY = {"link": ("numpy", "cv2", "av", "starlette", "typer"),
         "keeper": ("numpy", "cv2", "av", "paho", "starlette", "typer"),
         "web": ("numpy", "cv2", "av", "paho", "typer"), "capture": ("paho", "starlette", "typer")}


def imports(path: Path) -> set[str]:
    """Modules that a file imports anywhere in it, but for those that only a type checker sees."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names} - {"__version__"}
            found |= {node.module} if node.module != "agent" else {f"agent.{name}" for name in names}
    return found


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def below(here: str) -> set[str]:
    """The rooms that a room may import from."""
    floor = next(n for n, rooms in enumerate(FLOORS) if here in rooms)
    return {here} | {name for rooms in FLOORS[:floor] for name in rooms}


def files(here: str) -> list[Path]:
    """A room's."""
    return [path for path in FILES if room(".".join(path.relative_to(ROOT).with_suffix("").parts)) == here]


@pytest.mark.parametrize("here", [name for rooms in FLOORS for name in rooms])
def test_a_file_imports_only_from_the_rooms_below_its_own(here: str):
    assert files(here)
    wrong = [f"{path.relative_to(ROOT)} must not import {name}" for path in files(here) for name in imports(path)
             if name.startswith("agent.") and room(name) not in below(here)]
    assert not wrong, "\n".join(wrong)


def test_every_file_is_in_a_room():
    assert sorted(path for rooms in FLOORS for here in rooms for path in files(here)) == FILES


def test_core_is_pure():
    assert not [path for path in files("core") if {name.split(".")[0] for name in imports(path)} & IMPURE]


@pytest.mark.parametrize("role", HEAVY)
def test_a_role_loads_only_what_it_needs(role: str):
    code = f"import sys, agent.{role}.main; print(*(m for m in {HEAVY[role]!r} if m in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
