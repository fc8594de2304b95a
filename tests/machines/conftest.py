"""Emulation is slow: these tests run only if somebody asks for them, with -m machine."""
import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip them otherwise, and say how to ask."""
    if "machine" in (config.option.markexpr or ""):
        return
    why = pytest.mark.skip(reason="an emulated machine takes half an hour: pytest -m machine tests/machines")
    for item in items:
        if item.get_closest_marker("machine"):
            item.add_marker(why)
