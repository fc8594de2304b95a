"""Reads YAML with the line of each key. PyYAML is imported here only: no role needs it.

A file of its own, because cloud-init reads with the same parser, and this is all that we have to do with it.
"""
from typing import Any

from agent.core.card.mistake import CardMistake, error
from agent.core.card.yaml_file import YamlFile, YamlPath

TABS = "a line begins with a tab, which YAML does not know"


class NoYaml(Exception):
    """PyYAML is not installed."""


def read(file: str, text: str) -> YamlFile | CardMistake:
    """The file's values and lines, or why it can't be read. Raises NoYaml."""
    try:
        import yaml
    except ImportError:
        raise NoYaml from None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[YamlPath, int] = {}
        if node is None:
            return YamlFile(None, lines)
        value = loader.construct_document(node)
        _number(loader, node, (), lines)
        return YamlFile(value, lines)
    except yaml.YAMLError as problem:
        return _told(file, problem, text)


def _number(loader: Any, node: Any, path: YamlPath, lines: dict[YamlPath, int]) -> None:
    """Note the line of each key and item below this node."""
    for index, item in enumerate(node.value if isinstance(node.value, list) else ()):
        marked, below = item if isinstance(item, tuple) else (item, item)
        key = loader.construct_object(marked, deep=True) if isinstance(item, tuple) else index
        lines[(*path, key)] = marked.start_mark.line + 1
        _number(loader, below, (*path, key), lines)


def _told(file: str, problem: Any, text: str) -> CardMistake:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    line = mark.line + 1 if mark else 1
    rows = text.splitlines()
    row = rows[min(line, len(rows)) - 1] if rows else ""
    if "\t" in row[:len(row) - len(row.lstrip())]:
        return error(file, line, TABS, "indent by spaces, two for each step")
    why = getattr(problem, "problem", None) or "it can't be read"
    return error(file, line, f"YAML: {why}",
                 "look at this line and the one above: a missing colon, quote or space, or another indentation")
