"""XML from untrusted devices as a small tree: limited in bytes, depth and elements, and without DTDs and entities.

Elements are found only by name, because cameras get namespaces wrong more often than names.
"""
import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

XML_MAX_B = 1 << 20         # three times the profiles of a recorder with 32 channels
DEPTH_MAX, NODES_MAX_N = 40, 50_000
WORD_MAX_N = 80


class BadXml(Exception):
    """The bytes are not XML that we read. The message says why."""


@dataclass(slots=True)
class Node:
    """One element. Attributes of a namespace (xsi:type and the like) are left out."""

    space: str
    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["Node"]:
        return (child for child in self.children if child.name == name)

    def find(self, *path: str) -> "Node | None":
        """Returns the first element along a path of names below this one; None if absent."""
        node: Node | None = self
        for name in path:
            node = next(node.all(name), None) if node else None
        return node

    def walk(self, name: str) -> Iterator["Node"]:
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.walk(name)

    def raw(self, *path: str) -> str:
        """Returns the text of the element at `path` without outer white space; "" if absent."""
        node = self.find(*path)
        return node.text.strip() if node else ""

    def word(self, *path: str) -> str:
        return printable(self.raw(*path))

    def number(self, *path: str) -> float | None:
        """Returns the text as a finite number; None if it is not a number."""
        return number(self.raw(*path))

    def whole(self, *path: str) -> int | None:
        """Returns the text as a whole number; None if it is not a number."""
        value = self.number(*path)
        return None if value is None else int(value)


def printable(text: str) -> str:
    """Returns foreign text as one short line for a terminal, without control characters."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text[:4 * WORD_MAX_N]).split())
    return words[:WORD_MAX_N]


def number(text: str) -> float | None:
    """Returns a number of XML within a camera's possible range; else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None


def parse(data: bytes) -> Node:
    """Returns the document's root element. Raises BadXml."""
    if len(data) > XML_MAX_B:
        raise BadXml(f"{len(data)} bytes are too many")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:       # the latter two: an unknown encoding
        raise BadXml(str(error)) from error
    return builder.root.children[0]


class _Builder:
    def __init__(self) -> None:
        self.root = Node("", "", {})
        self._open = [self.root]
        self._nodes_n = 0

    def doctype(self, *_: Any) -> None:
        raise BadXml("a document type declaration, which no camera needs")

    def start(self, full_name: str, attributes: dict[str, str]) -> None:
        self._nodes_n += 1
        if self._nodes_n > NODES_MAX_N or len(self._open) > DEPTH_MAX:
            raise BadXml("too many elements")
        space, _, name = full_name.rpartition("}")
        node = Node(space, name, {key: value for key, value in attributes.items() if "}" not in key})
        self._open[-1].children.append(node)
        self._open.append(node)

    def end(self, _: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].text += text


def written(node: Node) -> str:
    """Returns the element as XML and declares each namespace at its first element."""
    return _written(node, "")


def _written(node: Node, around: str) -> str:
    attributes = dict(node.attributes) if node.space == around else {"xmlns": node.space, **node.attributes}
    head = node.name + "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    inside = html.escape(node.text) if not node.children else "".join(_written(child, node.space)
                                                                       for child in node.children)
    return f"<{head}>{inside}</{node.name}>" if inside else f"<{head}/>"
