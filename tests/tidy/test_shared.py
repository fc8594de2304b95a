"""What tests share lies in plain modules: nothing imports a test module, and each rig has a room."""
import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("tests", "scripts") for path in (ROOT / folder).rglob("*.py"))
TEST_MODULE = re.compile(r"\btests(?:\.\w+)*\.test_\w+")
GENERAL = {"examples", "forked", "pki", "wait"}         # rigs that stand in for no part of the world


def named(source: str) -> set[str]:
    """Modules and names that a source imports anywhere, and test modules that its strings name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            code = re.sub(r"\bfrom (tests[\w.]*) import (\w+)", r"\1.\2", node.value)
            found |= set(TEST_MODULE.findall(code))
    return found


def of_tests(names: set[str]) -> set[str]:
    """Those of a test module: of tests by its whole name, or beside the file that imports it."""
    return {name for name in names if TEST_MODULE.match(name) or re.match(r"\.+(?:\w+\.)*test_", name)}


def test_nothing_imports_a_test_module():
    wrong = [f"{path.relative_to(ROOT)} must not import {name}" for path in FILES
             for name in sorted(of_tests(named(path.read_text())))]
    assert not wrong, "move what is shared into a plain module of the room, or into tests/rigs:\n" + "\n".join(wrong)


@pytest.mark.parametrize("source", [
    "from {}.link.test_home import settle", "from {}.link import test_home", "from .test_home import settle",
    "from . import test_home", "import {}.link.test_home as other", "def late():\n    import {}.link.test_home",
    "CODE = 'from {}.link.test_home import settle'", "CODE = f'from {}.link import test_home; {{1}}'"])
def test_each_way_to_import_a_test_module_is_seen(source: str):
    assert of_tests(named(source.format("tests")))


def test_a_plain_module_and_a_path_are_none():
    assert not of_tests(named("from tests.link.depot import Depot\nPATH = 'tests/link/test_home.py'"))


def test_each_rig_lies_in_a_room():
    assert {path.stem for path in (ROOT / "tests/rigs").glob("*.py")} == GENERAL
