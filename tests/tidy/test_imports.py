"""Imports and starts point down only, and each role loads only what it needs."""
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "agent").rglob("*.py"))

# The floors of the house, from the ground up. A room may import from itself and from every floor below its own, and the
# same holds for modules that it starts by name. So the helpers, processes that roles start, are below the roles.
FLOORS = (
    ("core", "__init__"),
    ("host",),
    ("config",),
    ("store",),
    ("cameras", "footage", "look", "mqtt", "process"),
    ("home",),
    ("helpers",),
    ("capture", "keeper", "link", "privileged", "ward", "web"),
    ("cli",),
    ("ward.cli",),
    ("__main__",),
)
# The page's rooms, each with the others that it may know beside `server`.
WEB = {"server": set(), "pairing": set(), "recordings": set(), "health": {"recordings"}, "sharing": {"recordings"},
       "live": {"health", "recordings"}, "settings": {"live"}}
# The ward's desk has an export checked by the very command with which anybody else may check it.
STARTS_ABOVE = {"agent/ward/desk/requests.py": {"agent"}}
# What a unit may start, by how it is called. Updates begin in the command: the proven version's code carries them out,
# and that may be older than the units.
STARTED = {"taimat": {"capture", "keeper", "link", "web"}, "label-taimat": {"helpers"}, "update-taimat": {"cli"},
           **dict.fromkeys(("enrol-taimat", "rescue-taimat", "setup-taimat"), {"privileged"}), "ward-taimat": {"ward"}}
IMPURE = {"time", "os", "socket", "threading", "subprocess", "logging", "sqlite3", "random",
          "pathlib", "asyncio", "signal", "shutil", "tempfile"}
HEAVY = {"ward.uploads.check": ("sqlalchemy", "uvicorn", "asyncio", "prometheus_client"),      # one for each upload
         "link.main": ("numpy", "cv2", "av", "starlette", "typer"),
         "keeper.main": ("numpy", "cv2", "av", "paho", "starlette", "typer"),
         "web.main": ("numpy", "cv2", "av", "paho", "typer"), "capture.main": ("paho", "starlette", "typer")}


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


def file_of(name: str) -> Path:
    """What `python -m` runs of a module or a package."""
    place = ROOT.joinpath(*name.split("."))
    return place / "__main__.py" if place.is_dir() else place.with_suffix(".py")


def starts(path: Path) -> set[str]:
    """Modules that a file names, whole or in part ("agent." and a role), as what `-m` takes."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.List | ast.Tuple | ast.Call):
            words = node.args if isinstance(node, ast.Call) else node.elts
            values = [getattr(word, "value", None) for word in words]
            found |= {"agent"} & {name for flag, name in zip(values, values[1:], strict=False) if flag == "-m"}
        elif isinstance(node, ast.JoinedStr) and str(getattr(node.values[0], "value", "")).startswith("agent."):
            found.add(ast.literal_eval(node.values[0]).rstrip(".") + ".*")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) \
                and re.fullmatch(r"agent(\.\w+)+", node.value) and file_of(node.value).exists():
            found.add(node.value)
    return found


def room(name: str) -> str:
    if name.startswith("agent.ward.cli"):
        return "ward.cli"
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


@pytest.mark.parametrize("here", [name for rooms in FLOORS for name in rooms])
def test_a_file_starts_only_modules_of_the_rooms_below_its_own(here: str):
    wrong = [f"{name} must not start {module}" for path in files(here) for name in [str(path.relative_to(ROOT))]
             for module in starts(path) - STARTS_ABOVE.get(name, set())
             if (module == "agent" or room(module) not in below(here)) and here not in ("cli", "__main__")]
    assert not wrong, "\n".join(wrong)


def test_a_unit_starts_a_module_of_the_room_that_it_is_called_after():
    for unit in sorted((ROOT / "systemd").rglob("*.service")):
        kind = re.match(r"(?:[a-z]+-)?taimat", unit.name)[0]
        for name in re.findall(r"^ExecStart=.*python3 .*-m (\S+)", unit.read_text(), re.MULTILINE):
            assert room(name) in STARTED[kind], f"{unit.name} must not start {name}"
            assert "__main__" in file_of(name).name + file_of(name).read_text(), f"{name} can't be started"


def test_every_file_is_in_a_room():
    assert sorted(path for rooms in FLOORS for here in rooms for path in files(here)) == FILES


def web_arrows(here: str) -> set[str]:
    """The rooms of the page that one of them knows: by its code, and by what its templates are built of."""
    folder = ROOT / "agent" / "web"
    homes = {path.name: path.parts[-3] for path in folder.glob("*/templates/*")}
    named = [name for path in (folder / here / "templates").glob("*")
             for name in re.findall(r'{% (?:extends|from|import|include) "([^"]+)"', path.read_text())]
    code = {name.split(".")[2] for path in (folder / here).glob("*.py") for name in imports(path)
            if name.startswith("agent.web.")}
    return (code | {homes[name] for name in named if name in homes}) - {here, "server"}


def test_rooms_of_the_page_know_few_others():
    assert {here: web_arrows(here) for here in WEB} == WEB


def test_the_page_is_put_together_of_few_modules():
    assert len(imports(ROOT / "agent/web/app.py")) <= 10


def test_core_is_pure():
    assert not [path for path in files("core") if {name.split(".")[0] for name in imports(path)} & IMPURE]


def test_rooms_of_core_import_each_other_in_one_direction():
    """A folder of core is a room, and so is a file beside the folders."""
    arrows = {}
    for path in files("core"):
        here = path.relative_to(ROOT / "agent/core").with_suffix("").parts[0]
        there = {name.split(".")[2] for name in imports(path) if name.startswith("agent.core.")}
        arrows.setdefault(here, set()).update(there - {here})
    while free := {here for here, there in arrows.items() if not there & arrows.keys()}:
        arrows = {here: there for here, there in arrows.items() if here not in free}
    assert not arrows, f"a ring is among {sorted(arrows)}"


@pytest.mark.parametrize("program", HEAVY)
def test_a_program_loads_only_what_it_needs(program: str):
    code = f"import sys, agent.{program}; print(*(m for m in {HEAVY[program]!r} if m in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
