"""One word for each thing (docs/reference/glossary.md), and no file or class too small or too large to be read."""
import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "agent").rglob("*.py"))

# The tables of a configuration bear the names of what they configure, and the wire's two sides name one message.
MAY_REPEAT = ("agent/config/settings.py", "agent/ward/settings.py", "agent/ward/ward_side.py")
NOUNS = {"ring", "string", "pairing", "sharing"}        # end in -ing and are no participles
DOORS = {"__init__", "__main__", "main", "routes"}
FRAGMENT_LINES, PUBLIC_MAX, FIELDS_MAX = 60, 15, 15
# A track is one life of a moving thing and H.26x over RTP one state machine: to part them would spread one decision.
WIDE = {"agent/core/vision/motion/track.py", "agent/core/protocols/rtp/video.py"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]


def functions(node: ast.Module | ast.ClassDef) -> list[str]:
    return [child.name for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)]


def fields(node: ast.ClassDef) -> set[str]:
    """Declared in the class, or set on `self` anywhere in it."""
    declared = {child.target.id for child in node.body
                if isinstance(child, ast.AnnAssign) and "ClassVar" not in ast.unparse(child.annotation)}
    return declared | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)
                       and isinstance(each.ctx, ast.Store) and ast.unparse(each.value) == "self"}


def test_a_class_name_is_defined_once():
    found = defaultdict(list)
    for path in FILES:
        if name_of(path) not in MAY_REPEAT:
            for node in classes(path):
                found[node.name].append(name_of(path))
    assert not {name: paths for name, paths in found.items() if len(paths) > 1}


def test_methods_say_what_is_done():
    """`take` says nothing, unless something is taken out of where it lies."""
    vague = [f"{name_of(path)}: {owner.name}.take" for path in FILES for owner in classes(path)
             if {"take", "_take"} & set(functions(owner))]
    assert not vague


def test_modules_are_named_by_nouns():
    participles = [name_of(path) for path in FILES
                   if path.stem.endswith("ing") and path.stem not in NOUNS
                   or path.parent.name.endswith("ing") and path.parent.name not in NOUNS]
    assert not participles


def importers() -> dict[Path, set[Path]]:
    """Of each module the files that import it; a package's own `__init__` counts like any other."""
    by_name = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    found = defaultdict(set)
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    target = by_name.get(f"{node.module}.{alias.name}") or by_name.get(node.module)
                    if target and target != path:
                        found[target].add(path)
    return found


def test_no_file_is_only_a_fragment():
    """A short file with one importer belongs to it, unless its docstring goes on to say why it stands alone.

    Each room of the page has its door in routes.py, short or not.
    """
    found = importers()
    fragments = []
    for path in FILES:
        heading = (ast.get_docstring(tree(path)) or "").rstrip(".")
        short = path.read_text().count("\n") < FRAGMENT_LINES and path.stem not in DOORS
        if short and len(found[path]) == 1 and ". " not in heading and "\n" not in heading:
            fragments.append(f"{name_of(path)}, of {name_of(*found[path])}")
    assert not fragments


def is_record(node: ast.ClassDef) -> bool:
    """Whether it is a value that never changes: a frozen dataclass or a msgspec struct."""
    return any("frozen=True" in ast.unparse(each) for each in [*node.decorator_list, *node.keywords]) \
        or any(ast.unparse(base).endswith("Struct") for base in node.bases)


def test_no_class_is_wider_than_one_screen_shows():
    """A record, or a class that only keeps values, may have as many fields as the thing that it describes."""
    wide = []
    for path in FILES:
        for node in classes(path):
            public = [name for name in functions(node) if not name.startswith("_")]
            if len(public) > PUBLIC_MAX or (public and not is_record(node) and len(fields(node)) > FIELDS_MAX):
                wide.append(f"{name_of(path)}: {node.name}, {len(public)} methods, {len(fields(node))} fields")
    assert not [each for each in wide if each.split(":")[0] not in WIDE]
