"""Sizes, docstrings and words: what keeps the code readable is checked, not remembered."""
import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = sorted((ROOT / "agent").rglob("*.py"))
LINES_MAX, FUNCTION_LINES_MAX = 400, 60
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def tracked() -> list[Path]:
    """Files that git tracks, or would; without git, all."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, text=True, check=False)
    paths = [ROOT / name for name in listed.stdout.splitlines()] if listed.returncode == 0 else ROOT.rglob("*")
    return [path for path in paths if path.is_file()]


@cache
def doors() -> set[tuple[str, str]]:
    """Modules and names in them that another room imports: these are told in words, whatever else says by its name."""
    return {(node.module, alias.name) for path in CODE for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("agent.")
            and node.module.split(".")[1] != path.relative_to(ROOT).parts[1] for alias in node.names}


def shapeless(path: Path) -> Iterator[str]:
    """What is too long in a file, and what has no docstring."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    text = path.read_text()
    tree = ast.parse(text)
    if text.count("\n") > LINES_MAX:
        yield "it is long"
    if text.strip() and path.name != "__init__.py" and not ast.get_docstring(tree):
        yield "what is this file for?"
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX:
            yield f"{node.name} is long"
    for node in tree.body:
        is_door = isinstance(node, ast.ClassDef | FUNCTIONS) and (module, node.name) in doors()
        if is_door and not ast.get_docstring(node):
            yield f"{node.name} has no docstring"


def test_files_functions_and_docstrings():
    found = [f"{path.relative_to(ROOT)}: {wrong}" for path in CODE for wrong in shapeless(path)]
    assert not found, "\n".join(found)


def test_no_loose_ends():
    loose = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|#.*\bfor now\b", re.IGNORECASE)
    found = [f"{path.relative_to(ROOT)}:{n}: {line.strip()[:80]}" for path in tracked()
             if path.suffix in {".py", ".md", ".toml", ".service", ".conf", ".js", ".css", ".html", ""}
             and path != Path(__file__)
             for n, line in enumerate(path.read_text(errors="replace").splitlines(), 1) if loose.search(line)]
    assert not found, "\n".join(found)
