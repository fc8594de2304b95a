"""Which files of the checkout's `agent` a part of it needs: itself, and what that imports, as far as it goes.

Read, not run, so a maker of packages needs no library.
"""
import ast
from collections.abc import Iterable
from pathlib import Path


def closure(source: Path, roots: Iterable[Path]) -> set[Path]:
    """The Python files below `source` that those at `roots` import, and theirs, and the roots; with their packages."""
    found: set[Path] = set()
    waiting = [*roots]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [each for name in imports(path) for each in _files(source, name)]
    return found


def imports(path: Path) -> set[str]:
    """Modules, and names out of modules, which may be modules, too; not what a type checker alone looks at."""
    names, tree = set(), ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _files(source: Path, name: str) -> list[Path]:
    """The module of that name, as far as it is one, and the packages above it."""
    parts = name.split(".")
    tried = [source.joinpath(*parts[:n]) for n in range(1, len(parts) + 1)]
    files = [file for place in tried for file in (place / "__init__.py", place.with_suffix(".py"))]
    return [file for file in files if file.exists()]
